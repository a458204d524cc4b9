//! What makes Secrets and `ConfigMaps`: objects of the overlay themselves, and controllers that such objects ask for them.
//! Kinds are known with their API group: another group's kind of the same name makes nothing.

use super::reference::ReferenceKind;
use super::state::text;
use crate::config::Provider;
use crate::finding::Object;
use crate::yaml::{Mapping, Node, Origin};

/// A Secret or `ConfigMap` that will be there.
#[derive(Clone, Debug)]
pub struct Provided {
    /// What it is.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// Its namespace; empty where whoever deploys the overlay says it.
    pub namespace: Namespace,
    /// Its keys; `None` where they cannot be known from here.
    pub keys: Option<Vec<String>>,
    /// Whether it only adds keys to one that something else makes.
    pub adds: bool,
    /// The kind of object that makes it.
    pub by: String,
    /// Who wrote its name.
    pub origin: Origin,
}

/// Where something will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// In this namespace; in the one that the deployer says where it is empty.
    Named(String),
    /// In namespaces that a selector chooses.
    Selected,
}

/// What a kind makes besides an object of its own name.
struct Maker<'a> {
    node: &'a Node,
    object: &'a Object,
    made: Vec<Provided>,
}

/// Secrets that a controller names after the object: group, kind, and what follows the name.
const NAMED_AFTER: [(&str, &str, &[&str]); 16] = [
    ("postgresql.cnpg.io", "Cluster", &["-app", "-superuser", "-ca", "-server", "-replication"]),
    (
        "elasticsearch.k8s.elastic.co",
        "Elasticsearch",
        &["-es-elastic-user", "-es-http-certs-public", "-es-http-ca-internal"],
    ),
    ("kibana.k8s.elastic.co", "Kibana", &["-kb-http-certs-public"]),
    ("rabbitmq.com", "RabbitmqCluster", &["-default-user", "-erlang-cookie"]),
    ("rabbitmq.com", "User", &["-user-credentials"]),
    ("kafka.strimzi.io", "KafkaUser", &[""]),
    ("kafka.strimzi.io", "Kafka", &["-cluster-ca-cert", "-clients-ca-cert"]),
    ("ricoberger.de", "VaultSecret", &[""]),
    ("onepassword.com", "OnePasswordItem", &[""]),
    ("objectbucket.io", "ObjectBucketClaim", &[""]),
    ("secretgenerator.mittwald.de", "StringSecret", &[""]),
    ("secretgenerator.mittwald.de", "BasicAuth", &[""]),
    ("secretgenerator.mittwald.de", "SSHKeyPair", &[""]),
    ("secretgen.k14s.io", "Password", &[""]),
    ("secretgen.k14s.io", "SecretTemplate", &[""]),
    ("mysql.oracle.com", "InnoDBCluster", &["-backup", "-privsecrets", "-router"]),
];

/// Secrets that the object names itself: group, kind, and the way to the name.
const NAMED_BY: [(&str, &str, &[&str]); 10] = [
    ("secrets.hashicorp.com", "VaultStaticSecret", &["spec", "destination", "name"]),
    ("secrets.hashicorp.com", "VaultDynamicSecret", &["spec", "destination", "name"]),
    ("secrets.hashicorp.com", "VaultPKISecret", &["spec", "destination", "name"]),
    ("redhatcop.redhat.io", "VaultSecret", &["spec", "output", "name"]),
    ("spv.no", "AzureKeyVaultSecret", &["spec", "output", "secret", "name"]),
    ("secrets.infisical.com", "InfisicalSecret", &["spec", "managedSecretReference", "secretName"]),
    ("secrets.doppler.com", "DopplerSecret", &["spec", "managedSecret", "name"]),
    ("k8s.bitwarden.com", "BitwardenSecret", &["spec", "secretName"]),
    ("cert-manager.io", "Issuer", &["spec", "acme", "privateKeySecretRef", "name"]),
    ("cert-manager.io", "ClusterIssuer", &["spec", "acme", "privateKeySecretRef", "name"]),
];

/// Labels and annotations by which a controller is asked to fill an object; its keys are then not known.
const FILLED: [&str; 8] = [
    "config.openshift.io/inject-trusted-cabundle",
    "service.beta.openshift.io/inject-cabundle",
    "service.alpha.openshift.io/inject-cabundle",
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
    "secret-generator.v1.mittwald.de/autogenerate",
    "avp.kubernetes.io/path",
    "vault.security.banzaicloud.io/vault-addr",
];

/// What cert-manager writes into a Secret, all options included.
const CERTIFICATE: [&str; 9] = [
    "tls.crt",
    "tls.key",
    "ca.crt",
    "keystore.jks",
    "keystore.p12",
    "truststore.jks",
    "truststore.p12",
    "tls-combined.pem",
    "key.der",
];

/// The Secrets and `ConfigMaps` that an object provides.
pub(super) fn provided(node: &Node, object: &Object, further: &[Provider]) -> Vec<Provided> {
    let mut maker = Maker { node, object, made: Vec::new() };
    maker.look();
    for provider in further {
        maker.configured(provider);
    }
    maker.made
}

