//! What controllers deploy: Flux `Kustomization`s, Argo CD `Application`s and `ApplicationSet`s name folders of the repository,
//! and change what these render to. Each is an overlay of its own, at a path that no file can have.

use std::collections::HashMap;

use self::generators::Generators;
use self::projects::{Application, Project};
use crate::config::Controller;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::kustomization::{Image, Kustomization};
use crate::sources::RepoPath;
use crate::span::Span;
use crate::yaml::{Key, Mapping, Node, Origin, Step, Value};

pub(crate) mod argocd;
pub(crate) mod find;
pub(crate) mod flux;
pub(crate) mod generators;
pub(crate) mod projects;
pub(crate) mod substitute;

/// The annotation by which Argo CD orders what it applies; lower waves come first, 0 where there is none.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// One folder that a controller deploys.
#[derive(Clone, Debug)]
pub struct Deployer {
    /// Whose object it is.
    pub controller: Controller,
    /// The object's name.
    pub name: String,
    /// Its namespace; empty where none is written.
    pub namespace: String,
    /// Where the name is written.
    pub span: Span,
    /// What renders to the object: a folder, a file, or what another controller's object deploys.
    pub holder: RepoPath,
    /// Its place among the overlays.
    pub path: RepoPath,
    /// The folder that it deploys.
    pub folder: RepoPath,
    /// Where the folder is named.
    pub folder_span: Span,
    /// What the folder is in: the name of Flux's source. A source may be made of one folder of the repository.
    pub(crate) source: String,
    /// What it says of where it deploys to: names of clusters and namespaces.
    pub destination: Vec<String>,
    /// What an Argo CD `Application` says of itself.
    pub application: Option<Application>,
    /// What must be ready before it: Flux's `dependsOn`.
    pub needs: Vec<Need>,
    /// Argo CD's sync wave, and where it is written.
    pub wave: Option<(i64, Span)>,
    /// What it changes in what the folder renders to.
    pub changes: Changes,
}

impl Deployer {
    /// The files of this repository that its chart takes values from. What another source holds (`$NAME/…`), or the web, is not
    /// among them.
    pub(crate) fn value_files(&self) -> impl Iterator<Item = RepoPath> {
        let here = self.changes.value_files.iter().filter(|name| !name.starts_with('$') && !name.contains("://"));
        here.filter_map(|name| match name.strip_prefix('/') {
            Some(name) => RepoPath::root().join(name),
            None => self.folder.join(name),
        })
    }

    /// The folder that the object stands in, by which it may be told where it deploys to.
    #[must_use]
    pub fn place(&self) -> RepoPath {
        let mut place = self.holder.clone();
        while let Some((holder, _)) = place.as_deployed() {
            place = holder;
        }
        match place.file_name().rsplit_once('.') {
            // The file may be called after the environment.
            Some((stem, "yaml" | "yml" | "json")) => place.parent().unwrap_or_else(RepoPath::root).child(stem),
            _ => place,
        }
    }
}

/// An entry of `dependsOn`.
#[derive(Clone, Debug)]
pub struct Need {
    /// The namespace of what must be ready.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where that is written.
    pub span: Span,
}

