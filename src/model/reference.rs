//! References to Secrets and `ConfigMaps`, and what provides them.

use serde::Serialize;

use crate::finding::Object;
use crate::yaml::{Mapping, Node, Origin};

/// What pods refer to by name.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ReferenceKind {
    /// A Secret.
    Secret,
    /// A `ConfigMap`.
    ConfigMap,
}

/// A Secret or `ConfigMap`, or a key of it, that an object refers to.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What it is.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// The key that is asked for; `None` where the whole object is.
    pub key: Option<String>,
    /// Whether the API lets it be absent.
    pub optional: bool,
    /// The object that refers to it.
    pub object: Object,
    /// JSON pointer to the reference.
    pub path: String,
    /// Who wrote the name.
    pub origin: Origin,
    /// Who wrote the key, where one is asked for.
    pub key_origin: Option<Origin>,
}

struct Collector<'a> {
    object: &'a Object,
    references: &'a mut Vec<Reference>,
}

impl Collector<'_> {
    /// `holder` is the mapping that names the object, under `name_field`.
    fn add(&mut self, kind: ReferenceKind, holder: &Node, name_field: &str, key: Option<&Node>, path: String) {
        let Some(name) = holder.get(name_field).filter(|name| name.as_text().is_some_and(|name| !name.is_empty()))
        else {
            return;
        };
        let optional = holder.get("optional").and_then(Node::as_text) == Some("true");
        self.references.push(Reference {
            kind,
            name: name.as_text().unwrap_or_default().to_owned(),
            key: key.and_then(Node::as_text).map(str::to_owned),
            optional,
            object: self.object.clone(),
            path,
            origin: name.origin.clone(),
            key_origin: key.map(|key| key.origin.clone()),
        });
    }

    /// A volume source: the whole object, or the keys under `items`.
    fn volume(&mut self, kind: ReferenceKind, source: &Node, name_field: &str, path: &str) {
        let items = source.get("items").and_then(Node::as_sequence).unwrap_or_default();
        if items.is_empty() {
            self.add(kind, source, name_field, None, path.to_owned());
        }
        for (at, item) in items.iter().enumerate() {
            self.add(kind, source, name_field, item.get("key"), format!("{path}/items/{at}/key"));
        }
    }
}

fn items<'a>(mapping: &'a Mapping, key: &str) -> &'a [Node] {
    mapping.get(key).and_then(Node::as_sequence).unwrap_or_default()
}

/// What a pod spec at `path` refers to.
pub(super) fn of_pod(pod: &Mapping, object: &Object, path: &str, references: &mut Vec<Reference>) {
    let mut found = Collector { object, references };
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (at, container) in items(pod, list).iter().enumerate() {
            let path = format!("{path}/{list}/{at}");
            let Some(container) = container.as_mapping() else { continue };
            for (at, variable) in items(container, "env").iter().enumerate() {
                for (kind, field) in
                    [(ReferenceKind::Secret, "secretKeyRef"), (ReferenceKind::ConfigMap, "configMapKeyRef")]
                {
                    if let Some(reference) = variable.find(&["valueFrom", field]) {
                        let path = format!("{path}/env/{at}/valueFrom/{field}/key");
                        found.add(kind, reference, "name", reference.get("key"), path);
                    }
                }
            }
            for (at, source) in items(container, "envFrom").iter().enumerate() {
                for (kind, field) in [(ReferenceKind::Secret, "secretRef"), (ReferenceKind::ConfigMap, "configMapRef")]
                {
                    if let Some(reference) = source.get(field) {
                        found.add(kind, reference, "name", None, format!("{path}/envFrom/{at}/{field}/name"));
                    }
                }
            }
        }
    }
    for (at, volume) in items(pod, "volumes").iter().enumerate() {
        let path = format!("{path}/volumes/{at}");
        if let Some(secret) = volume.get("secret") {
            found.volume(ReferenceKind::Secret, secret, "secretName", &format!("{path}/secret"));
        }
        if let Some(config_map) = volume.get("configMap") {
            found.volume(ReferenceKind::ConfigMap, config_map, "name", &format!("{path}/configMap"));
        }
        for (driver, field) in [
            ("csi", "nodePublishSecretRef"),
            ("cephfs", "secretRef"),
            ("flexVolume", "secretRef"),
            ("iscsi", "secretRef"),
            ("rbd", "secretRef"),
            ("scaleIO", "secretRef"),
            ("storageos", "secretRef"),
        ] {
            if let Some(reference) = volume.find(&[driver, field]) {
                found.add(ReferenceKind::Secret, reference, "name", None, format!("{path}/{driver}/{field}/name"));
            }
        }
        if let Some(share) = volume.get("azureFile") {
            found.add(ReferenceKind::Secret, share, "secretName", None, format!("{path}/azureFile/secretName"));
        }
        let sources = volume.find(&["projected", "sources"]).and_then(Node::as_sequence).unwrap_or_default();
        for (at, source) in sources.iter().enumerate() {
            for (kind, field) in [(ReferenceKind::Secret, "secret"), (ReferenceKind::ConfigMap, "configMap")] {
                if let Some(source) = source.get(field) {
                    found.volume(kind, source, "name", &format!("{path}/projected/sources/{at}/{field}"));
                }
            }
        }
    }
    for (at, pull_secret) in items(pod, "imagePullSecrets").iter().enumerate() {
        found.add(ReferenceKind::Secret, pull_secret, "name", None, format!("{path}/imagePullSecrets/{at}/name"));
    }
}

/// What an object refers to besides pod specs: service accounts and ingresses.
pub(super) fn of_object(node: &Node, object: &Object, references: &mut Vec<Reference>) {
    let mut found = Collector { object, references };
    match object.kind.as_str() {
        "ServiceAccount" => {
            for list in ["secrets", "imagePullSecrets"] {
                for (at, secret) in node.get(list).and_then(Node::as_sequence).unwrap_or_default().iter().enumerate() {
                    found.add(ReferenceKind::Secret, secret, "name", None, format!("/{list}/{at}/name"));
                }
            }
        }
        "Ingress" => {
            let tls = node.find(&["spec", "tls"]).and_then(Node::as_sequence).unwrap_or_default();
            for (at, tls) in tls.iter().enumerate() {
                found.add(ReferenceKind::Secret, tls, "secretName", None, format!("/spec/tls/{at}/secretName"));
            }
        }
        _ => {}
    }
}
