//! Hashes of generated content, which end the names of generated objects (`api/hasher/hasher.go`).

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::transform::names::set_name;
use crate::yaml::{JsonLayout, Node, Step, Value, go_json, to_json};

/// Adds the hash to every name that wants one.
///
/// # Errors
/// When an object has lost its name.
pub(crate) fn add(resources: &mut [Resource]) -> Result<(), RenderError> {
    for resource in resources.iter_mut().filter(|resource| resource.needs_hash && !resource.is_deleted()) {
        if !matches!(resource.kind(), "ConfigMap" | "Secret") {
            let span = resource.node.origin.span;
            let message = format!("kustomize would hash a {} by how its text is laid out", resource.kind());
            return Err(RenderError::at(span, message)
                .help("remove the annotation `internal.config.kubernetes.io/needsHashSuffix`"));
        }
        let hash = hash(resource);
        resource.remember_id();
        let span = resource.node.origin.span;
        set_name(resource, span, Step::NameHash, |name| format!("{name}-{hash}"))?;
    }
    Ok(())
}

fn hash(resource: &Resource) -> String {
    let node = &resource.node;
    let mut content = Map::new();
    let mut add = |key: &str, value: Json| content.insert(key.to_owned(), value);
    let field = |name: &str| match node.get(name) {
        None => Json::from(""),
        Some(Node { value: Value::Scalar(scalar), .. }) => Json::from(&*scalar.text),
        Some(other) => to_json(other),
    };
    add("kind", resource.kind().into());
    // kustomize means to hash the name, but looks it up under the key `metadata/name`, which no object has.
    add("name", "".into());
    add("data", field("data"));
    let optional = if resource.kind() == "Secret" {
        add("type", field("type"));
        "stringData"
    } else {
        "binaryData"
    };
    if let Some(value @ Json::Object(_)) = node.get(optional).map(to_json) {
        add(optional, value);
    }
    let text = go_json(&Json::Object(content), JsonLayout::Compact);
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest.iter().take(5).fold(String::new(), |mut hex, byte| {
        let written = write!(hex, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        hex
    });
    hex.chars()
        .map(|digit| match digit {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect()
}
