//! Automation in the repository that may write to environments: Flux's `ImageUpdateAutomation`, Argo CD Image Updater, Renovate.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Serialize;

use super::handle::{Handle, Handles};
use super::{Context, FactsError};
use crate::config::Bots;
use crate::kustomize::{Deployer, ParsedFiles};
use crate::model::{Overlay, Overlays};
use crate::sources::{RepoPath, Tree, TreeError, list};
use crate::span::Span;
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// An automation that may write to a protected environment after the change, and could not before.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Automation {
    /// The line that lets it.
    pub at: Handle,
    /// What it is and what it is called, for people.
    pub name: String,
    /// The environment.
    pub environment: String,
    /// Whether the environment is closed to bots.
    pub denied: bool,
    /// One of the overlays that it may write to.
    pub overlay: String,
    /// How many others there are.
    pub others: usize,
}

/// What an automation may write to.
struct Writer {
    name: String,
    span: Span,
    reach: Reach,
}

enum Reach {
    /// Files below a folder that have a setter marker (`{"$imagepolicy": …}`).
    Markers(RepoPath),
    /// The folder that an application deploys.
    Application(String),
    /// Kustomizations whose path some patterns include and others do not exclude.
    Kustomizations { included: Option<GlobSet>, excluded: GlobSet, excluded_parts: Vec<String> },
}

/// The names of Renovate's configuration (<https://docs.renovatebot.com/configuration-options/>).
const RENOVATE: [&str; 9] = [
    "renovate.json",
    "renovate.json5",
    ".github/renovate.json",
    ".github/renovate.json5",
    ".gitlab/renovate.json",
    ".gitlab/renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    ".renovaterc.json5",
];
/// What stands beside a value that Flux may set.
const MARKER: &str = "$imagepolicy";

impl Automation {
    /// What the changed files let write to protected environments.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let trees = context.comparison.trees();
        // What was there before counts where the change gives it something to write.
        let marked = newly_marked(context)?;
        let all = if marked.is_empty() { None } else { Some(list(trees.head)?.files) };
        let files = all.as_ref().unwrap_or(&context.change.files);
        let head = writers(context.files, trees.head, files)?;
        if head.is_empty() {
            return Ok(Vec::new());
        }
        let base = writers(context.files, trees.base, files)?;
        let mut told = Vec::new();
        for writer in &head {
            let before: BTreeSet<RepoPath> = match base.iter().find(|known| known.name == writer.name) {
                Some(known) => {
                    known.written(trees.base, context.overlays.base)?.into_iter().map(|it| it.path.clone()).collect()
                }
                None => BTreeSet::new(),
            };
            let mut by_environment: BTreeMap<usize, Vec<&Overlay>> = BTreeMap::new();
            for overlay in writer.written(trees.head, context.overlays.head)? {
                if context.config.environments[overlay.environment].protected && !before.contains(&overlay.path) {
                    by_environment.entry(overlay.environment).or_default().push(overlay);
                }
            }
            for (at, overlays) in by_environment {
                let environment = &context.config.environments[at];
                let Some(first) = overlays.first() else { continue };
                let own = marked.iter().find(|path| path.is_within(&first.path));
                let line = own.map(|path| context.changed_line(path)).transpose()?.flatten();
                told.push(Self {
                    at: handles.place(line.unwrap_or(writer.span)),
                    name: writer.name.clone(),
                    environment: environment.name.clone(),
                    denied: environment.bots == Bots::Deny,
                    overlay: first.path.to_string(),
                    others: overlays.len() - 1,
                });
            }
        }
        Ok(told)
    }
}

/// The changed files that have a marker, and had none before.
fn newly_marked<'a>(context: &Context<'a>) -> Result<Vec<&'a RepoPath>, TreeError> {
    let trees = context.comparison.trees();
    let is_marked = |tree: &dyn Tree, path: &RepoPath| match tree.read(path) {
        Err(error) if error.is_too_large() => Ok(false),
        read => Ok(read?.is_some_and(|(_, content)| String::from_utf8_lossy(&content).contains(MARKER))),
    };
    let mut marked = Vec::new();
    for path in &context.change.files {
        if is_marked(trees.head, path)? && !is_marked(trees.base, path)? {
            marked.push(path);
        }
    }
    Ok(marked)
}

impl Writer {
    /// The overlays that it may write to.
    fn written<'a>(&self, tree: &dyn Tree, overlays: &'a Overlays) -> Result<Vec<&'a Overlay>, TreeError> {
        let mut written = Vec::new();
        for overlay in &overlays.all {
            let folder = overlays.deployer(&overlay.path).map_or(&overlay.path, |deployer| &deployer.folder);
            let is_written = match &self.reach {
                Reach::Application(name) => {
                    let is_it = |deployer: &&Deployer| deployer.name == *name && deployer.application.is_some();
                    let mut own = overlays.deployers.iter().filter(is_it);
                    own.any(|deployer| deployer.folder == *folder || deployer.path == overlay.path)
                }
                Reach::Kustomizations { included, excluded, excluded_parts } => {
                    let path = folder.child("kustomization.yaml");
                    let is_in = |set: &GlobSet| set.is_match(path.as_str());
                    let is_part = |part: &String| path.as_str().contains(part.as_str());
                    included.as_ref().is_none_or(is_in) && !is_in(excluded) && !excluded_parts.iter().any(is_part)
                }
                Reach::Markers(below) => {
                    (folder.is_within(below) || below.is_within(folder)) && has_marker(tree, folder, below)?
                }
            };
            if is_written {
                written.push(overlay);
            }
        }
        Ok(written)
    }
}

