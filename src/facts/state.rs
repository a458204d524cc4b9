//! What one side of an overlay renders to, as rules see it.

use serde::Serialize;

use super::handle::{Handle, Handles, Target};
use crate::finding::Object;
use std::collections::HashMap;

use crate::model::{Container, Namespace, ReferenceKind, RenderedOverlay, Role};

/// What one side renders to.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StateInput {
    /// Whether the overlay is there at all.
    pub exists: bool,
    /// Why it does not render.
    pub error: Option<ErrorInput>,
    /// Images in use.
    pub images: Vec<ImageInput>,
    /// Containers.
    pub containers: Vec<ContainerInput>,
    /// References to Secrets and `ConfigMaps`.
    pub references: Vec<ReferenceInput>,
    /// Secrets and `ConfigMaps` that will be there.
    pub provided: Vec<ProvidedInput>,
    /// What `LimitRange`s supply.
    pub default_limits: Vec<LimitsInput>,
    /// What comes from elsewhere and is not seen: remote bases and files, charts, what plugins make.
    pub opaque: Vec<OpaqueInput>,
}

/// Content from elsewhere.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpaqueInput {
    /// Where it is named.
    pub at: Handle,
    /// `source`, `chart`, `plugin`, or `unseen` for an entry of `images` that nothing seen runs.
    pub role: Role,
    /// What it is, without its version.
    pub identity: String,
    /// Its version; `null` where none is asked for.
    pub version: Option<String>,
    /// As written.
    pub written: String,
}

/// Why an overlay does not render.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorInput {
    /// Where.
    pub at: Handle,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What explains it.
    pub related: Vec<RelatedInput>,
}

/// A place that explains an error.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RelatedInput {
    /// The place.
    pub at: Handle,
    /// What is to be seen there.
    pub message: String,
}

/// An image in use.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageInput {
    /// Who wrote it.
    pub at: Handle,
    /// As rendered.
    pub reference: String,
    /// Registry and repository, written out.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, where a valid one is pinned.
    pub digest: Option<String>,
    /// The container's or volume's name.
    pub user: String,
    /// What uses it.
    pub role: Role,
}

/// A container.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContainerInput {
    /// Where its resources, else its name, are written.
    pub at: Handle,
    /// Its name.
    pub name: String,
    /// What kind of container.
    pub role: Role,
    /// Identifies the object: kind, namespace and name.
    pub object: String,
    /// The object's namespace.
    pub namespace: String,
    /// Identifies the container: its object, the place of its pod in it, what kind of container, and its name.
    pub key: String,
    /// The same with its position in the place of its name.
    pub slot: String,
    /// What patches took away of the resources.
    pub removed: Vec<RemovedInput>,
    /// What Kubernetes fills in, such as `requests.cpu` from a limit, from the pod or from a `LimitRange`.
    pub supplied: Vec<String>,
    /// Amounts by `requests.cpu` and so on.
    pub resources: serde_json::Map<String, serde_json::Value>,
}

/// A part of a container's resources that a patch took away.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RemovedInput {
    /// Such as `limits.memory` or `limits`; empty for all of them.
    pub part: String,
    /// Where the patch says so.
    pub at: Handle,
}

/// A reference to a Secret or `ConfigMap`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReferenceInput {
    /// Who wrote the name.
    pub at: Handle,
    /// Who wrote the key; the name where no key is asked for.
    pub key_at: Handle,
    /// What it is.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// The namespace in which it is looked for; empty where whoever deploys the overlay says it.
    pub namespace: String,
    /// The key that is asked for.
    pub key: Option<String>,
    /// Whether it may be absent.
    pub optional: bool,
    /// The kind of the object that refers to it.
    pub object_kind: String,
    /// The name of the object that refers to it.
    pub object_name: String,
}

/// A Secret or `ConfigMap` that will be there.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProvidedInput {
    /// Who wrote its name.
    pub at: Handle,
    /// What it is.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// Its namespace; empty where whoever deploys the overlay says it, `*` where a selector chooses.
    pub namespace: String,
    /// Its keys; `null` where they cannot be known.
    pub keys: Option<Vec<String>>,
    /// Whether it only adds keys to one that something else makes.
    pub adds: bool,
    /// The kind of object that makes it.
    pub by: String,
}

/// What a `LimitRange` supplies.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitsInput {
    /// Its namespace.
    pub namespace: String,
    /// Such as `limits.memory`.
    pub resources: Vec<String>,
}

