//! Which values of which objects are secret.

use crate::difference::ratio;
use crate::yaml::{Mapping, Node, Value};

/// Fields of a Secret that say nothing of its contents.
const OPEN: [&str; 4] = ["apiVersion", "kind", "type", "immutable"];

/// Fields of a Secret's metadata that say nothing of its contents. Annotations may: `kubectl apply` keeps a copy there.
const OPEN_METADATA: [&str; 3] = ["name", "namespace", "labels"];

/// How alike a misspelt `Secret` is to a right one. A `Service` is less.
const MISSPELT: f32 = 0.8;

/// Whether an object holds secrets.
pub(crate) fn is_one(object: &Node) -> bool {
    matches!(kind(object), Some("Secret" | "SecretList" | "SealedSecret"))
}

/// The kind; that of a Secret also where it is misspelt, or where something else writes as a Secret does: what was meant to be
/// secret is not shown because the word is wrong.
fn kind(object: &Node) -> Option<&str> {
    let kind = object.get("kind").and_then(Node::as_text)?;
    let is_known = matches!(kind, "SecretList" | "SealedSecret");
    let is_meant = (5..=8).contains(&kind.len()) && ratio(&kind.to_lowercase(), "secret") >= MISSPELT;
    let is_one = !is_known && (is_meant || object.get("stringData").is_some());
    Some(if is_one { "Secret" } else { kind })
}

/// Calls `visit` with every scalar of an object that is, or may be, secret.
pub fn each_value<'a>(object: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    match kind(object) {
        Some("Secret") => contents(object, visit),
        // Its items need not say again what they are.
        Some("SecretList") => {
            let items = object.get("items").and_then(Node::as_sequence).unwrap_or_default();
            for item in items {
                contents(item, visit);
            }
        }
        // What is sealed can be shown; what its template adds is as it is.
        Some("SealedSecret") => {
            if let Some(template) = object.find(&["spec", "template"]) {
                contents(template, visit);
            }
        }
        _ => {}
    }
}

fn contents<'a>(object: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    for (key, value) in object.as_mapping().into_iter().flat_map(Mapping::iter) {
        match &*key.text {
            "metadata" => {
                let metadata = value.as_mapping().into_iter().flat_map(Mapping::iter);
                let hidden = metadata.filter(|(key, _)| !OPEN_METADATA.contains(&&*key.text));
                hidden.for_each(|(_, value)| scalars(value, visit));
            }
            key if OPEN.contains(&key) => {}
            _ => scalars(value, visit),
        }
    }
}

/// Every scalar of a value.
pub(crate) fn scalars<'a>(node: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    match &node.value {
        Value::Scalar(_) => visit(node),
        Value::Sequence(items) => items.iter().for_each(|item| scalars(item, visit)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| scalars(value, visit)),
    }
}

/// Calls `change` with every scalar that [`each_value`] finds, and with what `other` has in its place.
pub fn change_values(object: &mut Node, other: Option<&Node>, change: &mut dyn FnMut(&mut Node, Option<&Node>)) {
    match kind(object) {
        Some("Secret") => change_contents(object, other, change),
        Some("SealedSecret") => {
            let template = object.as_mapping_mut().and_then(|object| object.get_mut("spec"));
            let template = template.and_then(|spec| spec.as_mapping_mut()?.get_mut("template"));
            if let Some(template) = template {
                change_contents(template, other.and_then(|other| other.find(&["spec", "template"])), change);
            }
        }
        _ => {}
    }
}

fn change_contents(object: &mut Node, other: Option<&Node>, change: &mut dyn FnMut(&mut Node, Option<&Node>)) {
    for (key, value) in object.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut) {
        let other = other.and_then(|other| other.get(&key.text));
        match &*key.text {
            "metadata" => {
                for (key, value) in value.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut) {
                    if !OPEN_METADATA.contains(&&*key.text) {
                        change_scalars(value, other.and_then(|other| other.get(&key.text)), change);
                    }
                }
            }
            key if OPEN.contains(&key) => {}
            _ => change_scalars(value, other, change),
        }
    }
}

fn change_scalars(node: &mut Node, other: Option<&Node>, change: &mut dyn FnMut(&mut Node, Option<&Node>)) {
    if node.as_scalar().is_some() {
        return change(node, other);
    }
    if let Some(mapping) = node.as_mapping_mut() {
        for (key, value) in mapping.iter_mut() {
            change_scalars(value, other.and_then(|other| other.get(&key.text)), change);
        }
    } else if let Some(items) = node.as_sequence_mut() {
        let others = other.and_then(Node::as_sequence).unwrap_or_default();
        for (at, item) in items.iter_mut().enumerate() {
            change_scalars(item, others.get(at), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;
    use crate::yaml::{Dialect, Source, Step, parse};

    #[test]
    fn what_is_meant_as_a_secret_is_one() {
        for (kind, is_secret) in [
            ("Secret", true),
            ("secret", true),
            ("Secrets", true),
            ("Secert", true),
            ("Secre", true),
            ("Service", false),
            ("Section", false),
            ("Sequence", false),
            ("ConfigMap", false),
        ] {
            let text = format!("kind: {kind}\nspec: {{x: y}}\n");
            let files = Files::default();
            let file = files.add(&RepoPath::root(), ContentId::of(text.as_bytes()), &text);
            let objects = parse(&Source::file(file, &text), Step::File, Dialect::Resource).unwrap();
            assert_eq!(is_one(&objects[0]), is_secret, "{kind}");
        }
    }
}
