//! Where images and charts stand besides pod specs: one table of kinds and fields, and the usual forms in custom resources.

use super::image::Image;
use super::state::{Role, UsedImage, text};
use crate::config::ImagePlace;
use crate::finding::Object;
use crate::kustomize::{chart_identity, split_image};
use crate::yaml::{Mapping, Node, Origin, Value, pointer_token};

/// Groups whose objects hold patterns of images, and not images.
const PATTERNS: [&str; 6] = [
    "kyverno.io",
    "policies.kyverno.io",
    "templates.gatekeeper.sh",
    "constraints.gatekeeper.sh",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
];

/// Groups of Kubernetes itself: what runs there stands in pod specs.
const BUILT_IN: [&str; 14] = [
    "",
    "apps",
    "batch",
    "autoscaling",
    "policy",
    "extensions",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "certificates.k8s.io",
    "events.k8s.io",
];

/// Keys of custom resources whose value is an image, besides `image`.
const IMAGE_KEYS: [&str; 7] =
    ["imageName", "bundle", "baseImage", "pgBackRestImage", "agentImage", "clusterImage", "postgresImage"];

/// Kinds of which an operator runs the version that they name: group, kind, and the way to the version.
const RUN_BY_VERSION: [(&str, &str, &[&str]); 12] = [
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", &["spec", "version"]),
    ("kibana.k8s.elastic.co", "Kibana", &["spec", "version"]),
    ("logstash.k8s.elastic.co", "Logstash", &["spec", "version"]),
    ("beat.k8s.elastic.co", "Beat", &["spec", "version"]),
    ("agent.k8s.elastic.co", "Agent", &["spec", "version"]),
    ("apm.k8s.elastic.co", "ApmServer", &["spec", "version"]),
    ("kafka.strimzi.io", "Kafka", &["spec", "kafka", "version"]),
    ("grafana.integreatly.org", "Grafana", &["spec", "version"]),
    ("mongodbcommunity.mongodb.com", "MongoDBCommunity", &["spec", "version"]),
    ("fluxcd.controlplane.io", "FluxInstance", &["spec", "distribution", "version"]),
    ("clickhouse.altinity.com", "ClickHouseInstallation", &["spec", "version"]),
    ("k8s.keycloak.org", "Keycloak", &["spec", "version"]),
];

