//! What one rendering runs, needs and provides.

use std::collections::BTreeSet;

use serde::Serialize;

use super::image::Image;
use super::places;
use super::provider::{self, Provided};
use super::reference::{self, Reference};
use crate::config::Config;
use crate::finding::Object;
use crate::kustomize::{Bump, Gvk, Opaque, OpaqueKind, Rendering, Values, ValuesUser, split_image};
use crate::span::{FileId, Span};
use crate::yaml::{Mapping, Node, Origin, Step, each_mapping, to_json};

/// What one rendering runs, needs and provides.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Every container, in the order of the output.
    pub containers: Vec<Container>,
    /// Every image, of containers and of image volumes.
    pub images: Vec<UsedImage>,
    /// Every Secret and `ConfigMap` that something refers to.
    pub references: Vec<Reference>,
    /// Every Secret and `ConfigMap` that will be there.
    pub provided: Vec<Provided>,
    /// Limits that a `LimitRange` supplies, by namespace.
    pub default_limits: Vec<DefaultLimits>,
    /// What comes from elsewhere and is not seen.
    pub opaque: Vec<Opaque>,
}

/// An image where it is used.
#[derive(Clone, Debug)]
pub struct UsedImage {
    /// The image.
    pub image: Image,
    /// The container's or the volume's name.
    pub user: String,
    /// What uses it.
    pub role: Role,
    /// The object.
    pub object: Object,
    /// JSON pointer to the reference.
    pub path: String,
    /// Who wrote the reference.
    pub origin: Origin,
}

impl UsedImage {
    /// Content from elsewhere, which enters environments as images do: its identity in the place of a repository, its version
    /// in that of a tag.
    fn opaque(opaque: &Opaque) -> Self {
        let Opaque { kind, identity, version, written, span, .. } = opaque;
        let image = match kind {
            OpaqueKind::Image => Image::parse(written),
            _ => Image { reference: written.clone(), repository: identity.clone(), tag: version.clone(), digest: None },
        };
        let role = match kind {
            OpaqueKind::Repository | OpaqueKind::File => Role::Source,
            OpaqueKind::Chart => Role::Chart,
            OpaqueKind::Plugin => Role::Plugin,
            OpaqueKind::Image => Role::Unseen,
        };
        let object = of_kustomization(identity);
        let origin = Origin::new(*span, if *kind == OpaqueKind::Image { Step::Image } else { Step::File });
        Self { image, user: identity.clone(), role, object, path: String::new(), origin }
    }

    /// The image after a step of the kustomization file `own` that changes nothing but tags and digests; `None` where that
    /// is not all that the file does to it.
    #[must_use]
    pub fn bumped(&self, own: FileId, bump: &Bump) -> Option<Self> {
        let comes_from_own = |origin: &Origin| origin.span.file == own;
        let mut before = self.origin.before.as_ref();
        while let Some(node) = before {
            // One entry may write the same twice; what another one wrote may decide whether this one is meant.
            let is_same = node.origin.step == Step::Image && node.origin.span == self.origin.span;
            // Names stay as they are in such a step.
            let is_pinned = node.origin.step != Step::Image || bump.at(node.origin.span).is_some();
            if comes_from_own(&node.origin) && !is_same && is_pinned {
                return None;
            }
            before = node.origin.before.as_ref();
        }
        if !comes_from_own(&self.origin) {
            return Some(self.clone());
        }
        let pinned = bump.at(self.origin.span).filter(|_| self.origin.step == Step::Image)?;
        let mut reference = split_image(&self.image.reference).name.to_owned();
        for (mark, part) in [(':', &pinned.tag), ('@', &pinned.digest)] {
            if !part.is_empty() {
                reference.push(mark);
                reference.push_str(part);
            }
        }
        let mut bumped = Self { image: Image::parse(&reference), ..self.clone() };
        bumped.origin.span = pinned.span;
        Some(bumped)
    }
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What kind of container.
    pub role: Role,
    /// The object.
    pub object: Object,
    /// JSON pointer to the container.
    pub path: String,
    /// Who wrote what best shows the container: its `resources`, else its name.
    pub origin: Origin,
    /// JSON pointer to the pod spec.
    pub pod: String,
    /// `requests` and `limits` as rendered, by `requests.cpu` and so on.
    pub resources: Vec<(String, String)>,
    /// What patches took away of the resources, such as `limits.memory`, `limits` or, for all of them, nothing; and where.
    pub removed: Vec<(String, Span)>,
    /// What Kubernetes fills in: requests from limits, from the pod as a whole, from `LimitRange`s beside it.
    pub supplied: BTreeSet<String>,
}

