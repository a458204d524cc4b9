//! Environment variables of containers, also those that come from whole `ConfigMaps` and Secrets.

use std::collections::BTreeMap;

use super::image::Image;
use super::state::describe;
use crate::finding::Object;
use crate::span::Span;
use crate::yaml::{Node, Origin, each_mapping};

/// The variables of one container.
#[derive(Clone, Debug)]
pub struct Variables {
    /// The object.
    pub object: Object,
    /// The JSON pointer to the container.
    pub path: String,
    /// The container's name.
    pub container: String,
    /// Its image.
    pub image: Option<Image>,
    /// Who wrote its variables, else its name.
    pub origin: Origin,
    /// By name: where each is written.
    pub named: BTreeMap<String, Span>,
    /// Whether there may be others: those of a `ConfigMap` or a Secret whose keys are not known.
    pub may_have_more: bool,
}

/// The variables of all containers of rendered objects.
#[must_use]
pub fn variables(objects: &[Node]) -> Vec<Variables> {
    let mut found = Vec::new();
    for node in objects {
        let object = describe(node);
        if object.kind == "CustomResourceDefinition" {
            continue;
        }
        each_mapping(node, &mut String::new(), &mut |mapping, path| {
            for list in ["containers", "initContainers"] {
                let containers = mapping.get(list).and_then(Node::as_sequence).unwrap_or_default();
                for (at, container) in containers.iter().enumerate() {
                    found.extend(of_container(container, &object, objects, format!("{path}/{list}/{at}")));
                }
            }
        });
    }
    found
}

fn of_container(container: &Node, object: &Object, objects: &[Node], path: String) -> Option<Variables> {
    let name = container.get("name")?;
    let list = |field: &str| container.get(field).and_then(Node::as_sequence).unwrap_or_default();
    let mut variables = Variables {
        object: object.clone(),
        path,
        container: name.as_text()?.to_owned(),
        image: container.get("image").and_then(Node::as_text).map(Image::parse),
        origin: container.get("env").map_or_else(|| name.origin.clone(), |env| env.origin.clone()),
        named: BTreeMap::new(),
        may_have_more: false,
    };
    for variable in list("env") {
        if let Some(name) = variable.get("name") {
            variables.named.extend(name.as_text().map(|text| (text.to_owned(), name.origin.span)));
        }
    }
    for source in list("envFrom") {
        let prefix = source.get("prefix").and_then(Node::as_text).unwrap_or_default();
        let whole = [("configMapRef", "ConfigMap"), ("secretRef", "Secret")]
            .into_iter()
            .find_map(|(field, kind)| Some((kind, source.get(field)?.get("name")?.as_text()?)));
        let holder = whole.and_then(|(kind, name)| {
            objects.iter().find(|other| {
                let described = describe(other);
                described.kind == kind && described.name == name && described.namespace == object.namespace
            })
        });
        let Some(holder) = holder else {
            variables.may_have_more = true;
            continue;
        };
        for field in ["data", "stringData", "binaryData"] {
            let Some(mapping) = holder.get(field).and_then(Node::as_mapping) else { continue };
            for (key, _) in mapping.iter() {
                variables.named.entry(format!("{prefix}{}", key.text)).or_insert(key.span);
            }
        }
    }
    Some(variables)
}