/// Finds what an object names outside of pod specs.
pub(super) fn find(node: &Node, object: &Object, further: &[ImagePlace], images: &mut Vec<UsedImage>) {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    for place in further.iter().filter(|place| !place.is_ignored && is_of_kind(object, place)) {
        at_place(node, &place.path, object, String::new(), images);
    }
    if PATTERNS.contains(&group) {
        return;
    }
    let mut finder = Finder { object, chart: String::new(), images };
    match (group, object.kind.as_str()) {
        ("argoproj.io", "Application") => finder.application(node.get("spec"), "/spec"),
        ("argoproj.io", "ApplicationSet") => {
            finder.application(node.find(&["spec", "template", "spec"]), "/spec/template/spec");
        }
        ("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let spec = node.find(&["spec", "chart", "spec"]);
            if let Some(spec) = spec {
                let source = spec.find(&["sourceRef", "name"]).and_then(Node::as_text).unwrap_or_default();
                finder.chart(source, spec.get("chart"), spec.get("version"), "/spec/chart/spec/version");
            }
            finder.chart = chart_of(node).unwrap_or_default();
            if let Some(values) = node.find(&["spec", "values"]) {
                finder.values(values, "/spec/values");
            }
        }
        ("source.toolkit.fluxcd.io", "HelmChart") => {
            let source = node.find(&["spec", "sourceRef", "name"]).and_then(Node::as_text).unwrap_or_default();
            let spec = node.get("spec");
            let field = |name: &str| spec.and_then(|spec| spec.get(name));
            finder.chart(source, field("chart"), field("version"), "/spec/version");
        }
        ("source.toolkit.fluxcd.io", "OCIRepository" | "GitRepository") => {
            let role = if object.kind == "OCIRepository" { Role::Chart } else { Role::Source };
            let versions = ["digest", "commit", "tag", "semver", "branch"];
            let version = versions.iter().find_map(|name| node.find(&["spec", "ref", name]));
            if let Some(url) = node.find(&["spec", "url"]) {
                let version = version.or_else(|| node.find(&["spec", "ref", "name"]));
                finder.source(role, url, version, "/spec/ref");
            }
        }
        ("operators.coreos.com", "Subscription") => finder.subscription(node),
        _ if RUN_BY_VERSION.iter().any(|(known, kind, _)| *known == group && *kind == object.kind) => {
            let fields = RUN_BY_VERSION.iter().find(|(known, kind, _)| *known == group && *kind == object.kind);
            if let Some(version) = fields.and_then(|(.., path)| node.find(path)) {
                let identity = format!("{group}/{}", object.kind);
                finder.versioned(Role::Operator, &identity, version, true, "/spec/version");
            }
            finder.values(node, "");
        }
        ("image.openshift.io", "ImageStream") => {
            let tags = node.find(&["spec", "tags"]).and_then(Node::as_sequence).unwrap_or_default();
            for (at, tag) in tags.iter().enumerate() {
                let from = tag.get("from").filter(|from| text(from, "kind") == "DockerImage");
                if let Some(name) = from.and_then(|from| from.get("name")) {
                    finder.reference(name, "tag", format!("/spec/tags/{at}/from/name"));
                }
            }
        }
        ("upgrade.cattle.io", "Plan") => {
            let version = node.find(&["spec", "version"]);
            if let (Some(image), Some(version)) = (node.find(&["spec", "upgrade", "image"]), version) {
                let (name, tag) = (image.as_text().unwrap_or_default(), version.as_text().unwrap_or_default());
                finder.add(
                    Image::parse(&format!("{name}:{tag}")),
                    "upgrade",
                    "/spec/version".to_owned(),
                    &version.origin,
                );
            }
        }
        _ if BUILT_IN.contains(&group) => {}
        _ => finder.values(node, ""),
    }
}

/// Values of a chart that stand apart from the object that names it.
pub(super) fn in_values(values: &Node, object: &Object, chart: String, images: &mut Vec<UsedImage>) {
    Finder { object, chart, images }.values(values, "");
}

/// The chart that a `HelmRelease` installs.
pub(super) fn chart_of(release: &Node) -> Option<String> {
    if let Some(spec) = release.find(&["spec", "chart", "spec"]) {
        let source = spec.find(&["sourceRef", "name"]).and_then(Node::as_text).unwrap_or_default();
        return Some(chart_identity(source, &text(spec, "chart")));
    }
    release.find(&["spec", "chartRef", "name"]).and_then(Node::as_text).map(|name| chart_identity("", name))
}

/// Images in environment variables that are called after one: whole references, or a name with its version in a variable beside
/// it (`X_IMAGE` and `X_VERSION`).
pub(super) fn in_variables(container: &Node, object: &Object, path: &str) -> Vec<UsedImage> {
    let mut images = Vec::new();
    let mut finder = Finder { object, chart: String::new(), images: &mut images };
    let variables = container.get("env").and_then(Node::as_sequence).unwrap_or_default();
    let value_of = |name: &str| {
        let found = variables.iter().enumerate().find(|(_, variable)| text(variable, "name") == name);
        found.and_then(|(at, variable)| Some((at, variable.get("value")?)))
    };
    for (at, variable) in variables.iter().enumerate() {
        let name = text(variable, "name");
        let Some(value) = variable.get("value").filter(|_| name.contains("IMAGE")) else { continue };
        let Some(reference) = value.as_text().filter(|text| is_reference(text)) else { continue };
        let beside = ["VERSION", "TAG"].iter().find_map(|word| value_of(&name.replace("IMAGE", word)));
        let is_bare = split_image(reference).tag.is_empty() && split_image(reference).digest.is_empty();
        match beside.filter(|_| is_bare) {
            Some((at, version)) => {
                let image = Image::parse(&format!("{reference}:{}", version.as_text().unwrap_or_default()));
                finder.add(image, &name, format!("{path}/env/{at}/value"), &version.origin);
            }
            None => finder.reference(value, &name, format!("{path}/env/{at}/value")),
        }
    }
    images
}

