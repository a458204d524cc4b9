//! The order of kinds in the output where a kustomization asks for no other
//! (`api/internal/builtins/SortOrderTransformer.go`).

/// Kinds that come first.
pub(crate) const FIRST: [&str; 22] = [
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
/// Kinds that come last.
pub(crate) const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

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
