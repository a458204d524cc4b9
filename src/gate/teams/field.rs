//! The field of an object that a finding of a policy names.

use crate::yaml::{Node, Origin, Value, pointer_key, pointer_token};

/// A field of an object.
pub(super) struct Resolved<'a> {
    /// Who wrote it.
    pub(super) origin: Origin,
    pub(super) pointer: String,
    /// Its place with the names of list items, which stay where others are added.
    pub(super) name: String,
    pub(super) value: &'a Node,
}

/// The steps of a field as policies write them: a JSON pointer, or `spec.containers[0].image`, also with keys in quotes.
fn steps(field: &str) -> Vec<String> {
    if let Some(pointer) = field.strip_prefix('/') {
        return pointer.split('/').map(pointer_key).collect();
    }
    let field = ["$.", "input.review.object.", "review.object.", "input.", "object."]
        .iter()
        .find_map(|prefix| field.strip_prefix(prefix))
        .unwrap_or(field);
    let mut steps = vec![String::new()];
    let mut quote = None;
    for character in field.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '.' | '[' | ']') => steps.push(String::new()),
            _ => steps.last_mut().into_iter().for_each(|step| step.push(character)),
        }
    }
    let plain = |step: String| step.strip_prefix("name=").map_or(step.clone(), str::to_owned);
    steps.into_iter().filter(|step| !step.is_empty()).map(plain).collect()
}

/// The field of an object that a policy names, as far down as it is there.
pub(super) fn resolved<'a>(node: &'a Node, field: &str) -> Option<Resolved<'a>> {
    let (mut here, mut origin, mut pointer, mut name) = (node, None, String::new(), String::new());
    for step in steps(field) {
        let (token, label, next) = match &here.value {
            Value::Mapping(mapping) => (pointer_token(&step), step.clone(), mapping.get(&step)),
            Value::Sequence(items) => {
                let is_named = |item: &Node| item.get("name").and_then(Node::as_text) == Some(&step);
                let at = step.parse::<usize>().ok().or_else(|| items.iter().position(is_named));
                let item = at.and_then(|at| items.get(at));
                let label = item.and_then(|item| item.get("name")?.as_text()).unwrap_or(&step).to_owned();
                (at.unwrap_or_default().to_string(), label, item)
            }
            Value::Scalar(_) => break,
        };
        let Some(next) = next else { break };
        pointer.push_str(&format!("/{token}"));
        name.push_str(&format!("/{label}"));
        origin = Some(match here.as_mapping().and_then(|mapping| mapping.key(&step)) {
            // What is put together is shown by its key.
            Some(key) if next.as_scalar().is_none() => Origin::new(key.span, next.origin.step),
            _ => next.origin.clone(),
        });
        here = next;
    }
    Some(Resolved { origin: origin?, pointer, name, value: here })
}