/// Whether a file of a folder, as far as it is below another one, has a marker.
fn has_marker(tree: &dyn Tree, folder: &RepoPath, below: &RepoPath) -> Result<bool, TreeError> {
    for (name, _) in tree.children(folder)? {
        let path = folder.child(&name);
        if !matches!(path.ending(), "yaml" | "yml") || !path.is_within(below) {
            continue;
        }
        let content = match tree.read(&path) {
            Err(error) if error.is_too_large() => None,
            read => read?,
        };
        if content.is_some_and(|(_, content)| String::from_utf8_lossy(&content).contains(MARKER)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The automations of some files.
fn writers(files: &ParsedFiles, tree: &dyn Tree, paths: &[RepoPath]) -> Result<Vec<Writer>, TreeError> {
    let mut found = Vec::new();
    for path in paths {
        let is_renovate = RENOVATE.contains(&path.as_str());
        if !is_renovate && !matches!(path.ending(), "yaml" | "yml") {
            continue;
        }
        let read = match tree.read(path) {
            Err(error) if error.is_too_large() => None,
            read => read?,
        };
        let Some((id, content)) = read else { continue };
        let Ok(text) = std::str::from_utf8(&content) else { continue };
        let may_be_one = text.contains("ImageUpdateAutomation") || text.contains("argocd-image-updater.argoproj.io/");
        if !is_renovate && !may_be_one {
            continue;
        }
        let file = files.files.add(path, id, text);
        // What is no YAML, as JSON5 may be, names nothing that is followed.
        let Ok(documents) = parse(&Source::file(file, text), Step::File, Dialect::Resource) else { continue };
        found.extend(documents.iter().filter_map(|it| if is_renovate { renovate(it) } else { controller(it) }));
    }
    Ok(found)
}

fn text<'a>(node: &'a Node, path: &[&str]) -> &'a str {
    node.find(path).and_then(Node::as_text).unwrap_or_default()
}

fn controller(node: &Node) -> Option<Writer> {
    let name = node.find(&["metadata", "name"])?;
    match text(node, &["kind"]) {
        "ImageUpdateAutomation" => {
            let below = node.find(&["spec", "update", "path"]);
            let written = below.and_then(Node::as_text).unwrap_or("./");
            let folder = RepoPath::root().join(written.trim_start_matches("./").trim_end_matches('/'))?;
            Some(Writer {
                name: format!("Flux's ImageUpdateAutomation `{}`", name.as_text()?),
                span: below.unwrap_or(name).origin.span,
                reach: Reach::Markers(folder),
            })
        }
        "Application" => {
            const LIST: &str = "argocd-image-updater.argoproj.io/image-list";
            const METHOD: &str = "argocd-image-updater.argoproj.io/write-back-method";
            let list = node.find(&["metadata", "annotations", LIST])?;
            // With the other method it changes the application in the cluster, and not the repository.
            text(node, &["metadata", "annotations", METHOD]).starts_with("git").then(|| Writer {
                name: format!("Argo CD Image Updater, for the application `{}`", name.as_text().unwrap_or_default()),
                span: list.origin.span,
                reach: Reach::Application(name.as_text().unwrap_or_default().to_owned()),
            })
        }
        _ => None,
    }
}

/// Renovate updates kustomizations unless its configuration says otherwise.
fn renovate(node: &Node) -> Option<Writer> {
    let list = |node: &Node, field: &str| -> Vec<String> {
        let items = node.get(field).and_then(Node::as_sequence).unwrap_or_default();
        items.iter().filter_map(Node::as_text).map(str::to_owned).collect()
    };
    let is_off = |node: &Node| node.get("enabled").and_then(Node::as_text) == Some("false");
    let managers = list(node, "enabledManagers");
    let has_manager = managers.is_empty() || managers.iter().any(|name| name == "kustomize");
    if is_off(node) || !has_manager || node.get("kustomize").is_some_and(is_off) {
        return None;
    }
    let mut excluded = list(node, "ignorePaths");
    excluded.extend(node.get("kustomize").map(|own| list(own, "ignorePaths")).unwrap_or_default());
    // What is no pattern is a part of the path.
    let excluded_parts = excluded.iter().filter(|path| !path.contains('*')).cloned().collect();
    for rule in node.get("packageRules").and_then(Node::as_sequence).unwrap_or_default() {
        let managers = list(rule, "matchManagers");
        let is_for_all = ["matchPackageNames", "matchDepNames", "matchUpdateTypes", "matchDatasources"]
            .iter()
            .all(|field| rule.get(field).is_none());
        if is_off(rule) && is_for_all && (managers.is_empty() || managers.iter().any(|name| name == "kustomize")) {
            excluded.extend(list(rule, "matchFileNames"));
            excluded.extend(list(rule, "matchPaths"));
        }
    }
    let included = list(node, "includePaths");
    Some(Writer {
        name: "Renovate".to_owned(),
        span: node.origin.span,
        reach: Reach::Kustomizations {
            included: (!included.is_empty()).then(|| globs(&included)),
            excluded: globs(&excluded),
            excluded_parts,
        },
    })
}

fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        // One that cannot be read excludes nothing.
        if let Ok(glob) = glob {
            set.add(glob);
        }
    }
    set.build().unwrap_or_default()
}
