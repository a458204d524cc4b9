//! API versions that Kubernetes has removed (<https://kubernetes.io/docs/reference/using-api/deprecation-guide/>).

use super::state::describe;
use crate::finding::Object;
use crate::yaml::{Node, Origin};

/// An object of an API version that is gone.
#[derive(Clone, Debug)]
pub struct RemovedApi<'a> {
    /// The object.
    pub object: Object,
    /// Who wrote the version.
    pub origin: &'a Origin,
    /// The minor version of Kubernetes 1 without it.
    pub removed_in: u32,
    /// What takes its place; empty where nothing does.
    pub successor: &'static str,
}

/// API version, kinds (all where there is none), the minor version without it, and what takes its place.
const REMOVED: [(&str, &[&str], u32, &str); 29] = [
    ("extensions/v1beta1", &["DaemonSet", "Deployment", "ReplicaSet"], 16, "apps/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 16, ""),
    ("apps/v1beta1", &[], 16, "apps/v1"),
    ("apps/v1beta2", &[], 16, "apps/v1"),
    ("extensions/v1beta1", &["Ingress"], 22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 22, "networking.k8s.io/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", &[], 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", &[], 22, "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", &["TokenReview"], 22, "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", &[], 22, "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], 22, "coordination.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", &[], 22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], 22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"], 22, "storage.k8s.io/v1"),
    ("batch/v1beta1", &["CronJob"], 25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", &["Event"], 25, "events.k8s.io/v1"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 25, "autoscaling/v2"),
    ("policy/v1beta1", &["PodDisruptionBudget"], 25, "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], 25, ""),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], 25, "node.k8s.io/v1"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 26, "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", &[], 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", &[], 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", &[], 32, "flowcontrol.apiserver.k8s.io/v1"),
];

/// The objects whose API version is gone from some version of Kubernetes on.
#[must_use]
pub fn removed_apis(objects: &[Node]) -> Vec<RemovedApi<'_>> {
    let removed = objects.iter().filter_map(|node| {
        let version = node.get("apiVersion")?;
        let object = describe(node);
        let is_it = |(name, kinds, ..): &&(&str, &[&str], u32, &str)| {
            *name == object.api_version && (kinds.is_empty() || kinds.contains(&object.kind.as_str()))
        };
        let (_, _, removed_in, successor) = *REMOVED.iter().find(is_it)?;
        Some(RemovedApi { object, origin: &version.origin, removed_in, successor })
    });
    removed.collect()
}