/// What a `LimitRange` gives to containers that do not say it themselves.
#[derive(Clone, Debug)]
pub struct DefaultLimits {
    /// The namespace.
    pub namespace: String,
    /// Such as `limits.memory`.
    pub resources: Vec<String>,
}

/// What uses an image.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// An ordinary container.
    Container,
    /// A container that runs before the others.
    InitContainer,
    /// A container for debugging.
    EphemeralContainer,
    /// An image volume.
    Volume,
    /// A remote base or file.
    Source,
    /// A Helm chart.
    Chart,
    /// What a plugin makes.
    Plugin,
    /// An image that only content from elsewhere can run.
    Unseen,
    /// An image that a field names outside of pod specs.
    Field,
    /// A tag or a digest in the values of a chart, which names the image itself.
    Value,
    /// An operator that the Operator Lifecycle Manager installs.
    Operator,
}

impl Role {
    /// Whether it is a container image, and not another kind of content.
    #[must_use]
    pub fn is_image(self) -> bool {
        !matches!(self, Self::Source | Self::Chart | Self::Plugin | Self::Operator)
    }

    /// What kind of content it is, as `promotion/unproven: {kinds}` names it.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Chart => "chart",
            Self::Plugin => "plugin",
            Self::Operator => "operator",
            _ => "image",
        }
    }

    /// The list of a pod spec that such containers are in.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Container => "containers",
            Self::InitContainer => "initContainers",
            Self::EphemeralContainer => "ephemeralContainers",
            Self::Volume => "volumes",
            Self::Source | Self::Chart | Self::Plugin | Self::Unseen | Self::Field | Self::Value | Self::Operator => "",
        }
    }
}

/// The lists of containers in a pod spec.
const LISTS: [(&str, Role); 3] = [
    ("containers", Role::Container),
    ("initContainers", Role::InitContainer),
    ("ephemeralContainers", Role::EphemeralContainer),
];

impl State {
    /// Looks through rendered objects, and what is left out of them.
    #[must_use]
    pub fn of(rendering: &Rendering, config: &Config) -> Self {
        let mut state = Self::default();
        for opaque in &rendering.opaque {
            state.images.push(UsedImage::opaque(opaque));
        }
        state.opaque.clone_from(&rendering.opaque);
        for (at, node) in rendering.objects.iter().enumerate() {
            let object = describe(node);
            if object.kind == "CustomResourceDefinition" && object.api_version.starts_with("apiextensions.k8s.io/") {
                continue;
            }
            state.provided.extend(provider::provided(node, &object, &config.providers));
            reference::of_object(node, &object, &mut state.references);
            state.limit_range(node, &object);
            state.find_pods(node, &object);
            places::find(node, &object, &config.images, &mut state.images);
            for values in rendering.values.iter().filter(|values| values.user == ValuesUser::Object(at)) {
                let chart = places::chart_of(node).unwrap_or_default();
                places::in_values(&values.node, &object, chart, &mut state.images);
            }
        }
        for Values { user, node } in &rendering.values {
            match user {
                ValuesUser::Object(_) => {}
                ValuesUser::Chart(identity) => state.given(node, identity, identity, config),
                ValuesUser::Opaque(identity) => state.given(node, identity, "", config),
            }
        }
        if config.images.iter().any(|place| place.is_ignored) {
            state.images.retain(|used| !places::is_ignored(used, &config.images));
        }
        state.supply();
        state
    }

