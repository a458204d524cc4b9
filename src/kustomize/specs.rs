//! The fields that each transformer changes by default. Data only.
//!
//! Source: `api/internal/konfig/builtinpluginconsts` of kustomize v5.8.1. A line is `KIND[.VERSION][@GROUP] PATH
//! [create]`; `*` stands for any kind.

use std::sync::LazyLock;

use super::fieldspec::FieldSpec;
use super::id::Gvk;

fn parse(lines: &'static str) -> Vec<FieldSpec> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(FieldSpec::parse).collect()
}

/// Where labels go besides selectors.
const METADATA_LABELS: &str = "
* metadata/labels create
ReplicationController.v1 spec/template/metadata/labels create
Deployment spec/template/metadata/labels create
ReplicaSet spec/template/metadata/labels create
DaemonSet spec/template/metadata/labels create
StatefulSet@apps spec/template/metadata/labels create
StatefulSet@apps spec/volumeClaimTemplates[]/metadata/labels create
Job@batch spec/template/metadata/labels create
CronJob@batch spec/jobTemplate/metadata/labels create
CronJob@batch spec/jobTemplate/spec/template/metadata/labels create
";

const SELECTOR_LABELS: &str = "
Service.v1 spec/selector create
ReplicationController.v1 spec/selector create
Deployment spec/selector/matchLabels create
Deployment@apps spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
Deployment@apps spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
Deployment@apps spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
Deployment@apps spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
Deployment@apps spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels
ReplicaSet spec/selector/matchLabels create
DaemonSet spec/selector/matchLabels create
StatefulSet@apps spec/selector/matchLabels create
StatefulSet@apps spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
StatefulSet@apps spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
StatefulSet@apps spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
StatefulSet@apps spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
StatefulSet@apps spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels
Job@batch spec/selector/matchLabels
CronJob@batch spec/jobTemplate/spec/selector/matchLabels
PodDisruptionBudget@policy spec/selector/matchLabels
NetworkPolicy@networking.k8s.io spec/podSelector/matchLabels
NetworkPolicy@networking.k8s.io spec/ingress/from/podSelector/matchLabels
NetworkPolicy@networking.k8s.io spec/egress/to/podSelector/matchLabels
";

/// `labels` without `includeSelectors`.
pub(super) static PLAIN_LABELS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| parse("* metadata/labels create"));

/// `labels` with `includeTemplates`.
pub(super) static TEMPLATE_LABELS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| parse(METADATA_LABELS));

/// `commonLabels`, and `labels` with `includeSelectors`.
pub(super) static COMMON_LABELS: LazyLock<Vec<FieldSpec>> =
    LazyLock::new(|| [parse(SELECTOR_LABELS), parse(METADATA_LABELS)].concat());

/// `commonAnnotations`.
pub(super) static ANNOTATIONS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    parse(
        "
        * metadata/annotations create
        ReplicationController.v1 spec/template/metadata/annotations create
        Deployment spec/template/metadata/annotations create
        ReplicaSet spec/template/metadata/annotations create
        DaemonSet spec/template/metadata/annotations create
        StatefulSet spec/template/metadata/annotations create
        Job@batch spec/template/metadata/annotations create
        CronJob@batch spec/jobTemplate/metadata/annotations create
        CronJob@batch spec/jobTemplate/spec/template/metadata/annotations create
        ",
    )
});

/// `namespace`, besides `metadata/namespace` and the subjects of role bindings.
pub(super) static NAMESPACE: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    parse(
        "
        Namespace metadata/name create
        APIService@apiregistration.k8s.io spec/service/namespace create
        CustomResourceDefinition@apiextensions.k8s.io spec/conversion/webhook/clientConfig/service/namespace
        ",
    )
});

/// `images`, besides every `containers` and `initContainers` at any depth.
pub(super) static IMAGES: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    parse(
        "
        * spec/containers[]/image create
        * spec/initContainers[]/image create
        * spec/volumes[]/image/reference create
        * spec/template/spec/containers[]/image create
        * spec/template/spec/initContainers[]/image create
        * spec/template/spec/volumes[]/image/reference create
        ",
    )
});

/// `replicas`.
pub(super) static REPLICAS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    parse(
        "
        Deployment spec/replicas create
        ReplicationController spec/replicas create
        ReplicaSet spec/replicas create
        StatefulSet spec/replicas create
        ",
    )
});

/// A field that holds the name of another object.
pub(super) struct NameReference {
    /// What kind of object the name is of. Empty group and version match all.
    pub(super) referent: FieldSpec,
    /// Where the name stands.
    pub(super) field: FieldSpec,
}