/// A blank namespace is `default`, as kustomize compares them.
fn or_default(namespace: &str) -> String {
    if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() }
}

impl StateInput {
    /// Describes one side; `own` is the line that stands for the overlay as a whole.
    #[must_use]
    pub fn of(side: &RenderedOverlay, handles: &mut Handles, own: Handle) -> Self {
        let error = side.error.as_ref().map(|error| ErrorInput {
            at: error.span.map_or(own, |span| handles.place(span)),
            message: error.message.clone(),
            help: error.help.clone(),
            related: error
                .related
                .iter()
                .map(|(span, text)| RelatedInput { at: handles.place(*span), message: text.clone() })
                .collect(),
        });
        let state = &side.state;
        let images = state.images.iter().map(|used| ImageInput {
            at: handles.add(Target::of_value(&used.origin, &used.object, &used.path)),
            reference: used.image.reference.clone(),
            repository: used.image.repository.clone(),
            tag: used.image.tag.clone(),
            digest: used.image.digest.clone(),
            user: used.user.clone(),
            role: used.role,
        });
        let images = images.collect();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let containers = state.containers.iter().map(|container| ContainerInput {
            key: unique(&mut seen, container_key(container, &container.name)),
            slot: container_key(container, container.path.rsplit('/').next().unwrap_or_default()),
            removed: container
                .removed
                .iter()
                .map(|(part, span)| RemovedInput { part: part.clone(), at: handles.place(*span) })
                .collect(),
            supplied: container.supplied.iter().cloned().collect(),
            at: handles.add(Target::of_value(&container.origin, &container.object, &container.path)),
            name: container.name.clone(),
            role: container.role,
            object: format!("{}/{}/{}", container.object.kind, container.object.namespace, container.object.name),
            namespace: or_default(&container.object.namespace),
            resources: container
                .resources
                .iter()
                .map(|(name, amount)| (name.clone(), amount.as_str().into()))
                .collect(),
        });
        let containers = containers.collect();
        let references = state.references.iter().map(|reference| ReferenceInput {
            at: handles.add(Target::of_value(&reference.origin, &reference.object, &reference.path)),
            key_at: {
                let origin = reference.key_origin.as_ref().unwrap_or(&reference.origin);
                handles.add(Target::of_value(origin, &reference.object, &reference.path))
            },
            kind: reference.kind,
            name: reference.name.clone(),
            namespace: reference.object.namespace.clone(),
            key: reference.key.clone(),
            optional: reference.optional,
            object_kind: reference.object.kind.clone(),
            object_name: reference.object.name.clone(),
        });
        let references = references.collect();
        let provided = state.provided.iter().map(|provided| ProvidedInput {
            at: handles.place(provided.origin.span),
            kind: provided.kind,
            name: provided.name.clone(),
            namespace: match &provided.namespace {
                Namespace::Named(name) => name.clone(),
                Namespace::Selected => "*".to_owned(),
            },
            keys: provided.keys.clone(),
            adds: provided.adds,
            by: provided.by.clone(),
        });
        let provided = provided.collect();
        let default_limits = state.default_limits.iter().map(|limits| LimitsInput {
            namespace: or_default(&limits.namespace),
            resources: limits.resources.clone(),
        });
        let default_limits = default_limits.collect();
        let unseen = state.images.iter().zip(&state.opaque).filter(|(_, opaque)| !opaque.is_seen);
        let opaque = unseen.map(|(used, opaque)| OpaqueInput {
            at: handles.place(opaque.span),
            role: used.role,
            identity: opaque.identity.clone(),
            version: opaque.version.clone(),
            written: opaque.written.clone(),
        });
        let opaque = opaque.collect();
        Self { exists: side.exists, error, images, containers, references, provided, default_limits, opaque }
    }
}

/// Identifies a container by its name or its position.
fn container_key(container: &Container, last: &str) -> String {
    let Object { api_version, kind, namespace, name } = &container.object;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    [group, kind, namespace, name, &container.pod, container.role.list(), last].join("\n")
}

/// A key that no other container has: several of one name are an error that Kubernetes finds.
fn unique(seen: &mut HashMap<String, usize>, key: String) -> String {
    let count = seen.entry(key.clone()).or_default();
    *count += 1;
    if *count == 1 { key } else { format!("{key}\n{count}") }
}
