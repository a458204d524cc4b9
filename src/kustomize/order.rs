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

/// Sorts as kustomize does by default: what others need comes first, then by group, version, kind, namespace and name.
pub(super) fn legacy(resources: &mut [Resource]) {
    resources.sort_by_cached_key(|resource| {
        let id = resource.id();
        let kind = id.gvk.kind.as_str();
        let rank = FIRST.iter().position(|known| *known == kind).unwrap_or_else(|| {
            LAST.iter().position(|known| *known == kind).map_or(FIRST.len(), |at| FIRST.len() + 1 + at)
        });
        let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
        let gvk = format!("{}_{}_{}", or(&id.gvk.group, "~G"), or(&id.gvk.version, "~V"), or(kind, "~K"));
        (rank, gvk, sort_text(&id))
    });
}

fn sort_text(id: &ResourceId) -> String {
    let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    let gvk =
        format!("{}.{}.{}", or(&id.gvk.kind, "[noKind]"), or(&id.gvk.version, "[noVer]"), or(&id.gvk.group, "[noGrp]"));
    format!("{gvk}|{}|{}", or(&id.namespace, "~X"), or(&id.name, "~N"))
}
