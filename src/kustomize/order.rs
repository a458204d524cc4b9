//! The order of the output (`api/internal/builtins/SortOrderTransformer.go`).

use super::id::ResourceId;
use super::resource::Resource;

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Kinds that come first and kinds that come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindOrder {
    /// In this order at the start.
    pub first: Vec<String>,
    /// In this order at the end.
    pub last: Vec<String>,
}

impl Default for KindOrder {
    fn default() -> Self {
        let owned = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Self { first: owned(&FIRST), last: owned(&LAST) }
    }
}

/// Sorts by kind, then by group, version, namespace and name.
pub(super) fn legacy(resources: &mut [Resource], order: &KindOrder) {
    resources.sort_by_cached_key(|resource| {
        let id = resource.id();
        let rank = rank(&id.gvk.kind, &order.first, &order.last);
        // Of kinds named `Namespace` the one that everything stands in comes first, where the kind has its own place.
        let is_placed = rank != order.first.len();
        let is_other = !is_placed || id.gvk.kind != "Namespace" || !id.gvk.group.is_empty();
        (rank, is_other, kind_text(&id.gvk.group, &id.gvk.version, &id.gvk.kind), sort_text(&id))
    });
}

/// The place of a kind among those that come first or last; of a kind that stands in both lists the last counts.
fn rank<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> usize {
    let place = |kinds: &[T]| kinds.iter().rposition(|known| known.as_ref() == kind);
    place(last).map(|at| first.len() + 1 + at).or_else(|| place(first)).unwrap_or(first.len())
}

/// The order in which kustomize looks at kinds.
pub(super) fn kind_key(group: &str, version: &str, kind: &str) -> (usize, String) {
    (rank(kind, &FIRST, &LAST), kind_text(group, version, kind))
}

fn kind_text(group: &str, version: &str, kind: &str) -> String {
    let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
}

fn sort_text(id: &ResourceId) -> String {
    let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    let gvk =
        format!("{}.{}.{}", or(&id.gvk.kind, "[noKind]"), or(&id.gvk.version, "[noVer]"), or(&id.gvk.group, "[noGrp]"));
    format!("{gvk}|{}|{}", or(&id.namespace, "~X"), or(&id.name, "~N"))
}