    /// Looks for images in what is written for content from elsewhere: values of `chart`, or a part of an object.
    fn given(&mut self, node: &Node, identity: &str, chart: &str, config: &Config) {
        let described = describe(node);
        let is_of_object = !described.kind.is_empty();
        let object = if is_of_object { described } else { of_kustomization(identity) };
        let mut part = Self::default();
        part.find_pods(node, &object);
        if is_of_object {
            places::find(node, &object, &config.images, &mut part.images);
        } else {
            places::in_values(node, &object, chart.to_owned(), &mut part.images);
        }
        self.images.append(&mut part.images);
    }

    /// Notes what `LimitRange`s and limits supply to containers.
    fn supply(&mut self) {
        for container in &mut self.containers {
            let named = |name: &&String| container.resources.iter().any(|(known, _)| known == *name);
            for limits in self.default_limits.iter().filter(|limits| limits.namespace == container.object.namespace) {
                container.supplied.extend(limits.resources.iter().filter(|name| !named(name)).cloned());
            }
            // Kubernetes takes the limit for the request where only the limit is set.
            let limits =
                container.resources.iter().map(|(name, _)| name).filter_map(|name| name.strip_prefix("limits."));
            let requests: Vec<String> = limits.map(|name| format!("requests.{name}")).collect();
            container.supplied.extend(requests.into_iter().filter(|name| !named(&name)));
        }
    }

    /// Finds pod specs: whatever holds a list of containers.
    fn find_pods(&mut self, node: &Node, object: &Object) {
        let is_container = |item: &Node| item.get("name").is_some() || item.get("image").is_some();
        each_mapping(node, &mut String::new(), &mut |mapping, path| {
            let lists = LISTS.iter().filter_map(|(list, _)| mapping.get(list).and_then(Node::as_sequence));
            if lists.flatten().any(is_container) {
                self.pod(mapping, object, path);
            }
        });
    }

    fn pod(&mut self, pod: &Mapping, object: &Object, path: &str) {
        let whole: BTreeSet<String> =
            pod.get("resources").map(amounts).unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        for (list, role) in LISTS {
            let containers = pod.get(list).and_then(Node::as_sequence).unwrap_or_default();
            for (at, container) in containers.iter().enumerate() {
                self.container(container, role, object, &format!("{path}/{list}/{at}"));
                if let Some(added) = self.containers.last_mut() {
                    path.clone_into(&mut added.pod);
                    added.supplied.clone_from(&whole);
                }
            }
        }
        let volumes = pod.get("volumes").and_then(Node::as_sequence).unwrap_or_default();
        for (at, volume) in volumes.iter().enumerate() {
            if let Some(reference) = volume.find(&["image", "reference"]) {
                self.image(
                    reference,
                    &text(volume, "name"),
                    Role::Volume,
                    object,
                    format!("{path}/volumes/{at}/image/reference"),
                );
            }
        }
        reference::of_pod(pod, object, path, &mut self.references);
    }

    fn container(&mut self, container: &Node, role: Role, object: &Object, path: &str) {
        let mut name = text(container, "name");
        if name.is_empty() {
            // Knative's containers need none.
            split_image(&text(container, "image")).name.clone_into(&mut name);
        }
        if let Some(image) = container.get("image") {
            self.image(image, &name, role, object, format!("{path}/image"));
        }
        self.images.extend(places::in_variables(container, object, path));
        self.images.extend(places::in_arguments(container, object, path));
        let resources = container.get("resources").map(amounts).unwrap_or_default();
        let shown = container
            .get("resources")
            .filter(|node| !node.is_null())
            .or_else(|| container.get("name"))
            .unwrap_or(container);
        self.containers.push(Container {
            name,
            role,
            object: object.clone(),
            path: path.to_owned(),
            pod: String::new(),
            origin: shown.origin.clone(),
            resources,
            removed: removed_from(container),
            supplied: BTreeSet::new(),
        });
    }

    fn image(&mut self, node: &Node, user: &str, role: Role, object: &Object, path: String) {
        let image = Image::parse(node.as_text().unwrap_or_default());
        self.images.push(UsedImage {
            image,
            user: user.to_owned(),
            role,
            object: object.clone(),
            path,
            origin: node.origin.clone(),
        });
    }

