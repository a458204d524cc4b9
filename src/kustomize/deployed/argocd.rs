//! Argo CD's `Application`: what its sources deploy, and what they change (`reposerver/repository`, `util/kustomize`).

use super::projects::Application;
use super::{Deployer, Identity, folder, kind_of, text};
use crate::config::Controller;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::Image;
use crate::kustomize::transform::images::split;
use crate::yaml::{Key, Mapping, Node, Origin, Scalar, Step, Value};

const GROUP: &str = "argoproj.io";

/// Fields of `kustomize` that change the folder's kustomization, and what they are called there.
const CHANGES: [(&str, &str); 7] = [
    ("namePrefix", "namePrefix"),
    ("nameSuffix", "nameSuffix"),
    ("namespace", "namespace"),
    ("commonAnnotations", "commonAnnotations"),
    ("replicas", "replicas"),
    ("patches", "patches"),
    ("components", "components"),
];

/// What an object deploys; nothing where it is no such object.
pub(super) fn deployers(node: &Node) -> Vec<Deployer> {
    if kind_of(node) != ("Application".to_owned(), GROUP.to_owned()) {
        return Vec::new();
    }
    of_application(node).unwrap_or_default()
}

/// What an `Application`, or what an `ApplicationSet` makes, deploys.
pub(super) fn of_application(node: &Node) -> Option<Vec<Deployer>> {
    let identity = Identity::of(node)?;
    let spec = node.get("spec")?;
    let several = spec.get("sources").and_then(Node::as_sequence).unwrap_or_default();
    let sources = several.iter().chain(spec.get("source"));
    let destination = ["name", "server", "namespace"].map(|field| text(spec, &["destination", field]));
    let deployers = sources.filter(|source| is_of_the_branch(source)).filter_map(|source| {
        let mut deployer = identity.deployer(Controller::ArgoCd, folder(source.get("path")?)?);
        deployer.destination.extend(destination.iter().cloned());
        deployer.application = Some(Application::of(spec));
        if let Some(kustomize) = source.get("kustomize") {
            deployer.changes.take(kustomize, &CHANGES);
            deployer.changes.fields.extend(labels(kustomize).map(|node| ("labels", node)));
            let images = kustomize.get("images").and_then(Node::as_sequence).unwrap_or_default();
            deployer.changes.images.extend(images.iter().filter_map(image));
        }
        let directory = source.get("directory");
        let recurse = directory.and_then(|node| node.get("recurse")).and_then(Node::as_text);
        deployer.changes.is_recursive = recurse == Some("true");
        let value_files = source.find(&["helm", "valueFiles"]).and_then(Node::as_sequence).unwrap_or_default();
        deployer.changes.value_files.extend(value_files.iter().filter_map(Node::as_text).map(str::to_owned));
        for field in ["jsonnet", "include", "exclude"] {
            let found = directory.and_then(|node| node.get(field)).filter(|node| super::says_something(node));
            deployer.changes.unfollowed.extend(found.cloned().map(|node| (field, node)));
        }
        deployer.changes.unfollowed.extend(source.get("plugin").cloned().map(|node| ("plugin", node)));
        Some(deployer)
    });
    Some(deployers.collect())
}

/// Whether a source follows a branch. A tag or a commit is what was there once, and not what is here.
fn is_of_the_branch(source: &Node) -> bool {
    let revision = text(source, &["targetRevision"]);
    let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_version = revision.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit())
        && revision.contains('.')
        || revision.starts_with("refs/tags/");
    !is_commit && !is_version
}

/// `commonLabels` as an entry of `labels`: what `kustomize edit add label` makes of them.
fn labels(kustomize: &Node) -> Option<Node> {
    let pairs = kustomize.get("commonLabels").filter(|node| super::says_something(node))?;
    let flag = |name: &str| kustomize.get(name).and_then(Node::as_text) == Some("true");
    let span = pairs.origin.span;
    let word = |value: bool| Node {
        value: Value::Scalar(Scalar::plain(if value { "true" } else { "false" })),
        origin: Origin::new(span, Step::File),
    };
    let mapping: Mapping = [
        (Key::plain("pairs", span), pairs.clone()),
        (Key::plain("includeSelectors", span), word(!flag("labelWithoutSelector"))),
        (Key::plain("includeTemplates", span), word(flag("labelIncludeTemplates"))),
    ]
    .into_iter()
    .collect();
    let entry = Node { value: Value::Mapping(mapping.into()), origin: Origin::new(span, Step::File) };
    Some(Node { value: Value::Sequence(vec![entry].into()), origin: Origin::new(span, Step::File) })
}

/// An image as `kustomize edit set image` takes it: `[NAME=]REPOSITORY[:TAG][@DIGEST]`.
fn image(node: &Node) -> Option<Image> {
    let span = node.origin.span;
    let written = node.as_text()?;
    let (name, new) = written.split_once('=').map_or((None, written), |(name, new)| (Some(name), new));
    let parts = split(new);
    let filled = |text: &str| (!text.is_empty()).then(|| Text { value: text.to_owned(), span });
    Some(Image {
        name: name.unwrap_or(parts.name).to_owned(),
        new_name: name.and_then(|_| filled(parts.name)),
        new_tag: filled(parts.tag),
        tag_suffix: None,
        digest: filled(parts.digest),
        span,
    })
}
