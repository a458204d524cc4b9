//! What kustomize knows about the built-in kinds: its schema is that of Kubernetes v1.21.2. Data only.
//!
//! Source: `kyaml/openapi` (`precomputedIsNamespaceScoped`, and the fields of the schema with
//! `x-kubernetes-patch-strategy: merge`).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::kustomize::build::id::Gvk;

/// Kinds by `apiVersion`; a star marks the ones outside of namespaces.
const KINDS: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration* ValidatingWebhookConfiguration*"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration* ValidatingWebhookConfiguration*"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition*"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition*"),
    ("apiregistration.k8s.io/v1", "APIService*"),
    ("apiregistration.k8s.io/v1beta1", "APIService*"),
    ("apps/v1", "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet"),
    ("autoscaling/v1", "HorizontalPodAutoscaler Scale"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob Job"),
    ("batch/v1beta1", "CronJob"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest*"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest*"),
    ("coordination.k8s.io/v1", "Lease"),
    ("coordination.k8s.io/v1beta1", "Lease"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"),
    ("events.k8s.io/v1", "Event"),
    ("events.k8s.io/v1beta1", "Event"),
    ("extensions/v1beta1", "Ingress"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema* PriorityLevelConfiguration*"),
    ("networking.k8s.io/v1", "Ingress IngressClass* NetworkPolicy"),
    ("networking.k8s.io/v1beta1", "Ingress IngressClass*"),
    ("node.k8s.io/v1", "RuntimeClass*"),
    ("node.k8s.io/v1beta1", "RuntimeClass*"),
    ("policy/v1", "PodDisruptionBudget"),
    ("policy/v1beta1", "Eviction PodDisruptionBudget PodSecurityPolicy*"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole* ClusterRoleBinding* Role RoleBinding"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole* ClusterRoleBinding* Role RoleBinding"),
    ("scheduling.k8s.io/v1", "PriorityClass*"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass*"),
    ("storage.k8s.io/v1", "CSIDriver* CSINode* StorageClass* VolumeAttachment*"),
    ("storage.k8s.io/v1beta1", "CSIDriver* CSINode* CSIStorageCapacity StorageClass* VolumeAttachment*"),
    (
        "v1",
        "Binding ComponentStatus* ConfigMap Endpoints Event LimitRange Namespace* Node* NodeProxyOptions* PersistentVolume* PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    ),
];

/// One group and version that has a kind, and whether the kind stands outside of namespaces there.
struct Known {
    group: &'static str,
    version: &'static str,
    is_cluster_scoped: bool,
}

static BY_KIND: LazyLock<HashMap<&'static str, Vec<Known>>> = LazyLock::new(|| {
    let mut known: HashMap<_, Vec<_>> = HashMap::new();
    for (api, kinds) in KINDS {
        let (group, version) = api.split_once('/').unwrap_or(("", api));
        for kind in kinds.split(' ') {
            let (kind, is_cluster_scoped) = kind.strip_suffix('*').map_or((kind, false), |kind| (kind, true));
            known.entry(kind).or_default().push(Known { group, version, is_cluster_scoped });
        }
    }
    known
});

fn find(group: &str, version: &str, kind: &str) -> Option<bool> {
    let of_kind = BY_KIND.get(kind)?;
    of_kind.iter().find(|known| known.group == group && known.version == version).map(|known| known.is_cluster_scoped)
}

/// Whether a kind is known.
#[must_use]
pub(crate) fn is_known(gvk: &Gvk) -> bool {
    find(&gvk.group, &gvk.version, &gvk.kind).is_some()
}

/// Whether a kind is known to stand outside of namespaces; kinds that the schema lacks are not.
#[must_use]
pub(crate) fn is_cluster_scoped(group: &str, version: &str, kind: &str) -> bool {
    find(group, version, kind) == Some(true)
}

/// How the fields of an object merge, as far as they do not simply merge or replace.
#[derive(Debug)]
pub(crate) struct MergeRules {
    fields: &'static [(&'static str, Field)],
}

/// One field of a [`MergeRules`].
#[derive(Debug)]
pub(crate) struct Field {
    /// The keys by which the items of a list are matched; empty for lists of scalars. `None` where it is no merged list.
    pub merge_keys: Option<&'static [&'static str]>,
    /// How the field's value, or each item of the list, merges in turn.
    pub rules: Option<&'static MergeRules>,
}

impl MergeRules {
    /// The field with this name, where it is special.
    #[must_use]
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }
}

const fn object(rules: &'static MergeRules) -> Field {
    Field { merge_keys: None, rules: Some(rules) }
}

const fn list(keys: &'static [&'static str]) -> Field {
    Field { merge_keys: Some(keys), rules: None }
}

const fn list_of(keys: &'static [&'static str], rules: &'static MergeRules) -> Field {
    Field { merge_keys: Some(keys), rules: Some(rules) }
}

static OBJECT_META: MergeRules =
    MergeRules { fields: &[("finalizers", list(&[])), ("ownerReferences", list(&["uid"]))] };