const PODS: &[(&str, &str)] = &[
    ("Pod.v1", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// kustomize follows some references in these only; `ReplicaSet` and `PodTemplate` are not among them.
const RUNNING_PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
];

/// Referents in kustomize's order, the pods that refer to them, the fields in these pods, and other fields.
type Referent = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const NAME_REFERENCES: &[Referent] = &[
    (
        "StorageClass.v1@storage.k8s.io",
        &[],
        "",
        "
        PersistentVolume spec/storageClassName
        PersistentVolumeClaim spec/storageClassName
        StatefulSet spec/volumeClaimTemplates/spec/storageClassName
    ",
    ),
    (
        "ServiceAccount.v1",
        RUNNING_PODS,
        "serviceAccountName",
        "
        RoleBinding@rbac.authorization.k8s.io subjects
        ClusterRoleBinding@rbac.authorization.k8s.io subjects
    ",
    ),
    (
        "Role@rbac.authorization.k8s.io",
        &[],
        "",
        "
        RoleBinding@rbac.authorization.k8s.io roleRef/name
    ",
    ),
    (
        "ClusterRole@rbac.authorization.k8s.io",
        &[],
        "",
        "
        RoleBinding@rbac.authorization.k8s.io roleRef/name
        ClusterRoleBinding@rbac.authorization.k8s.io roleRef/name
    ",
    ),
    (
        "ConfigMap.v1",
        PODS,
        "
        volumes/configMap/name
        containers/env/valueFrom/configMapKeyRef/name
        initContainers/env/valueFrom/configMapKeyRef/name
        containers/envFrom/configMapRef/name
        initContainers/envFrom/configMapRef/name
        volumes/projected/sources/configMap/name
    ",
        "
        Node spec/configSource/configMap
        Role rules/resourceNames
        ClusterRole rules/resourceNames
        Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap
    ",
    ),
    (
        "Secret.v1",
        PODS,
        "
        volumes/secret/secretName
        containers/env/valueFrom/secretKeyRef/name
        initContainers/env/valueFrom/secretKeyRef/name
        containers/envFrom/secretRef/name
        initContainers/envFrom/secretRef/name
        imagePullSecrets/name
        volumes/projected/sources/secret/name
    ",
        "
        Ingress spec/tls/secretName
        Ingress metadata/annotations/ingress.kubernetes.io\\/auth-secret
        Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret
        Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret
        ServiceAccount imagePullSecrets/name
        StorageClass parameters/secretName
        StorageClass parameters/adminSecretName
        StorageClass parameters/userSecretName
        StorageClass parameters/secretRef
        Role rules/resourceNames
        ClusterRole rules/resourceNames
        Service.v1@serving.knative.dev spec/template/spec/containers/env/valueFrom/secretKeyRef/name
        PersistentVolume spec/azureFile/secretName
    ",
    ),
    (
        "Service.v1",
        &[],
        "",
        "
        StatefulSet@apps spec/serviceName
        Ingress spec/rules/http/paths/backend/serviceName
        Ingress spec/backend/serviceName
        Ingress spec/rules/http/paths/backend/service/name
        Ingress spec/defaultBackend/service/name
        APIService@apiregistration.k8s.io spec/service/name
        ValidatingWebhookConfiguration@admissionregistration.k8s.io webhooks/clientConfig/service
        MutatingWebhookConfiguration@admissionregistration.k8s.io webhooks/clientConfig/service
    ",
    ),
    ("PriorityClass.v1@scheduling.k8s.io", RUNNING_PODS, "priorityClassName", ""),
    (
        "PersistentVolume.v1",
        &[],
        "",
        "
        PersistentVolumeClaim spec/volumeName
        ClusterRole rules/resourceNames
    ",
    ),
    ("PersistentVolumeClaim.v1", RUNNING_PODS, "volumes/persistentVolumeClaim/claimName", ""),
    ("Deployment", &[], "", "HorizontalPodAutoscaler spec/scaleTargetRef/name"),
    ("StatefulSet", &[], "", "HorizontalPodAutoscaler spec/scaleTargetRef/name"),
    ("ReplicaSet", &[], "", "HorizontalPodAutoscaler spec/scaleTargetRef/name"),
    ("ReplicationController", &[], "", "HorizontalPodAutoscaler spec/scaleTargetRef/name"),
    (
        "ValidatingAdmissionPolicy@admissionregistration.k8s.io",
        &[],
        "",
        "
        ValidatingAdmissionPolicyBinding@admissionregistration.k8s.io spec/policyName
    ",
    ),
];

/// Every field that holds a name, in the order in which kustomize looks at them.
pub(super) static REFERENCES: LazyLock<Vec<NameReference>> = LazyLock::new(|| {
    let mut references = Vec::new();
    for (referent, pods, pod_fields, others) in NAME_REFERENCES {
        let referent = FieldSpec::parse(referent);
        let in_pods = pods.iter().flat_map(|(kind, pod)| {
            let spec = FieldSpec::parse(kind);
            pod_fields.split_whitespace().map(move |field| {
                let path = format!("{pod}/{field}");
                FieldSpec { path: path.split('/').map(str::to_owned).collect(), ..spec.clone() }
            })
        });
        for field in in_pods.chain(parse(others)) {
            references.push(NameReference { referent: referent.clone(), field });
        }
    }
    references
});

/// Whether any reference may stand in objects of this kind.
pub(super) fn references_of(gvk: &Gvk) -> impl Iterator<Item = &'static NameReference> {
    REFERENCES.iter().filter(move |reference| reference.field.selects(gvk))
}