impl<'a> Maker<'a> {
    /// What the configuration says that a controller makes for an object of this kind.
    fn configured(&mut self, provider: &Provider) {
        let group = self.object.api_version.split_once('/').map_or("", |(group, _)| group);
        let is_meant =
            self.object.kind == provider.kind && provider.group.as_deref().is_none_or(|wanted| wanted == group);
        let find = |path: &[String]| path.iter().try_fold(self.node, |node, key| node.get(key));
        let Some(name) = find(&provider.name).filter(|_| is_meant) else { return };
        let keys = provider.keys.as_deref().and_then(find).map(|keys| match keys.as_mapping() {
            Some(mapping) => mapping.iter().map(|(key, _)| key.text.to_string()).collect(),
            None => {
                keys.as_sequence().unwrap_or_default().iter().filter_map(Node::as_text).map(str::to_owned).collect()
            }
        });
        let kind = if provider.rule == "config/missing" { ReferenceKind::ConfigMap } else { ReferenceKind::Secret };
        self.made.push(Provided {
            kind,
            name: name.as_text().unwrap_or_default().to_owned(),
            namespace: Namespace::Named(self.object.namespace.clone()),
            keys,
            adds: false,
            by: self.object.kind.clone(),
            origin: name.origin.clone(),
        });
    }

    fn look(&mut self) {
        let group = self.object.api_version.split_once('/').map_or("", |(group, _)| group);
        let kind = self.object.kind.as_str();
        match (group, kind) {
            ("", "Secret") => {
                let keys = self.keys(&[&["data"], &["stringData"]]);
                let is_token = text(self.node, "type") == "kubernetes.io/service-account-token";
                self.own("", ReferenceKind::Secret, (!is_token && !self.is_filled()).then_some(keys));
            }
            ("", "ConfigMap") => {
                let keys = self.keys(&[&["data"], &["binaryData"]]);
                self.own("", ReferenceKind::ConfigMap, (!self.is_filled()).then_some(keys));
            }
            ("external-secrets.io", "ClusterExternalSecret") => {
                let name = self.node.find(&["spec", "externalSecretName"]);
                let spec = self.node.find(&["spec", "externalSecretSpec"]);
                let target = spec.and_then(|spec| spec.find(&["target", "name"]));
                self.external_secret(spec, target.or(name));
                self.made.iter_mut().for_each(|made| made.namespace = Namespace::Selected);
            }
            ("external-secrets.io" | "kubernetes-client.io", "ExternalSecret") => {
                let spec = self.node.get("spec");
                self.external_secret(spec, spec.and_then(|spec| spec.find(&["target", "name"])));
            }
            ("bitnami.com", "SealedSecret") => {
                let keys = self.keys(&[&["spec", "encryptedData"], &["spec", "template", "data"]]);
                self.own("", ReferenceKind::Secret, Some(keys));
            }
            ("cert-manager.io" | "certmanager.k8s.io", "Certificate") => {
                let name = self.node.find(&["spec", "secretName"]);
                self.named(name, ReferenceKind::Secret, Some(CERTIFICATE.map(str::to_owned).to_vec()));
            }
            ("trust.cert-manager.io", "Bundle") => {
                for (field, kind) in [("configMap", ReferenceKind::ConfigMap), ("secret", ReferenceKind::Secret)] {
                    if self.node.find(&["spec", "target", field]).is_some() {
                        self.own("", kind, None);
                    }
                }
                self.made.iter_mut().for_each(|made| made.namespace = Namespace::Selected);
            }
            ("acid.zalan.do", "postgresql") => {
                let users = self.node.find(&["spec", "users"]).and_then(Node::as_mapping);
                for (user, _) in users.into_iter().flat_map(Mapping::iter) {
                    let user = user.text.replace('_', "-");
                    let name = format!("{user}.{}.credentials.postgresql.acid.zalan.do", self.object.name);
                    self.make(name, ReferenceKind::Secret, None, self.node.origin.clone());
                }
            }
            ("postgres-operator.crunchydata.com", "PostgresCluster") => {
                let users = self.list(&["spec", "users"]).iter().map(|user| text(user, "name"));
                let users: Vec<String> = users.chain([self.object.name.clone()]).collect();
                for user in users {
                    let name = format!("{}-pguser-{user}", self.object.name);
                    self.make(name, ReferenceKind::Secret, None, self.node.origin.clone());
                }
            }
            ("isindir.github.com", "SopsSecret") => {
                for template in self.list(&["spec", "secretTemplates"]) {
                    self.named(template.get("name"), ReferenceKind::Secret, None);
                }
            }
            ("secrets-store.csi.x-k8s.io", "SecretProviderClass") => {
                for secret in self.list(&["spec", "secretObjects"]) {
                    let data = secret.get("data").and_then(Node::as_sequence).unwrap_or_default();
                    let keys = data.iter().map(|datum| text(datum, "key")).collect();
                    self.named(secret.get("secretName"), ReferenceKind::Secret, Some(keys));
                }
            }
            // cert-manager makes the certificates of ingresses that name an issuer.
            ("networking.k8s.io" | "extensions", "Ingress") => {
                let issuers = ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme"];
                if issuers.iter().any(|issuer| self.mark(issuer).is_some()) {
                    for tls in self.list(&["spec", "tls"]) {
                        self.named(tls.get("secretName"), ReferenceKind::Secret, None);
                    }
                }
            }
            ("", "Service") => {
                let annotation = self.mark("service.beta.openshift.io/serving-cert-secret-name");
                self.named(annotation, ReferenceKind::Secret, Some(vec!["tls.crt".to_owned(), "tls.key".to_owned()]));
            }
            _ => {
                for (_, _, endings) in NAMED_AFTER.iter().filter(|known| (known.0, known.1) == (group, kind)) {
                    for ending in *endings {
                        self.own(ending, ReferenceKind::Secret, None);
                    }
                }
                for (_, _, path) in NAMED_BY.iter().filter(|known| (known.0, known.1) == (group, kind)) {
                    self.named(self.node.find(path), ReferenceKind::Secret, None);
                }
                if kind == "ObjectBucketClaim" && group == "objectbucket.io" {
                    self.own("", ReferenceKind::ConfigMap, None);
                }
                self.connection_secret();
            }
        }
    }