static CONTAINER: MergeRules = MergeRules {
    fields: &[
        ("env", list(&["name"])),
        ("ports", list(&["containerPort", "protocol"])),
        ("volumeDevices", list(&["devicePath"])),
        ("volumeMounts", list(&["mountPath"])),
    ],
};
static EPHEMERAL_CONTAINER: MergeRules = MergeRules {
    fields: &[
        ("env", list(&["name"])),
        ("volumeDevices", list(&["devicePath"])),
        ("volumeMounts", list(&["mountPath"])),
    ],
};
static POD_SPEC: MergeRules = MergeRules {
    fields: &[
        ("containers", list_of(&["name"], &CONTAINER)),
        ("ephemeralContainers", list_of(&["name"], &EPHEMERAL_CONTAINER)),
        ("hostAliases", list(&["ip"])),
        ("imagePullSecrets", list(&["name"])),
        ("initContainers", list_of(&["name"], &CONTAINER)),
        ("topologySpreadConstraints", list(&["topologyKey", "whenUnsatisfiable"])),
        ("volumes", list(&["name"])),
    ],
};
static STATUS: MergeRules = MergeRules {
    fields: &[("addresses", list(&["type"])), ("conditions", list(&["type"])), ("podIPs", list(&["ip"]))],
};
static POD_TEMPLATE: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&POD_SPEC))] };
static WORKLOAD_SPEC: MergeRules = MergeRules { fields: &[("template", object(&POD_TEMPLATE))] };
static WORKLOAD: MergeRules = MergeRules {
    fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&WORKLOAD_SPEC)), ("status", object(&STATUS))],
};
static CRON_JOB_SPEC: MergeRules = MergeRules { fields: &[("jobTemplate", object(&WORKLOAD))] };
static CRON_JOB: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&CRON_JOB_SPEC))] };
static POD: MergeRules = MergeRules {
    fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&POD_SPEC)), ("status", object(&STATUS))],
};
static POD_TEMPLATE_OBJECT: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("template", object(&POD_TEMPLATE))] };
static SERVICE_SPEC: MergeRules = MergeRules { fields: &[("ports", list(&["port", "protocol"]))] };
static SERVICE: MergeRules = MergeRules {
    fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&SERVICE_SPEC)), ("status", object(&STATUS))],
};
static SERVICE_ACCOUNT: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("secrets", list(&["name"]))] };
static WEBHOOKS: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("webhooks", list(&["name"]))] };
static NODE_SPEC: MergeRules = MergeRules { fields: &[("podCIDRs", list(&[]))] };
static NODE: MergeRules = MergeRules {
    fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&NODE_SPEC)), ("status", object(&STATUS))],
};
static CSI_NODE_SPEC: MergeRules = MergeRules { fields: &[("drivers", list(&["name"]))] };
static CSI_NODE: MergeRules =
    MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("spec", object(&CSI_NODE_SPEC))] };
static OTHER: MergeRules = MergeRules { fields: &[("metadata", object(&OBJECT_META)), ("status", object(&STATUS))] };

/// How objects of a kind merge; `None` for kinds that the schema lacks, whose lists are replaced whole.
#[must_use]
pub(crate) fn merge_rules(gvk: &Gvk) -> Option<&'static MergeRules> {
    find(&gvk.group, &gvk.version, &gvk.kind)?;
    Some(match gvk.kind.as_str() {
        "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet" | "Job" | "ReplicationController" => &WORKLOAD,
        "CronJob" => &CRON_JOB,
        "Pod" => &POD,
        "PodTemplate" => &POD_TEMPLATE_OBJECT,
        "Service" => &SERVICE,
        "ServiceAccount" => &SERVICE_ACCOUNT,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => &WEBHOOKS,
        "Node" => &NODE,
        "CSINode" => &CSI_NODE,
        _ => &OTHER,
    })
}

/// How values of one definition of Kubernetes' `OpenAPI` document merge; `None` for those that simply merge.
#[must_use]
pub(crate) fn definition(name: &str) -> Option<&'static MergeRules> {
    let (group, kind) = name.rsplit_once('.')?;
    Some(match (group, kind) {
        ("io.k8s.apimachinery.pkg.apis.meta.v1", "ObjectMeta") => &OBJECT_META,
        ("io.k8s.api.core.v1", "Container") => &CONTAINER,
        ("io.k8s.api.core.v1", "EphemeralContainer") => &EPHEMERAL_CONTAINER,
        ("io.k8s.api.core.v1", "PodSpec") => &POD_SPEC,
        ("io.k8s.api.core.v1", "PodTemplateSpec") => &POD_TEMPLATE,
        ("io.k8s.api.core.v1", "ServiceSpec") => &SERVICE_SPEC,
        ("io.k8s.api.batch.v1" | "io.k8s.api.batch.v1beta1", "JobTemplateSpec") => &WORKLOAD,
        ("io.k8s.api.batch.v1" | "io.k8s.api.batch.v1beta1", "CronJobSpec") => &CRON_JOB_SPEC,
        ("io.k8s.api.batch.v1", "JobSpec")
        | ("io.k8s.api.core.v1", "ReplicationControllerSpec")
        | ("io.k8s.api.apps.v1", "DaemonSetSpec" | "DeploymentSpec" | "ReplicaSetSpec" | "StatefulSetSpec") => {
            &WORKLOAD_SPEC
        }
        _ => return None,
    })
}