/// Images in arguments that are called after one: `--solver-image=REFERENCE`, or the reference behind `--solver-image`.
pub(super) fn in_arguments(container: &Node, object: &Object, path: &str) -> Vec<UsedImage> {
    let mut images = Vec::new();
    let mut finder = Finder { object, chart: String::new(), images: &mut images };
    for list in ["command", "args"] {
        let mut is_named = false;
        for (at, argument) in container.get(list).and_then(Node::as_sequence).unwrap_or_default().iter().enumerate() {
            let text = argument.as_text().unwrap_or_default();
            let names_image = |name: &str| name.starts_with('-') && name.to_lowercase().ends_with("image");
            let path = format!("{path}/{list}/{at}");
            match text.split_once('=') {
                Some((name, value)) if names_image(name) && is_reference(value) => {
                    finder.add(Image::parse(value), name.trim_start_matches('-'), path, &argument.origin);
                }
                _ if is_named && is_reference(text) => finder.reference(argument, list, path),
                _ => {}
            }
            is_named = names_image(text);
        }
    }
    images
}

fn is_of_kind(object: &Object, place: &ImagePlace) -> bool {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    object.kind == place.kind && place.group.as_ref().is_none_or(|wanted| wanted == group)
}

/// The images at a configured place: whatever text stands there. What was found there already is not found twice.
fn at_place(node: &Node, keys: &[String], object: &Object, path: String, images: &mut Vec<UsedImage>) {
    if let Some(items) = node.as_sequence() {
        for (at, item) in items.iter().enumerate() {
            at_place(item, keys, object, format!("{path}/{at}"), images);
        }
        return;
    }
    let Some((key, rest)) = keys.split_first() else {
        let is_known = images.iter().any(|known| known.path == path && known.object == *object);
        if let Some(text) = node.as_text().filter(|text| !text.is_empty() && !is_known) {
            let user = path.rsplit('/').next().unwrap_or_default().to_owned();
            let (image, origin) = (Image::parse(text), node.origin.clone());
            images.push(UsedImage { image, user, role: Role::Field, object: object.clone(), path, origin });
        }
        return;
    };
    if let Some(inner) = node.get(key) {
        at_place(inner, rest, object, format!("{path}/{}", pointer_token(key)), images);
    }
}

/// Whether the configuration says that what stands at a place is no image.
pub(super) fn is_ignored(used: &UsedImage, places: &[ImagePlace]) -> bool {
    let keys = || used.path.split('/').skip(1).filter(|key| key.parse::<usize>().is_err());
    let is_at =
        |place: &ImagePlace| keys().zip(&place.path).filter(|(key, wanted)| key == wanted).count() == place.path.len();
    places.iter().any(|place| place.is_ignored && is_of_kind(&used.object, place) && is_at(place))
}

struct Finder<'a> {
    object: &'a Object,
    /// The chart whose values are looked through; empty where it is not known.
    chart: String,
    images: &'a mut Vec<UsedImage>,
}

