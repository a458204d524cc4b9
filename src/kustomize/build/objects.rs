//! Objects out of the documents of files (`api/resource/factory.go`).

use std::collections::VecDeque;

use super::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::known::schema::Schemas;
use crate::yaml::{LargeIntegers, Mapping, Node, Value, through_json};

/// The objects of a file's documents: empty documents dropped, lists split into their items.
///
/// # Errors
/// When a document is no object, or lacks a kind or a name.
pub(crate) fn objects(documents: Vec<Node>, schemas: &Schemas) -> Result<Vec<Resource>, RenderError> {
    let alone = documents.len() == 1;
    let mut queue = VecDeque::new();
    for document in documents {
        let is_list =
            document.get("kind").and_then(Node::as_text).is_some_and(|kind| matches!(kind, "List" | "ResourceList"));
        // A file that is one `List` hands out its items as they are written; other lists pass through JSON.
        match document.get("items").and_then(Node::as_sequence).filter(|_| is_list && alone) {
            Some(items) => queue.extend(items.iter().cloned()),
            None => queue.push_back(document),
        }
    }
    let mut found = Vec::new();
    while let Some(node) = queue.pop_front() {
        let is_empty =
            node.as_mapping().is_some_and(Mapping::is_empty) || node.as_sequence().is_some_and(<[Node]>::is_empty);
        if node.is_null() || is_empty {
            continue;
        }
        let kind = check(&node)?;
        if !kind.ends_with("List") {
            found.push(Resource::new(node, schemas));
            continue;
        }
        match node.get("items").map(|items| (&items.value, items)) {
            None => found.push(Resource::new(node, schemas)),
            Some((Value::Sequence(items), _)) => {
                for item in items.iter() {
                    let mut item = item.clone();
                    through_json(&mut item, LargeIntegers::Kept);
                    queue.push_back(item);
                }
            }
            Some((_, items)) if items.is_null() => {}
            Some((_, items)) => {
                return Err(RenderError::at(
                    items.origin.span,
                    format!("`items` is a list, but this is {}", items.shape()),
                ));
            }
        }
    }
    Ok(found)
}

/// Checks that a document is an object with a kind and a name; says its kind.
pub(crate) fn check(node: &Node) -> Result<&str, RenderError> {
    let span = node.origin.span;
    if node.as_mapping().is_none() {
        return Err(RenderError::at(span, format!("expected an object, but this is {}", node.shape()))
            .help("a Kubernetes object has `apiVersion`, `kind` and `metadata`"));
    }
    let Some(kind) = node.get("kind").and_then(Node::as_text).filter(|kind| !kind.is_empty()) else {
        return Err(RenderError::at(span, "this object has no `kind`")
            .help("a Kubernetes object has `apiVersion`, `kind` and `metadata`"));
    };
    let name = node.find(&["metadata", "name"]).and_then(Node::as_text);
    if !kind.ends_with("List") && name.is_none_or(str::is_empty) {
        return Err(RenderError::at(span, format!("this {kind} has no `metadata.name`")).help("name it"));
    }
    Ok(kind)
}