/// What an object changes in what its folder renders to.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Fields of a kustomization, as they are put into the one of the folder.
    fields: Vec<(&'static str, Node)>,
    /// Images by name, in the place of entries of the same name.
    images: Vec<Image>,
    /// Flux's `postBuild`.
    post_build: Option<Node>,
    /// Whether files of folders below count where there is no kustomization.
    pub(crate) is_recursive: bool,
    /// Files of values that Argo CD gives to a chart, as written.
    pub(crate) value_files: Vec<String>,
    /// What cannot be followed: its field, and what it says.
    pub(crate) unfollowed: Vec<(&'static str, Node)>,
}

impl Changes {
    /// Whether what is deployed is what the folder renders to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.images.is_empty() && self.post_build.is_none() && self.unfollowed.is_empty()
    }

    /// Takes over fields of an object under the names that a kustomization has for them.
    fn take(&mut self, holder: &Node, names: &[(&str, &'static str)]) {
        for (name, field) in names {
            if let Some(node) = holder.get(name).filter(|node| says_something(node)) {
                self.fields.push((field, node.clone()));
            }
        }
    }

    /// Puts the changes into the kustomization of the folder, as the controller edits its file.
    ///
    /// # Errors
    /// When a field has another shape than kustomize asks for.
    pub(crate) fn apply(&self, to: &mut Kustomization) -> Result<(), RenderError> {
        if let Some((_, first)) = self.fields.first() {
            let entry = |(name, node): &(&'static str, Node)| (Key::plain(name, node.origin.span), node.clone());
            let mapping: Mapping = self.fields.iter().map(entry).collect();
            let origin = Origin::new(first.origin.span, Step::File);
            let node = Node { value: Value::Mapping(mapping.into()), origin };
            let added = Kustomization::read(first.origin.span.file, Some(&node))?;
            to.changes.extend(added.changes);
            to.patches.extend(added.patches);
            to.components.extend(added.components);
            to.labels.extend(added.labels);
            to.common_annotations.extend(added.common_annotations);
            to.replicas.extend(added.replicas);
            to.namespace = added.namespace.or(to.namespace.take());
            to.name_prefix = added.name_prefix.or(to.name_prefix.take());
            to.name_suffix = added.name_suffix.or(to.name_suffix.take());
            set_images(to, added.images);
        }
        set_images(to, self.images.clone());
        Ok(())
    }

    /// The folders of components, as written.
    pub(crate) fn components(&self) -> impl Iterator<Item = &str> {
        let named = self.fields.iter().filter(|(name, _)| *name == "components");
        named.flat_map(|(_, node)| node.as_sequence().unwrap_or_default()).filter_map(Node::as_text)
    }

    pub(crate) fn post_build(&self) -> Option<&Node> {
        self.post_build.as_ref()
    }
}

fn set_images(to: &mut Kustomization, images: Vec<Image>) {
    for image in images {
        match to.images.iter_mut().find(|known| known.name == image.name) {
            Some(known) => *known = image,
            None => to.images.push(image),
        }
    }
}

fn says_something(node: &Node) -> bool {
    !node.is_null()
        && node.as_sequence().is_none_or(|items| !items.is_empty())
        && node.as_mapping().is_none_or(|mapping| !mapping.is_empty())
        && node.as_text().is_none_or(|text| !text.is_empty())
}

/// What an object is, where it deploys anything.
struct Identity {
    name: String,
    namespace: String,
    span: Span,
    wave: Option<(i64, Span)>,
}

impl Identity {
    fn of(node: &Node) -> Option<Self> {
        let name = node.find(&["metadata", "name"])?;
        let wave = node.find(&["metadata", "annotations", SYNC_WAVE]).and_then(|wave| {
            let number = wave.as_text()?.parse().ok()?;
            Some((number, wave.origin.span))
        });
        Some(Self {
            name: name.as_text()?.to_owned(),
            namespace: text(node, &["metadata", "namespace"]),
            span: name.origin.span,
            wave,
        })
    }

    fn deployer(&self, controller: Controller, folder: (RepoPath, Span)) -> Deployer {
        Deployer {
            controller,
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            span: self.span,
            holder: RepoPath::root(),
            path: RepoPath::root(),
            folder: folder.0,
            folder_span: folder.1,
            source: String::new(),
            destination: Vec::new(),
            application: None,
            needs: Vec::new(),
            wave: self.wave,
            changes: Changes::default(),
        }
    }
}

fn text(node: &Node, path: &[&str]) -> String {
    node.find(path).and_then(Node::as_text).unwrap_or_default().to_owned()
}

/// A folder of the repository, as controllers write it: from its root.
fn folder(node: &Node) -> Option<(RepoPath, Span)> {
    let written = node.as_text()?;
    let is_open = written.contains("{{") || written.contains("${");
    let path = RepoPath::new(written.trim_start_matches('/')).filter(|_| !is_open)?;
    Some((path, node.origin.span))
}

/// The kind and the group of an object.
fn kind_of(node: &Node) -> (String, String) {
    let version = text(node, &["apiVersion"]);
    (text(node, &["kind"]), version.split('/').next().unwrap_or_default().to_owned())
}

/// The objects of controllers.
#[derive(Clone, Debug, Default)]
pub struct Controlled {
    /// Those that deploy folders.
    pub deployers: Vec<Deployer>,
    /// Argo CD's projects with sync windows.
    pub projects: Vec<Project>,
    /// Files that may hold `CustomResourceDefinition`s.
    pub definitions: Vec<RepoPath>,
}

/// What some objects of a holder deploy, and by which projects.
///
/// # Errors
/// When what generators look at cannot be read.
pub(crate) fn read(
    objects: &[Node],
    holder: &RepoPath,
    generators: &mut Generators<'_>,
) -> Result<Controlled, RenderError> {
    let mut found = Controlled::default();
    for object in objects {
        found.deployers.extend(flux::deployer(object));
        found.deployers.extend(argocd::deployers(object));
        found.deployers.extend(generators.deployers(object)?);
        found.projects.extend(projects::project(object, holder));
    }
    found.deployers = placed(found.deployers, holder);
    Ok(found)
}

/// Gives the deployers of one holder their places. Of several with one name, the later ones are told by their number.
fn placed(mut deployers: Vec<Deployer>, holder: &RepoPath) -> Vec<Deployer> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for deployer in &mut deployers {
        let times = seen.entry(deployer.name.clone()).or_default();
        *times += 1;
        let name = if *times > 1 { format!("{}~{times}", deployer.name) } else { deployer.name.clone() };
        deployer.holder = holder.clone();
        deployer.path = holder.deployed_by(&name);
    }
    deployers
}