impl Finder<'_> {
    /// An Argo CD source, or several.
    fn application(&mut self, spec: Option<&Node>, path: &str) {
        let Some(spec) = spec else { return };
        let several = spec.get("sources").and_then(Node::as_sequence).unwrap_or_default();
        let several = several.iter().enumerate().map(|(at, source)| (source, format!("{path}/sources/{at}")));
        let all: Vec<_> = several.chain(spec.get("source").map(|source| (source, format!("{path}/source")))).collect();
        for (source, path) in all {
            self.chart = match source.get("chart").and_then(Node::as_text) {
                Some(chart) => chart_identity(&text(source, "repoURL"), chart),
                None => chart_identity(&text(source, "repoURL"), &text(source, "path")),
            };
            if source.get("chart").is_some() {
                let place = format!("{path}/targetRevision");
                self.chart(&text(source, "repoURL"), source.get("chart"), source.get("targetRevision"), &place);
            }
            if let Some(values) = source.find(&["helm", "valuesObject"]) {
                self.values(values, &format!("{path}/helm/valuesObject"));
            }
            let parameters = source.find(&["helm", "parameters"]).and_then(Node::as_sequence).unwrap_or_default();
            self.parameters(parameters, &format!("{path}/helm/parameters"));
            let replaced = source.find(&["kustomize", "images"]).and_then(Node::as_sequence).unwrap_or_default();
            for (at, image) in replaced.iter().enumerate() {
                let written = image.as_text().unwrap_or_default();
                let new = written.split_once('=').map_or(written, |(_, new)| new);
                if is_reference(new) {
                    let path = format!("{path}/kustomize/images/{at}");
                    self.add(Image::parse(new), "kustomize.images", path, &image.origin);
                }
            }
        }
    }

    /// Helm parameters by name, such as `image.repository` and `image.tag`.
    fn parameters(&mut self, parameters: &[Node], path: &str) {
        let value = |name: &str| {
            let found = parameters.iter().enumerate().find(|(_, parameter)| text(parameter, "name") == name);
            found.and_then(|(at, parameter)| Some((at, parameter.get("value")?)))
        };
        for (at, parameter) in parameters.iter().enumerate() {
            let name = text(parameter, "name");
            let Some(holder) = name.strip_suffix(".tag").or_else(|| name.strip_suffix(".digest")) else { continue };
            let Some(version) = parameter.get("value") else { continue };
            let Some((_, repository)) = value(&format!("{holder}.repository")) else {
                self.of_chart(holder, version, name.ends_with(".digest"), format!("{path}/{at}/value"));
                continue;
            };
            let mark = if name.ends_with(".digest") { '@' } else { ':' };
            let (repository, text) = (repository.as_text().unwrap_or_default(), version.as_text().unwrap_or_default());
            let image = Image::parse(&format!("{repository}{mark}{text}"));
            self.add(image, holder, format!("{path}/{at}/value"), &version.origin);
        }
    }

    fn subscription(&mut self, node: &Node) {
        let spec = |name: &str| node.find(&["spec", name]);
        let Some(name) = spec("name") else { return };
        let is_automatic = spec("installPlanApproval").and_then(Node::as_text) != Some("Manual");
        let version = if is_automatic { spec("channel") } else { spec("startingCSV").or_else(|| spec("channel")) };
        let catalog = spec("source").and_then(Node::as_text).unwrap_or_default();
        let identity = format!("operators.{catalog}/{}", name.as_text().unwrap_or_default());
        self.versioned(Role::Operator, &identity, version.unwrap_or(name), version.is_some(), "/spec/channel");
    }

    fn chart(&mut self, source: &str, name: Option<&Node>, version: Option<&Node>, path: &str) {
        let Some(name) = name else { return };
        let identity = chart_identity(source, name.as_text().unwrap_or_default());
        self.versioned(Role::Chart, &identity, version.unwrap_or(name), version.is_some(), path);
    }

    fn source(&mut self, role: Role, url: &Node, version: Option<&Node>, path: &str) {
        let written = url.as_text().unwrap_or_default();
        let place = written.split_once("://").map_or(written, |(_, place)| place);
        let place = place.split_once('@').map_or(place, |(_, place)| place).trim_end_matches('/').replace(':', "/");
        let identity = place.strip_suffix(".git").unwrap_or(&place);
        self.versioned(role, identity, version.unwrap_or(url), version.is_some(), path);
    }

    fn versioned(&mut self, role: Role, identity: &str, place: &Node, has_version: bool, path: &str) {
        let tag = place.as_text().filter(|_| has_version).map(str::to_owned);
        let reference = match &tag {
            Some(tag) => format!("{identity} {tag}"),
            None => identity.to_owned(),
        };
        let image = Image { reference, repository: identity.to_owned(), tag, digest: None };
        self.push(image, role, identity, path.to_owned(), &place.origin);
    }

    /// Images in free-form values: under `image`, or as repository and tag.
    fn values(&mut self, node: &Node, path: &str) {
        match &node.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.values(item, &format!("{path}/{at}"));
                }
            }
            Value::Mapping(mapping) => {
                self.repository_and_tag(mapping, path);
                for (key, value) in mapping.iter() {
                    let inner = format!("{path}/{}", pointer_token(&key.text));
                    // Pod specs are looked at as such.
                    if matches!(&*key.text, "containers" | "initContainers" | "ephemeralContainers") {
                        continue;
                    }
                    let is_image = &*key.text == "image" || IMAGE_KEYS.contains(&&*key.text);
                    if is_image && value.as_text().is_some_and(is_reference) {
                        let name = mapping.get("name").and_then(Node::as_text).unwrap_or(&key.text).to_owned();
                        self.reference(value, &name, inner);
                    } else {
                        self.values(value, &inner);
                    }
                }
            }
        }
    }

    /// `registry`, `repository`, `tag` and `digest` beside each other, as charts have them.
    fn repository_and_tag(&mut self, mapping: &Mapping, path: &str) {
        let field = |name: &str| mapping.get(name).filter(|node| node.as_text().is_some_and(|text| !text.is_empty()));
        let text = |node: Option<&Node>| node.and_then(Node::as_text).unwrap_or_default().to_owned();
        let Some(repository) = field("repository").or_else(|| field("image")) else {
            let is_image = path.to_lowercase().ends_with("image");
            let version = field("digest").or_else(|| field("tag")).filter(|_| is_image);
            if let Some(version) = version {
                let holder = path.rsplit_once("/values/").map_or(path, |(_, holder)| holder);
                let holder = holder.trim_start_matches('/').replace('/', ".");
                let is_digest = field("digest").is_some();
                let field = if is_digest { "digest" } else { "tag" };
                self.of_chart(&holder, version, is_digest, format!("{path}/{field}"));
            }
            return;
        };
        let split = field("repository").zip(field("image")).zip(field("version"));
        let (tag, digest) = (field("tag").or(split.map(|(_, version)| version)), field("digest"));
        let Some(place) = digest.or(tag) else { return };
        let name = match (split, field("registry")) {
            (Some(((repository, image), _)), _) => format!("{}/{}", text(Some(repository)), text(Some(image))),
            (_, Some(registry)) => format!("{}/{}", text(Some(registry)), text(Some(repository))),
            _ => text(Some(repository)),
        };
        let mut reference = name;
        for (mark, part) in [(':', text(tag)), ('@', text(digest))] {
            if !part.is_empty() {
                reference.push(mark);
                reference.push_str(&part);
            }
        }
        if is_reference(&reference) {
            let field = match (digest, split) {
                (Some(_), _) => "digest",
                (None, Some(_)) => "version",
                (None, None) => "tag",
            };
            let user = path.rsplit('/').next().unwrap_or_default();
            self.add(Image::parse(&reference), user, format!("{path}/{field}"), &place.origin);
        }
    }

    /// A tag or a digest under `holder` in the values of a chart that names the image itself.
    fn of_chart(&mut self, holder: &str, version: &Node, is_digest: bool, path: String) {
        let text = version.as_text().unwrap_or_default();
        if self.chart.is_empty() || text.is_empty() {
            return;
        }
        let repository = format!("{}#{holder}", self.chart);
        let (mark, tag, digest) = if is_digest {
            ('@', None, Image::parse(&format!("i@{text}")).digest)
        } else {
            (':', Some(text.to_owned()), None)
        };
        let reference = format!("{repository}{mark}{text}");
        self.push(Image { reference, repository, tag, digest }, Role::Value, holder, path, &version.origin);
    }

    fn reference(&mut self, node: &Node, user: &str, path: String) {
        self.add(Image::parse(node.as_text().unwrap_or_default()), user, path, &node.origin);
    }

    fn add(&mut self, image: Image, user: &str, path: String, origin: &Origin) {
        self.push(image, Role::Field, user, path, origin);
    }

    fn push(&mut self, image: Image, role: Role, user: &str, path: String, origin: &Origin) {
        let (object, origin) = (self.object.clone(), origin.clone());
        self.images.push(UsedImage { image, user: user.to_owned(), role, object, path, origin });
    }
}

