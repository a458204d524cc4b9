//! Notes what must not be shown: where the values of Secrets are written, and what was taken out of them into other objects.
//! Origins decide, not the looks of a file.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::kustomize::build::resource::Resource;
use crate::kustomize::known::secret;
use crate::span::{Files, Span};
use crate::yaml::{Node, Step, Value};

/// Shorter values are not looked for in other objects: everything would hold them.
const SHORTEST: usize = 3;

/// Notes the secrets of what an overlay renders to.
pub(crate) fn note(files: &Files, resources: &[Resource]) {
    let mut spans: HashSet<Span> = HashSet::new();
    let mut texts: HashSet<String> = HashSet::new();
    for resource in resources {
        secret::each_value(&resource.node, &mut |value| {
            spans.extend(writers(value).map(|writer| writer.origin.span));
            if let Some(text) = value.as_text() {
                let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).ok();
                texts.extend(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
                texts.insert(text.to_owned());
            }
        });
    }
    if spans.is_empty() {
        return;
    }
    texts.retain(|text| text.len() >= SHORTEST);
    let mut taken = Vec::new();
    for resource in resources {
        // What a Secret says of itself is open, unless a patch copied something of its contents there.
        let open = if secret::is_one(&resource.node) { resource.node.get("metadata") } else { Some(&resource.node) };
        if let Some(open) = open {
            find_taken(open, &spans, &texts, &mut taken);
        }
    }
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for node in taken {
        shown.push(node.origin.span);
        let text = node.as_text().unwrap_or_default();
        hidden.push(text.to_owned());
        hidden.extend(texts.iter().filter(|secret| text.contains(secret.as_str())).cloned());
    }
    files.hide(spans.into_iter().chain(shown), hidden);
}

/// A node, and what stood in its place before.
fn writers(node: &Node) -> impl Iterator<Item = &Node> {
    std::iter::successors(Some(node), |node| node.origin.before.as_deref())
}

/// The values that a replacement or a variable took out of Secrets.
fn find_taken<'a>(node: &'a Node, spans: &HashSet<Span>, texts: &HashSet<String>, taken: &mut Vec<&'a Node>) {
    match &node.value {
        Value::Scalar(scalar) => {
            let is_copied = writers(node)
                .any(|writer| matches!(writer.origin.step, Step::Replacement | Step::Var | Step::JsonPatch));
            let is_secret = || {
                writers(node).any(|writer| spans.contains(&writer.origin.span))
                    || texts.iter().any(|text| scalar.text.contains(text.as_str()))
            };
            if is_copied && is_secret() {
                taken.push(node);
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| find_taken(item, spans, texts, taken)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| find_taken(value, spans, texts, taken)),
    }
}