    /// What a `LimitRange` gives to containers (`SetDefaults_LimitRangeItem` in Kubernetes' `pkg/apis/core/v1/defaults.go`):
    /// the largest amount is the default limit where none is given, a default limit the default request, else the smallest is.
    fn limit_range(&mut self, node: &Node, object: &Object) {
        if object.kind != "LimitRange" || object.api_version != "v1" {
            return;
        }
        let limits = node.find(&["spec", "limits"]).and_then(Node::as_sequence).unwrap_or_default();
        let mut resources = Vec::new();
        for limit in limits.iter().filter(|limit| text(limit, "type") == "Container") {
            for (field, names) in [
                ("default", &["limits", "requests"][..]),
                ("max", &["limits", "requests"]),
                ("defaultRequest", &["requests"]),
                ("min", &["requests"]),
            ] {
                let amounts = limit.get(field).and_then(Node::as_mapping);
                let amounts = amounts.into_iter().flat_map(Mapping::iter);
                for (key, _) in amounts.filter(|(_, amount)| amount.as_scalar().is_some_and(|it| is_amount(&it.text))) {
                    resources.extend(names.iter().map(|name| format!("{name}.{}", key.text)));
                }
            }
        }
        self.default_limits.push(DefaultLimits { namespace: object.namespace.clone(), resources });
    }
}

/// What stands for content that only a kustomization names.
fn of_kustomization(name: &str) -> Object {
    Object {
        api_version: "kustomize.config.k8s.io/v1beta1".to_owned(),
        kind: "Kustomization".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

/// What patches took away of a container's resources.
fn removed_from(container: &Node) -> Vec<(String, Span)> {
    let mut removed = Vec::new();
    removed
        .extend(container.as_mapping().and_then(|mapping| mapping.removal("resources")).map(|at| (String::new(), at)));
    let Some(resources) = container.get("resources").and_then(Node::as_mapping) else { return removed };
    for kind in ["requests", "limits"] {
        removed.extend(resources.removal(kind).map(|at| (kind.to_owned(), at)));
        let Some(amounts) = resources.get(kind).and_then(Node::as_mapping) else { continue };
        for name in ["cpu", "memory", "ephemeral-storage"] {
            removed.extend(amounts.removal(name).map(|at| (format!("{kind}.{name}"), at)));
        }
    }
    removed
}

/// The amounts of a `resources` field, by `requests.cpu` and so on.
fn amounts(resources: &Node) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for kind in ["requests", "limits"] {
        let amounts = resources.get(kind).and_then(Node::as_mapping);
        for (key, amount) in amounts.into_iter().flat_map(Mapping::iter).filter(|(_, amount)| !amount.is_null()) {
            let amount = to_json(amount);
            let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            if is_amount(&amount) {
                found.push((format!("{kind}.{}", key.text), amount));
            }
        }
    }
    found
}

/// Whether a text is a quantity above zero (`k8s.io/apimachinery/pkg/api/resource`). Zero means no limit.
fn is_amount(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let is_exponent = |exponent: &str| exponent.parse::<i8>().is_ok();
    let is_suffix = match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => true,
        other => other.strip_prefix(['e', 'E']).is_some_and(is_exponent),
    };
    is_suffix && number.parse::<f64>().is_ok_and(|amount| amount > 0.0)
}

/// What an object says it is.
/// What identifies a rendered object.
#[must_use]
pub fn describe(node: &Node) -> Object {
    let gvk = Gvk::of(node);
    let metadata = |key: &str| node.find(&["metadata", key]).and_then(Node::as_text).unwrap_or_default().to_owned();
    Object { api_version: gvk.api_version(), kind: gvk.kind, namespace: metadata("namespace"), name: metadata("name") }
}

/// A scalar's text; empty where there is none.
pub(super) fn text(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::as_text).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_quantities_above_zero() {
        for amount in ["1", "0.5", ".5", "+2", "100m", "1Gi", "12e6", "1E3", "2."] {
            assert!(is_amount(amount), "{amount}");
        }
        for amount in ["", "0", "0m", "-1", "1banana", "1.2.", "1 Gi", "null", "1e", "1gi"] {
            assert!(!is_amount(amount), "{amount}");
        }
    }
}