    /// What Crossplane writes for whoever connects; its kinds are made by users.
    fn connection_secret(&mut self) {
        let Some(target) = self.node.find(&["spec", "writeConnectionSecretToRef"]) else { return };
        let before = self.made.len();
        self.named(target.get("name"), ReferenceKind::Secret, None);
        let namespace = text(target, "namespace");
        if !namespace.is_empty() {
            self.made[before..].iter_mut().for_each(|made| made.namespace = Namespace::Named(namespace.clone()));
        }
    }

    fn external_secret(&mut self, spec: Option<&'a Node>, name: Option<&'a Node>) {
        let find = |path: &[&str]| spec.and_then(|spec| spec.find(path));
        let policy = find(&["target", "creationPolicy"]).and_then(Node::as_text);
        if policy == Some("None") {
            return;
        }
        let list = |path: &[&str]| find(path).and_then(Node::as_sequence).unwrap_or_default();
        let mut keys: Vec<String> = list(&["data"]).iter().map(|datum| text(datum, "secretKey")).collect();
        let template = find(&["target", "template", "data"]).and_then(Node::as_mapping);
        let template: Vec<String> =
            template.into_iter().flat_map(Mapping::iter).map(|(key, _)| key.text.to_string()).collect();
        let merges = find(&["target", "template", "mergePolicy"]).and_then(Node::as_text) == Some("Merge");
        let is_opaque = !list(&["dataFrom"]).is_empty() || find(&["target", "template", "templateFrom"]).is_some();
        // A template replaces the fetched keys unless it says that it adds to them.
        if !template.is_empty() && !merges {
            keys.clear();
        }
        keys.extend(template);
        self.named(
            name.or_else(|| self.node.find(&["metadata", "name"])),
            ReferenceKind::Secret,
            (!is_opaque).then_some(keys),
        );
        // It fills a Secret that something else must make.
        self.made.iter_mut().for_each(|made| made.adds = policy == Some("Merge"));
    }

    /// An object of the same name, with an ending.
    fn own(&mut self, ending: &str, kind: ReferenceKind, keys: Option<Vec<String>>) {
        let Some(name) = self.node.find(&["metadata", "name"]) else { return };
        let Some(text) = name.as_text().filter(|text| !text.is_empty()) else { return };
        self.make(format!("{text}{ending}"), kind, keys, name.origin.clone());
    }

    /// An object that a field names.
    fn named(&mut self, name: Option<&Node>, kind: ReferenceKind, keys: Option<Vec<String>>) {
        let Some(name) = name else { return };
        if let Some(text) = name.as_text().filter(|text| !text.is_empty()) {
            self.make(text.to_owned(), kind, keys, name.origin.clone());
        }
    }

    fn make(&mut self, name: String, kind: ReferenceKind, keys: Option<Vec<String>>, origin: Origin) {
        let namespace = Namespace::Named(self.object.namespace.clone());
        self.made.push(Provided { kind, name, namespace, keys, adds: false, by: self.object.kind.clone(), origin });
    }

    fn list(&self, path: &[&str]) -> &'a [Node] {
        self.node.find(path).and_then(Node::as_sequence).unwrap_or_default()
    }

    fn keys(&self, paths: &[&[&str]]) -> Vec<String> {
        let mappings = paths.iter().filter_map(|path| self.node.find(path).and_then(Node::as_mapping));
        mappings.flat_map(Mapping::iter).map(|(key, _)| key.text.to_string()).collect()
    }

    /// A label or an annotation.
    fn mark(&self, name: &str) -> Option<&'a Node> {
        let marks = |place: &str| self.node.find(&["metadata", place]).and_then(|marks| marks.get(name));
        marks("annotations").or_else(|| marks("labels"))
    }

    fn is_filled(&self) -> bool {
        FILLED.iter().any(|mark| self.mark(mark).is_some())
    }
}