/// Whether a text can only be meant as an image: a name in lower case, and a registry, a folder, a tag or a digest.
pub(super) fn is_reference(text: &str) -> bool {
    let parts = split_image(text);
    let is_path = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-:".contains(&byte))
    };
    let is_tag = |tag: &str| tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
    let is_qualified = parts.name.contains('/') || !parts.tag.is_empty() || !parts.digest.is_empty();
    is_qualified && parts.name.split('/').all(is_path) && is_tag(parts.tag) && !text.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;
    use crate::yaml::{Dialect, Source, Step, parse};

    fn found(text: &str) -> Vec<String> {
        let files = Files::default();
        let file = files.add(&RepoPath::new("a.yaml").unwrap(), ContentId::of(text.as_bytes()), text);
        let node = &parse(&Source::file(file, text), Step::File, Dialect::Resource).unwrap()[0];
        let mut images = Vec::new();
        let place = |kind: &str, path: &[&str], is_ignored| ImagePlace {
            kind: kind.to_owned(),
            group: None,
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            is_ignored,
        };
        let further =
            [place("Engine", &["spec", "parts", "runs"], false), place("Cluster", &["spec", "notImage"], true)];
        find(node, &super::super::state::describe(node), &further, &mut images);
        images.retain(|used| !is_ignored(used, &further));
        images.iter().map(|used| used.image.reference.clone()).collect()
    }

    #[test]
    fn images_are_found_wherever_they_stand() {
        for (text, expected) in [
            (
                "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {imageName: \"ghcr.io/x/pg:16\"}\n",
                &["ghcr.io/x/pg:16"][..],
            ),
            (
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {chart: {spec: {chart: redis, version: 1.2.3, \
                 sourceRef: {name: bitnami}}}, values: {image: {registry: ghcr.io, repository: x/redis, tag: \"7\"}}}\n",
                &["bitnami/redis 1.2.3", "ghcr.io/x/redis:7"],
            ),
            (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {repoURL: \"https://c.example\", chart: web, \
                 targetRevision: 2.0.0, helm: {parameters: [{name: image.repository, value: x/web}, {name: image.tag, value: v3}]}, \
                 kustomize: {images: [\"a/b=c/d:1\"]}}}\n",
                &["c.example/web 2.0.0", "x/web:v3", "c/d:1"],
            ),
            (
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {chartRef: {name: web}, values: {a: {image: {tag: v2}}, \
                 b: {tag: v3}}}\n",
                &["charts/web#a.image:v2"],
            ),
            (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {repoURL: \"https://c.example/x\", path: web, \
                 helm: {parameters: [{name: image.tag, value: v3}]}}}\n",
                &["c.example/x/web#image:v3"],
            ),
            ("apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{name: a, image: \"x/y:1\"}]}\n", &["x/y:1"]),
            ("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {image: \"x/y:1\"}\n", &[]),
            (
                "apiVersion: x.example/v1\nkind: Policy\nspec: {driver: {repository: a.io/b, image: driver, version: 1.2.3}}\n",
                &["a.io/b/driver:1.2.3"],
            ),
            (
                "apiVersion: kibana.k8s.elastic.co/v1\nkind: Kibana\nspec: {version: 8.1.0, image: \"a.io/kibana:8.1.0\"}\n",
                &["kibana.k8s.elastic.co/Kibana 8.1.0", "a.io/kibana:8.1.0"],
            ),
            ("apiVersion: x.example/v1\nkind: Engine\nspec: {parts: [{runs: a}, {runs: b/c}]}\n", &["a", "b/c"]),
            (
                "apiVersion: x.example/v1\nkind: Cluster\nspec: {image: \"x/y:1\", notImage: {image: \"x/z:1\"}}\n",
                &["x/y:1"],
            ),
            ("apiVersion: v1\nkind: ConfigMap\ndata: {image: \"x/y:1\"}\n", &[]),
            (
                "apiVersion: operators.coreos.com/v1alpha1\nkind: Subscription\nspec: {name: op, source: cat, channel: stable}\n",
                &["operators.cat/op stable"],
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn references_are_told_from_other_texts() {
        for reference in ["a/b", "a:1", "localhost:5000/a/b:1", "a@sha256:ab"] {
            assert!(is_reference(reference), "{reference}");
        }
        for other in ["nginx", "https://a/b", "A/b:1", "a b:1", "{{ .x }}/y:1", "/a/b", "*/b:1", ""] {
            assert!(!is_reference(other), "{other}");
        }
    }
}
