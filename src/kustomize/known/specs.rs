//! The fields that each transformer changes by default. Data only.
//!
//! Source: `api/internal/konfig/builtinpluginconsts` of kustomize v5.8.1. A line is `KIND[.VERSION][@GROUP] PATH
//! [create]`; `*` stands for any kind.

use crate::kustomize::build::transformer_config::{NameReferences, TransformerConfig};
use crate::kustomize::transform::fieldspec::FieldSpec;

/// The path of an object's name.
pub(crate) const NAME: [&str; 2] = ["metadata", "name"];
/// The path of an object's namespace.
pub(crate) const NAMESPACE: [&str; 2] = ["metadata", "namespace"];

fn parse(lines: &'static str) -> Vec<FieldSpec> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(FieldSpec::parse).collect()
}

/// `labels` with `includeTemplates`, and where `commonLabels` go besides selectors.
const TEMPLATE_LABELS: &str = "
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

/// `labels` always.
pub(crate) const PLAIN_LABELS: &str = "* metadata/labels create";

/// `commonAnnotations`.
const ANNOTATIONS: &str = "
* metadata/annotations create
ReplicationController.v1 spec/template/metadata/annotations create
Deployment spec/template/metadata/annotations create
ReplicaSet spec/template/metadata/annotations create
DaemonSet spec/template/metadata/annotations create
StatefulSet spec/template/metadata/annotations create
Job@batch spec/template/metadata/annotations create
CronJob@batch spec/jobTemplate/metadata/annotations create
CronJob@batch spec/jobTemplate/spec/template/metadata/annotations create
";

/// `namespace`, besides `metadata/namespace` and the subjects of role bindings.
const NAMESPACES: &str = "
Namespace metadata/name create
APIService@apiregistration.k8s.io spec/service/namespace create
CustomResourceDefinition@apiextensions.k8s.io spec/conversion/webhook/clientConfig/service/namespace
";

/// `images`, besides every `containers` and `initContainers` at any depth.
const IMAGES: &str = "
* spec/containers[]/image create
* spec/initContainers[]/image create
* spec/volumes[]/image/reference create
* spec/template/spec/containers[]/image create
* spec/template/spec/initContainers[]/image create
* spec/template/spec/volumes[]/image/reference create
";

/// `replicas`.
const REPLICAS: &str = "
Deployment spec/replicas create
ReplicationController spec/replicas create
ReplicaSet spec/replicas create
StatefulSet spec/replicas create
";

/// `vars`: the fields of containers, and in which kinds the containers stand where.
const VARS_IN_CONTAINERS: [&str; 4] = ["args", "command", "env/value", "volumeMounts/mountPath"];
const VARS_IN_PODS: [(&str, &str); 7] = [
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("Deployment", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("Pod", "spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
];
const VARS_ELSEWHERE: &str = "
CronJob spec/jobTemplate/spec/template/volumes/nfs/server
DaemonSet spec/template/spec/volumes/nfs/server
Deployment spec/template/spec/volumes/nfs/server
Deployment spec/template/metadata/annotations
Ingress spec/rules/host
Ingress spec/tls/hosts
Ingress spec/tls/secretName
Job spec/template/spec/volumes/nfs/server
PersistentVolume spec/nfs/server
Pod spec/volumes/nfs/server
ReplicaSet spec/template/spec/volumes/nfs/server
Service spec/ports/port
Service spec/ports/targetPort
StatefulSet spec/volumeClaimTemplates/spec/nfs/server
* metadata/labels
* metadata/annotations
";

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

/// Where something stands in the pods of several kinds.
fn in_pods(pods: &[(&'static str, &str)], fields: &str) -> Vec<FieldSpec> {
    let at = |(kind, pod): &(&'static str, &str), field: &str| {
        let path = crate::kustomize::transform::fieldspec::split_path(&format!("{pod}/{field}"));
        FieldSpec { path, ..FieldSpec::parse(kind) }
    };
    pods.iter().flat_map(|pod| fields.split_whitespace().map(move |field| at(pod, field))).collect()
}

fn name_references() -> Vec<NameReferences> {
    let references = NAME_REFERENCES.iter().map(|(referent, pods, pod_fields, others)| NameReferences {
        referent: FieldSpec::parse(referent).kind,
        fields: [in_pods(pods, pod_fields), parse(others)].concat(),
    });
    references.collect()
}

fn var_references() -> Vec<FieldSpec> {
    let field = |list, field| format!("{list}/{field}");
    let fields =
        ["containers", "initContainers"].iter().flat_map(|list| VARS_IN_CONTAINERS.map(|name| field(list, name)));
    let fields: Vec<String> = fields.collect();
    [in_pods(&VARS_IN_PODS, &fields.join(" ")), parse(VARS_ELSEWHERE)].concat()
}

/// What a kustomization without `configurations` and `crds` works with.
pub(crate) fn default_config() -> TransformerConfig {
    TransformerConfig {
        name_prefix: parse("* metadata/name"),
        name_suffix: parse("* metadata/name"),
        namespace: parse(NAMESPACES),
        common_labels: [parse(SELECTOR_LABELS), parse(TEMPLATE_LABELS)].concat(),
        labels: Vec::new(),
        template_labels: parse(TEMPLATE_LABELS),
        common_annotations: parse(ANNOTATIONS),
        name_references: name_references(),
        var_references: var_references(),
        images: parse(IMAGES),
        replicas: parse(REPLICAS),
    }
}
