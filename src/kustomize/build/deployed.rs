//! Renders what a controller deploys: a folder, with the changes of the object that names it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::closure::Closure;
use super::objects::objects;
use super::opaque::{Opaque, OpaqueKind};
use super::renderer::{Finish, Renderer, Rendering, Unrendered};
use super::resource::Resource;
use crate::config::Controller;
use crate::kustomize::build::loader::LoadRestrictor;
use crate::kustomize::deployed::generators::{Directories, Generators};
use crate::kustomize::deployed::substitute::Variables;
use crate::kustomize::deployed::{self, Controlled, Deployer};
use crate::kustomize::error::RenderError;
use crate::kustomize::file::kustomization::{FILE_NAMES, Kustomization};
use crate::kustomize::known::schema::Schemas;
use crate::kustomize::limits::{DEEPEST_DEPLOYMENT, MOST_SEARCHED};
use crate::kustomize::transform::merge::merge;
use crate::sources::{Entry, RepoPath, Tree, list_below};
use crate::span::Span;
use crate::yaml::{Key, Mapping, Node, Origin, Step, Value};
use parking_lot::Mutex;

/// What was read of the objects that deploy, kept until something changes.
#[derive(Default)]
pub(super) struct Deployed {
    holders: Mutex<HashMap<RepoPath, Holder>>,
    config_maps: Mutex<HashMap<(RepoPath, String), Vec<Node>>>,
}

/// The objects of controllers in one holder, and what was looked for to find them.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) objects: Arc<Controlled>,
    pub(crate) closure: Arc<Closure>,
    /// Which folders there are, as far as generators asked.
    directories: Arc<Vec<Directories>>,
}

impl Holder {
    /// One that does not render.
    pub(crate) fn without_objects(closure: Closure) -> Self {
        Self { objects: Arc::default(), closure: Arc::new(closure), directories: Arc::default() }
    }

    /// Whether changed files may have changed what it deploys.
    pub(crate) fn is_outdated(&self, changed: &[RepoPath], tree: &dyn Tree) -> bool {
        self.closure.touches(changed)
            || self.directories.iter().any(|directories| directories.are_others(changed, tree))
    }
}

impl Deployed {
    pub(super) fn forget(&self, changed: &[RepoPath], tree: &dyn Tree) {
        self.holders.lock().retain(|_, holder| !holder.is_outdated(changed, tree));
        let is_touched = |folder: &RepoPath| changed.iter().any(|path| path.is_within(folder));
        self.config_maps.lock().retain(|(folder, _), _| !is_touched(folder));
    }

    pub(super) fn forget_all(&self) {
        self.holders.lock().clear();
        self.config_maps.lock().clear();
    }
}

