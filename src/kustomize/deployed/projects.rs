//! Argo CD's `AppProject`: the windows in which its applications may be synced, or may not (`pkg/apis/application/v1alpha1`).

use super::{kind_of, text};
use crate::sources::RepoPath;
use crate::span::Span;
use crate::yaml::Node;

/// A project with windows.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// What renders to it: a folder, a file, or what another controller's object deploys.
    pub holder: RepoPath,
    /// Its windows, in order.
    pub windows: Vec<SyncWindow>,
}

/// A window as it is written.
#[derive(Clone, Debug)]
pub struct SyncWindow {
    /// Where it is written.
    pub span: Span,
    /// `allow` or `deny`.
    pub kind: String,
    /// When it begins: five fields.
    pub schedule: String,
    /// How long it lasts, as Go writes durations.
    pub duration: String,
    /// The time zone; empty for UTC.
    pub time_zone: String,
    /// Patterns of applications' names.
    pub applications: Vec<String>,
    /// Patterns of namespaces.
    pub namespaces: Vec<String>,
    /// Patterns of clusters' names and addresses.
    pub clusters: Vec<String>,
    /// Whether people may sync in spite of it.
    pub allows_manual: bool,
    /// Whether all kinds of patterns that it has must match, and not only one.
    pub needs_all: bool,
}

/// What an `Application` says of itself, as far as windows ask.
#[derive(Clone, Debug)]
pub struct Application {
    /// The project.
    pub project: String,
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's address.
    pub server: String,
    /// The namespace.
    pub namespace: String,
    /// Whether Argo CD syncs it by itself.
    pub is_automated: bool,
}

impl Application {
    pub(super) fn of(spec: &Node) -> Self {
        let project = text(spec, &["project"]);
        let automated = spec.find(&["syncPolicy", "automated"]).filter(|node| !node.is_null());
        let is_off = |node: &Node| node.get("enabled").and_then(Node::as_text) == Some("false");
        Self {
            project: if project.is_empty() { "default".to_owned() } else { project },
            cluster: text(spec, &["destination", "name"]),
            server: text(spec, &["destination", "server"]),
            namespace: text(spec, &["destination", "namespace"]),
            is_automated: automated.is_some_and(|node| !is_off(node)),
        }
    }
}

/// The project that an object is, if it has windows.
pub(super) fn project(object: &Node, holder: &RepoPath) -> Option<Project> {
    if kind_of(object) != ("AppProject".to_owned(), "argoproj.io".to_owned()) {
        return None;
    }
    let windows = object.find(&["spec", "syncWindows"]).and_then(Node::as_sequence).unwrap_or_default();
    let texts = |node: &Node, field: &str| {
        let items = node.get(field).and_then(Node::as_sequence).unwrap_or_default();
        items.iter().filter_map(Node::as_text).map(str::to_owned).collect()
    };
    let is_set = |node: &Node, field: &str| node.get(field).and_then(Node::as_text) == Some("true");
    let window = |node: &Node| SyncWindow {
        span: node.origin.span,
        kind: text(node, &["kind"]),
        schedule: text(node, &["schedule"]),
        duration: text(node, &["duration"]),
        time_zone: text(node, &["timeZone"]),
        applications: texts(node, "applications"),
        namespaces: texts(node, "namespaces"),
        clusters: texts(node, "clusters"),
        allows_manual: is_set(node, "manualSync"),
        needs_all: is_set(node, "andOperator"),
    };
    let windows: Vec<SyncWindow> = windows.iter().map(window).collect();
    let name = text(object, &["metadata", "name"]);
    (!windows.is_empty()).then(|| Project { name, holder: holder.clone(), windows })
}