impl Renderer<'_> {
    /// What the objects in a holder deploy: a folder, a file, or what another object deploys.
    ///
    /// # Errors
    /// When the holder does not render.
    pub(crate) fn holder(&self, holder: &RepoPath) -> Result<Holder, Box<Unrendered>> {
        if let Some(known) = self.deployed.holders.lock().get(holder) {
            return Ok(known.clone());
        }
        let mut closure = Closure::default();
        let found = match self.tree.entry(holder) {
            Ok(Some(Entry::File(_))) => self.objects_of_file(holder, &mut closure),
            Err(error) => Err(RenderError::tree(&error)),
            Ok(_) => {
                let rendering = self.render_any(holder)?;
                closure.extend(&rendering.closure);
                Ok(rendering.objects)
            }
        };
        let mut generators = Generators::new(self.tree, self.parsed, &mut closure);
        let read = found.and_then(|objects| deployed::read(&objects, holder, &mut generators));
        let directories = generators.directories;
        let found = read.and_then(|Controlled { deployers, projects, definitions }| {
            let deployers = deployers.into_iter().map(|deployer| self.in_its_source(deployer, &mut closure));
            Ok(Controlled { deployers: deployers.collect::<Result<_, RenderError>>()?, projects, definitions })
        });
        let objects = found.map_err(|error| Unrendered::new(error, closure.clone()))?;
        let (closure, directories) = (Arc::new(closure), Arc::new(directories));
        let found = Holder { objects: Arc::new(objects), closure, directories };
        self.deployed.holders.lock().insert(holder.clone(), found.clone());
        Ok(found)
    }

    /// A deployer whose folder is not in the root's place, but in that of a folder which its source is made of: the only one
    /// that has it, else the one that is called as the source.
    fn in_its_source(&self, mut deployer: Deployer, closure: &mut Closure) -> Result<Deployer, RenderError> {
        let entry = |path: &RepoPath| self.tree.entry(path).map_err(|error| RenderError::tree(&error));
        if deployer.source.is_empty() || deployer.folder.is_root() || entry(&deployer.folder)?.is_some() {
            return Ok(deployer);
        }
        closure.look_for(deployer.folder.clone());
        let mut places = Vec::new();
        for (name, child) in self.tree.children(&RepoPath::root()).map_err(|error| RenderError::tree(&error))? {
            let place = RepoPath::root().child(&name).join(deployer.folder.as_str());
            let Some(place) = place.filter(|_| matches!(child, Entry::Folder(_)) && !name.starts_with('.')) else {
                continue;
            };
            closure.look_for(place.clone());
            if entry(&place)?.is_some() {
                places.push((name, place));
            }
        }
        let named = places.iter().find(|(name, _)| *name == deployer.source);
        let only = if let [only] = &places[..] { Some(only) } else { None };
        if let Some((_, place)) = named.or(only) {
            deployer.folder = place.clone();
        }
        Ok(deployer)
    }

    /// The objects of a file, as far as it is one of objects.
    fn objects_of_file(&self, path: &RepoPath, closure: &mut Closure) -> Result<Vec<Node>, RenderError> {
        closure.look_for(path.clone());
        let Some((id, content)) = self.tree.read(path).map_err(|error| RenderError::tree(&error))? else {
            return Ok(Vec::new());
        };
        let Ok(text) = std::str::from_utf8(&content) else { return Ok(Vec::new()) };
        (*self.parsed.documents(self.parsed.files.add(path, id, text), Step::File)).clone()
    }

    /// The object that deploys an overlay; `None` where the holder has none of its name any more.
    ///
    /// # Errors
    /// When the holder does not render.
    pub(crate) fn deployer(&self, path: &RepoPath) -> Result<(Option<Deployer>, Arc<Closure>), Box<Unrendered>> {
        let Some((holder, _)) = path.as_deployed() else { return Ok((None, Arc::default())) };
        if path.as_str().matches(RepoPath::DEPLOYED).count() > DEEPEST_DEPLOYMENT {
            let message = format!("more than {DEEPEST_DEPLOYMENT} objects deploy each other");
            return Err(Unrendered::new(RenderError::nowhere(message), Closure::default()));
        }
        let Holder { objects, closure, .. } = self.holder(&holder)?;
        Ok((objects.deployers.iter().find(|deployer| deployer.path == *path).cloned(), closure))
    }

    pub(super) fn render_deployed(&self, path: &RepoPath) -> Result<Rendering, Box<Unrendered>> {
        let (deployer, found_by) = self.deployer(path)?;
        let mut closure = Closure::clone(&found_by);
        let result = match deployer {
            Some(deployer) => self.render_folder_of(&deployer, &mut closure),
            None => Err(RenderError::nowhere(format!("nothing deploys `{path}` any more"))),
        };
        let (objects, finish) = result.map_err(|error| Unrendered::new(error, closure.clone()))?;
        Ok(self.rendering(objects, closure, finish))
    }

    fn render_folder_of(&self, deployer: &Deployer, closure: &mut Closure) -> Result<(Vec<Node>, Finish), RenderError> {
        let through = |error: RenderError| error.through(deployer.folder_span, "deployed from here");
        let (resources, mut finish) = self.root(&deployer.folder, Some(deployer), closure).map_err(through)?;
        let mut objects = self.finish(resources, &finish).map_err(through)?;
        if let Some(post_build) = deployer.changes.post_build() {
            self.variables(deployer, post_build, closure)?.fill(&mut objects)?;
        }
        let unfollowed = deployer.changes.unfollowed.iter().map(|(field, node)| Opaque::field(deployer, field, node));
        finish.opaque.extend(unfollowed);
        Ok((objects, finish))
    }

    /// The kustomization of a deployed folder, with the object's changes; for a folder without one, what its controller
    /// makes of it. `None` where the folder is read as Argo CD reads a directory.
    pub(super) fn changed_kustomization(
        &self,
        deployer: &Deployer,
        own: Option<&Kustomization>,
        closure: &mut Closure,
    ) -> Result<Option<Kustomization>, RenderError> {
        let mut kustomization = match own {
            Some(own) => own.clone(),
            None if deployer.changes.is_recursive => self.kustomization_of_all_below(deployer, closure)?,
            None => return Ok(None),
        };
        deployer.changes.apply(&mut kustomization)?;
        Ok(Some(kustomization))
    }

    /// A kustomization of all manifests below the folder; folders with one of their own are listed as such
    /// (`kustomize_generator.go` in `fluxcd/pkg`).
    fn kustomization_of_all_below(
        &self,
        deployer: &Deployer,
        closure: &mut Closure,
    ) -> Result<Kustomization, RenderError> {
        let span = deployer.folder_span;
        let listed = self.listed_below(&deployer.folder, closure)?;
        let names = listed.iter().map(|path| {
            let below = path.as_str()[deployer.folder.as_str().len()..].trim_start_matches('/');
            Node::string(below, span, Step::File)
        });
        let names =
            Node { value: Value::Sequence(names.collect::<Vec<_>>().into()), origin: Origin::new(span, Step::File) };
        let mapping: Mapping = [(Key::plain("resources", span), names)].into_iter().collect();
        let node = Node { value: Value::Mapping(mapping.into()), origin: Origin::new(span, Step::File) };
        Kustomization::read(span.file, Some(&node)).map_err(|_| {
            RenderError::at(span, format!("`{}` holds no manifest", deployer.folder))
                .help("name a folder with manifests or a kustomization")
        })
    }

    /// The manifests below a folder, and the folders below it that have a kustomization.
    pub(crate) fn listed_below(&self, folder: &RepoPath, closure: &mut Closure) -> Result<Vec<RepoPath>, RenderError> {
        closure.hold_folder(folder);
        let listing = list_below(self.tree, std::slice::from_ref(folder)).map_err(|error| RenderError::tree(&error))?;
        let is_kustomization = |path: &&RepoPath| FILE_NAMES.contains(&path.file_name());
        let nested: BTreeSet<RepoPath> =
            listing.files.iter().filter(is_kustomization).filter_map(RepoPath::parent).collect();
        let above = |path: &RepoPath| {
            let way = std::iter::successors(path.parent(), RepoPath::parent);
            way.take_while(|above| above.is_within(folder) && above != folder)
                .filter(|above| nested.contains(above))
                .last()
        };
        let mut listed = BTreeSet::new();
        for path in &listing.files {
            let is_hidden = path.as_str()[folder.as_str().len()..].split('/').any(|segment| segment.starts_with('.'));
            if is_hidden {
                continue;
            }
            match above(path) {
                Some(nested) => _ = listed.insert(nested),
                None if matches!(path.ending(), "yaml" | "yml") => _ = listed.insert(path.clone()),
                None => {}
            }
        }
        Ok(listed.into_iter().collect())
    }

    /// What a folder without a kustomization holds, as Argo CD reads it: manifests, or a chart.
    pub(super) fn directory(
        &self,
        deployer: &Deployer,
        closure: &mut Closure,
    ) -> Result<(Vec<Resource>, Vec<Opaque>), RenderError> {
        let folder = &deployer.folder;
        closure.hold_folder(folder);
        let chart = folder.child("Chart.yaml");
        if self.tree.entry(&chart).map_err(|error| RenderError::tree(&error))?.is_some() {
            let version = self.loader(folder, closure, &Schemas::BuiltIn).digest_of_folder("")?;
            let opaque = Opaque {
                given: self.values_of_directory(deployer, closure)?,
                ..Opaque::new(
                    OpaqueKind::Plugin,
                    format!("chart.{folder}"),
                    version,
                    format!("the chart in {folder}"),
                    deployer.folder_span,
                )
            };
            return Ok((Vec::new(), vec![opaque]));
        }
        let documents = self.loader(folder, closure, &Schemas::BuiltIn).manifests()?;
        Ok((objects(documents, &Schemas::BuiltIn)?, Vec::new()))
    }

    /// The values that a chart in a folder is given: its own, and those of files over them.
    fn values_of_directory(&self, deployer: &Deployer, closure: &mut Closure) -> Result<Vec<Node>, RenderError> {
        let mut merged: Option<Node> = None;
        let mut loader = self.loader(&deployer.folder, closure, &Schemas::BuiltIn);
        loader.restrictor = LoadRestrictor::None;
        loader.root = RepoPath::root();
        for path in std::iter::once(deployer.folder.child("values.yaml")).chain(deployer.value_files()) {
            let found = loader.entry(path.as_str(), deployer.folder_span)?;
            let Some((_, Entry::File(_))) = found else { continue };
            let documents = loader.documents(path.as_str(), deployer.folder_span, Step::File)?;
            let Some(values) = documents.into_iter().next().filter(|node| node.as_mapping().is_some()) else {
                continue;
            };
            merged = match merged {
                Some(below) => merge(below, &values, &Schemas::BuiltIn)?,
                None => Some(values),
            };
        }
        Ok(merged.into_iter().collect())
    }

    /// The variables of `postBuild`: from `ConfigMap`s first, its own last.
    fn variables(
        &self,
        deployer: &Deployer,
        post_build: &Node,
        closure: &mut Closure,
    ) -> Result<Variables, RenderError> {
        let mut variables = Variables::default();
        for source in post_build.get("substituteFrom").and_then(Node::as_sequence).unwrap_or_default() {
            let field = |name: &str| source.get(name).and_then(Node::as_text).unwrap_or_default();
            let found = match field("kind") {
                "ConfigMap" => self.config_map(deployer, field("name"), closure)?,
                _ => None,
            };
            match found {
                Some(object) => variables.take(object.get("data")),
                None => variables.is_partial |= field("optional") != "true",
            }
        }
        variables.take(post_build.get("substitute"));
        Ok(variables)
    }

    /// The `ConfigMap` of a name that is closest to the deployer's file, in the folders above it; `None` also where several are
    /// equally close.
    fn config_map(&self, deployer: &Deployer, name: &str, closure: &mut Closure) -> Result<Option<Node>, RenderError> {
        for folder in searched(&self.file_of(deployer)) {
            closure.hold_folder(&folder);
            let key = (folder.clone(), name.to_owned());
            let known = self.deployed.config_maps.lock().get(&key).cloned();
            let found = match known {
                Some(found) => found,
                None => self.search_config_map(&folder, name)?,
            };
            self.deployed.config_maps.lock().insert(key, found.clone());
            if !found.is_empty() {
                let [only] = &found[..] else { return Ok(None) };
                return Ok(Some(only.clone()));
            }
        }
        Ok(None)
    }

    fn search_config_map(&self, folder: &RepoPath, name: &str) -> Result<Vec<Node>, RenderError> {
        let mut all = Vec::new();
        let listing = list_below(self.tree, std::slice::from_ref(folder)).map_err(|error| RenderError::tree(&error))?;
        let is_yaml = |path: &&RepoPath| matches!(path.ending(), "yaml" | "yml");
        for path in listing.files.iter().filter(is_yaml).take(MOST_SEARCHED) {
            let Ok(Some((id, content))) = self.tree.read(path) else { continue };
            let Ok(text) = std::str::from_utf8(&content) else { continue };
            if !text.contains("ConfigMap") || !text.contains(name) {
                continue;
            }
            let documents = self.parsed.documents(self.parsed.files.add(path, id, text), Step::File);
            let is_meant = |object: &&Node| {
                object.get("kind").and_then(Node::as_text) == Some("ConfigMap")
                    && object.find(&["metadata", "name"]).and_then(Node::as_text) == Some(name)
            };
            all.extend((*documents).iter().flatten().filter(is_meant).cloned());
        }
        Ok(all)
    }

    /// The folders in which the variables of a deployer are looked for.
    pub(crate) fn searched_for(&self, deployer: &Deployer) -> Vec<RepoPath> {
        let sources = deployer.changes.post_build().and_then(|node| node.get("substituteFrom"));
        if sources.is_some() { searched(&self.file_of(deployer)) } else { Vec::new() }
    }

    fn file_of(&self, deployer: &Deployer) -> RepoPath {
        self.parsed.files.get(deployer.span.file).path.clone()
    }
}

/// The folders above a file, without the root.
fn searched(file: &RepoPath) -> Vec<RepoPath> {
    std::iter::successors(file.parent(), RepoPath::parent).filter(|folder| !folder.is_root()).collect()
}

impl Opaque {
    /// What a field asks for that is not followed here.
    fn field(deployer: &Deployer, field: &str, node: &Node) -> Self {
        let own = Self::plugin(node);
        let controller = match deployer.controller {
            Controller::ArgoCd => "argocd",
            Controller::Flux => "flux",
        };
        let span: Span = node.origin.span;
        let written = format!("{field} of {}", deployer.name);
        Self { identity: format!("{controller}.{field}/{}", deployer.name), written, span, ..own }
    }
}
