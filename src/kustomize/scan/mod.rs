//! What a kustomization would look for, without rendering it: the way to know which overlays a change can reach at all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rayon::prelude::*;

use crate::kustomize::build::closure::Closure;
use crate::kustomize::build::deployed::Holder;
use crate::kustomize::build::loader::{Listed, LoadRestrictor, Loader};
use crate::kustomize::build::opaque::{ChartEntry, values_files};
use crate::kustomize::build::parsed::ParsedFiles;
use crate::kustomize::build::renderer::Renderer;
use crate::kustomize::deployed::Deployer;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::{FILE_NAMES, Kustomization};
use crate::kustomize::known::schema::Schemas;
use crate::kustomize::limits::MOST_TARGETS;
use crate::kustomize::transform::replacements::ReplacementEntry;
use crate::sources::{Entry, Listing, RepoPath, Tree};
use crate::span::FileId;
use crate::yaml::Node;

pub(crate) mod bump;

/// What one folder reaches.
#[derive(Clone, Debug, Default)]
pub struct FolderScan {
    /// Everything that a rendering would look for; more than that where it fails early.
    pub closure: Closure,
    /// The folders of all kustomizations below, without its own.
    pub roots: BTreeSet<RepoPath>,
    /// Whether the folder is a component.
    pub is_component: bool,
    /// The folder's own kustomization; `None` where it has none.
    pub file: Option<FileId>,
}

/// What one kustomization looks for itself.
struct OwnScan {
    closure: Closure,
    listed: Vec<RepoPath>,
    is_component: bool,
    file: Option<FileId>,
}

/// Looks at the kustomizations of one tree. What was found is kept.
pub struct Scanner<'a> {
    pub(crate) parsed: &'a ParsedFiles,
    pub(crate) tree: &'a dyn Tree,
    found: RwLock<Found>,
    /// What the objects of holders deploy, as far as anybody has looked.
    pub(crate) holders: RwLock<HashMap<RepoPath, Holder>>,
    /// Files that may hold objects of controllers; `None` before anybody has looked.
    pub(crate) marked: RwLock<Option<Marked>>,
    /// Only where the tree moves.
    watched: Option<Mutex<Watched>>,
}

/// Files that may hold objects of controllers, and those that were not looked at yet.
#[derive(Clone, Default)]
pub(crate) struct Marked {
    pub(crate) files: BTreeSet<RepoPath>,
    /// Those that may hold `CustomResourceDefinition`s.
    pub(crate) definitions: BTreeSet<RepoPath>,
    pub(crate) unread: Vec<RepoPath>,
}

/// What was found in folders.
#[derive(Default)]
struct Found {
    own: HashMap<RepoPath, Arc<OwnScan>>,
    scans: HashMap<RepoPath, Arc<FolderScan>>,
    texts: HashMap<RepoPath, Arc<KustomizationText>>,
}

/// Who has to be looked at again when something changes.
#[derive(Default)]
struct Watched {
    /// The folders whose own scan looked for a path.
    paths: HashMap<RepoPath, HashSet<RepoPath>>,
    /// The folders whose own scan counts every file below a folder.
    folders: HashMap<RepoPath, HashSet<RepoPath>>,
    /// The folders whose scan goes through a folder.
    through: HashMap<RepoPath, HashSet<RepoPath>>,
}

fn untouched<T>(known: &HashMap<RepoPath, Arc<T>>, keeps: impl Fn(&T) -> bool) -> HashMap<RepoPath, Arc<T>> {
    let same = known.iter().filter(|(_, found)| keeps(found));
    same.map(|(folder, found)| (folder.clone(), Arc::clone(found))).collect()
}

impl<'a> Scanner<'a> {
    /// Looks at `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a ParsedFiles, tree: &'a dyn Tree) -> Self {
        Self {
            parsed,
            tree,
            found: RwLock::default(),
            holders: RwLock::default(),
            marked: RwLock::default(),
            watched: None,
        }
    }

    /// Looks at a tree that moves: whoever moves it says what has changed by [`Scanner::forget`].
    #[must_use]
    pub fn moving(parsed: &'a ParsedFiles, tree: &'a dyn Tree) -> Self {
        Self { watched: Some(Mutex::default()), ..Self::new(parsed, tree) }
    }

    /// Looks at another tree, and takes over what none of the `changed` files touches.
    #[must_use]
    pub fn for_tree<'b>(&self, tree: &'b dyn Tree, changed: &[RepoPath]) -> Scanner<'b>
    where
        'a: 'b,
    {
        let found = self.found.read();
        let is_same = |folder: &RepoPath| FILE_NAMES.iter().all(|name| !changed.contains(&folder.child(name)));
        let texts = found.texts.iter().filter(|(folder, _)| is_same(folder));
        let same = Found {
            own: untouched(&found.own, |own| !own.closure.touches(changed)),
            scans: untouched(&found.scans, |scan| !scan.closure.touches(changed)),
            texts: texts.map(|(folder, text)| (folder.clone(), Arc::clone(text))).collect(),
        };
        let unchanged = |paths: &BTreeSet<RepoPath>| {
            paths.iter().filter(|path| changed.binary_search(path).is_err()).cloned().collect()
        };
        let marked = self.marked.read().as_ref().map(|marked| Marked {
            files: unchanged(&marked.files),
            definitions: unchanged(&marked.definitions),
            unread: changed.to_vec(),
        });
        Scanner {
            parsed: self.parsed,
            tree,
            found: RwLock::new(same),
            holders: RwLock::default(),
            marked: RwLock::new(marked),
            watched: None,
        }
    }

    /// Forgets what was found by way of any of these paths.
    pub fn forget(&self, changed: &[RepoPath]) {
        self.holders.write().retain(|_, holder| !holder.is_outdated(changed, self.tree));
        let mut found = self.found.write();
        let Some(watched) = &self.watched else { return *found = Found::default() };
        let mut watched = watched.lock();
        let mut outdated: BTreeSet<RepoPath> = BTreeSet::new();
        for path in changed {
            outdated.extend(watched.paths.remove(path).into_iter().flatten());
            for folder in std::iter::successors(path.parent(), RepoPath::parent) {
                outdated.extend(watched.folders.remove(&folder).into_iter().flatten());
            }
            if let Some(folder) = path.parent().filter(|_| FILE_NAMES.contains(&path.file_name())) {
                found.texts.remove(&folder);
            }
        }
        for folder in outdated {
            found.own.remove(&folder);
            found.scans.remove(&folder);
            for root in watched.through.remove(&folder).into_iter().flatten() {
                found.scans.remove(&root);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.holders.write().clear();
        *self.found.write() = Found::default();
        if let Some(watched) = &self.watched {
            *watched.lock() = Watched::default();
        }
    }

    /// Where the links on the way of a path lead; `None` where nothing is there.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn resolved(&self, path: &RepoPath) -> Result<Option<RepoPath>, RenderError> {
        if path.as_deployed().is_some() {
            return Ok(self.deployer(path)?.map(|_| path.clone()));
        }
        let mut closure = Closure::default();
        let found = readable(self.loader(path, &mut closure).resolve(path, None))?;
        Ok(found.flatten().map(|(real, _)| real))
    }

    fn loader<'b>(&'b self, root: &RepoPath, closure: &'b mut Closure) -> Loader<'b> {
        Loader {
            tree: self.tree,
            parsed: self.parsed,
            restrictor: LoadRestrictor::None,
            root: root.clone(),
            closure,
            schemas: Schemas::BuiltIn,
            is_for_plugin: false,
            has_merged: false,
            is_opaque: false,
            unmatched: Vec::new(),
        }
    }

    /// What a folder reaches. A kustomization that cannot be read reaches what was looked for until then.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn scan(&self, root: &RepoPath) -> Result<Arc<FolderScan>, RenderError> {
        if let Some(known) = self.found.read().scans.get(root) {
            return Ok(Arc::clone(known));
        }
        let own = self.own(root)?;
        let mut scan = FolderScan {
            closure: own.closure.clone(),
            roots: BTreeSet::new(),
            is_component: own.is_component,
            file: own.file,
        };
        let mut pending = own.listed.clone();
        while let Some(folder) = pending.pop() {
            if folder == *root || !scan.roots.insert(folder.clone()) {
                continue;
            }
            let below = self.own(&folder)?;
            scan.closure.extend(&below.closure);
            pending.extend(below.listed.iter().cloned());
        }
        if let Some(watched) = &self.watched {
            let mut watched = watched.lock();
            for folder in &scan.roots {
                watched.through.entry(folder.clone()).or_default().insert(root.clone());
            }
        }
        let scan = Arc::new(scan);
        self.found.write().scans.insert(root.clone(), Arc::clone(&scan));
        Ok(scan)
    }

    /// Whether the kustomization in a folder may list a folder of one of these names.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn may_list(&self, folder: &RepoPath, names: &HashSet<&str>) -> Result<bool, RenderError> {
        let text = self.text(folder)?;
        let is_end =
            |character: char| character.is_whitespace() || matches!(character, '/' | '"' | '\'' | ',' | ']' | '}');
        let names_any = |content: &Arc<str>| {
            let after_slash = content.match_indices('/').map(|(at, _)| &content[at + 1..]);
            after_slash.map(|rest| rest.split(is_end).next().unwrap_or_default()).any(|name| names.contains(name))
        };
        Ok(text.is_odd || text.contents.iter().any(names_any))
    }

    /// Whether all manifests of a folder are objects, so that the folder can be deployed as it is.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn holds_objects(&self, folder: &RepoPath) -> Result<bool, RenderError> {
        let mut closure = Closure::default();
        let mut loader = self.loader(folder, &mut closure);
        let documents = readable(loader.manifests())?.unwrap_or_default();
        let is_object = |node: &Node| node.get("apiVersion").is_some() && node.get("kind").is_some();
        Ok(!documents.is_empty() && documents.iter().all(is_object))
    }

    /// Whether a folder is a component. Most are not and say so without being parsed.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn is_component(&self, folder: &RepoPath) -> Result<bool, RenderError> {
        Ok(self.text(folder)?.may_be_component && self.own(folder)?.is_component)
    }

    /// Those of `folders`, all that have a kustomization or may be rendered, that reach any of the changed files.
    ///
    /// Only a kustomization that may name the way to a changed file, or to a folder that reaches one, is parsed.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn reaching(
        &self,
        folders: &[RepoPath],
        listing: &Listing,
        changed: &[RepoPath],
    ) -> Result<HashSet<RepoPath>, RenderError> {
        // Links lead to places that nobody names.
        if !listing.others.is_empty() {
            return self.reaching_of_all(folders, changed);
        }
        let texts = folders.par_iter().map(|folder| self.text(folder)).collect::<Vec<_>>();
        let texts: Vec<_> = texts.into_iter().collect::<Result<_, RenderError>>()?;
        let mut reaching: HashSet<RepoPath> = HashSet::new();
        let mut targets: Vec<RepoPath> = changed.to_vec();
        let known: HashSet<&RepoPath> = folders.iter().collect();
        while !targets.is_empty() {
            // Each of them costs a look at every text.
            if targets.len() > MOST_TARGETS {
                return self.reaching_of_all(folders, changed);
            }
            let mut found = Vec::new();
            for (folder, text) in folders.iter().zip(&texts) {
                if reaching.contains(folder) || !targets.iter().any(|target| text.may_lead(folder, target)) {
                    continue;
                }
                let own = self.own(folder)?;
                let mut touches = own.closure.touches(changed);
                for listed in &own.listed {
                    touches |= reaching.contains(listed)
                        || !known.contains(listed) && self.own(listed)?.closure.touches(changed);
                }
                if touches {
                    reaching.insert(folder.clone());
                    found.push(folder.clone());
                }
            }
            targets = found;
        }
        Ok(reaching)
    }

    /// The same, with every kustomization parsed.
    fn reaching_of_all(&self, folders: &[RepoPath], changed: &[RepoPath]) -> Result<HashSet<RepoPath>, RenderError> {
        let reached = folders.par_iter().map(|folder| self.scan(folder)).collect::<Vec<_>>();
        let reached: Vec<_> = reached.into_iter().collect::<Result<_, RenderError>>()?;
        let touched = folders.iter().zip(reached).filter(|(_, reach)| reach.closure.touches(changed));
        Ok(touched.map(|(folder, _)| folder.clone()).collect())
    }

    /// The text of the kustomization in a folder; of several, which is an error, all.
    fn text(&self, folder: &RepoPath) -> Result<Arc<KustomizationText>, RenderError> {
        if let Some(known) = self.found.read().texts.get(folder) {
            return Ok(Arc::clone(known));
        }
        // What controllers deploy is named by their objects, wherever these are.
        let is_elsewhere = folder.as_deployed().is_some();
        let mut text = KustomizationText { is_odd: is_elsewhere, ..KustomizationText::default() };
        for name in FILE_NAMES {
            let path = folder.child(name);
            match self.tree.read(&path) {
                Ok(None) => {}
                Ok(Some((id, content))) => match std::str::from_utf8(&content) {
                    Ok(content) => {
                        let file = self.parsed.files.add(&path, id, content);
                        text.contents.push(Arc::clone(&self.parsed.files.get(file).text));
                    }
                    Err(_) => text.is_odd = true,
                },
                Err(error) if error.is_too_large() => text.is_odd = true,
                Err(error) => return Err(RenderError::tree(&error)),
            }
        }
        text.is_odd |= text.contents.iter().any(|content| is_odd(content));
        text.may_be_component = text.contents.is_empty() || text.may_name("Component");
        let text = Arc::new(text);
        self.found.write().texts.insert(folder.clone(), Arc::clone(&text));
        Ok(text)
    }

    /// What the kustomization in one folder looks for itself.
    fn own(&self, folder: &RepoPath) -> Result<Arc<OwnScan>, RenderError> {
        if let Some(known) = self.found.read().own.get(folder) {
            return Ok(Arc::clone(known));
        }
        let mut own = OwnScan { closure: Closure::default(), listed: Vec::new(), is_component: false, file: None };
        if folder.as_deployed().is_some() {
            self.note_deployed(folder, &mut own)?;
            return Ok(self.keep(folder, own));
        }
        let mut loader = self.loader(folder, &mut own.closure);
        let read = loader.enter().and_then(|()| loader.kustomization(None));
        match readable(read)? {
            // Such a folder is rendered as the manifests that it holds.
            Some(None) => {
                let root = loader.root.clone();
                loader.closure.hold_folder(&root);
                readable(loader.manifest_files())?;
            }
            Some(Some(read)) => {
                own.file = Some(match &*read {
                    Ok(kustomization) => kustomization.file,
                    Err(error) => match error.span {
                        Some(span) => span.file,
                        None => return Err(error.clone()),
                    },
                });
                let known = (*read).as_ref().ok();
                // What cannot be read may look for anything, most likely in its own folder.
                if known.is_none_or(|kustomization| kustomization.refused.is_some()) {
                    let root = loader.root.clone();
                    loader.closure.hold_folder(&root);
                }
                if let Some(kustomization) = known {
                    own.is_component = kustomization.is_component;
                    own.listed = follow(kustomization, &mut loader)?;
                }
            }
            None => {}
        }
        Ok(self.keep(folder, own))
    }

    fn keep(&self, folder: &RepoPath, own: OwnScan) -> Arc<OwnScan> {
        if let Some(watched) = &self.watched {
            let mut watched = watched.lock();
            for path in own.closure.paths() {
                watched.paths.entry(path.clone()).or_default().insert(folder.clone());
            }
            for below in own.closure.folders() {
                watched.folders.entry(below.clone()).or_default().insert(folder.clone());
            }
        }
        let own = Arc::new(own);
        self.found.write().own.insert(folder.clone(), Arc::clone(&own));
        own
    }

    /// The object that deploys what has its place at a path.
    fn deployer(&self, path: &RepoPath) -> Result<Option<Deployer>, RenderError> {
        let Some((holder, _)) = path.as_deployed() else { return Ok(None) };
        Ok(self.holder(&holder)?.objects.deployers.iter().find(|deployer| deployer.path == *path).cloned())
    }

    /// What the objects of a holder deploy; nothing where it does not render.
    pub(crate) fn holder(&self, holder: &RepoPath) -> Result<Holder, RenderError> {
        if let Some(known) = self.holders.read().get(holder) {
            return Ok(known.clone());
        }
        let found = match Renderer::for_scan(self.parsed, self.tree).holder(holder) {
            Ok(found) => found,
            Err(failed) if failed.error.is_unreadable => return Err(failed.error),
            Err(failed) => Holder::without_objects(failed.closure),
        };
        self.holders.write().insert(holder.clone(), found.clone());
        Ok(found)
    }

    /// The folder that is deployed in the place of an overlay; `None` where nothing is.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn deployed_folder(&self, path: &RepoPath) -> Result<Option<RepoPath>, RenderError> {
        Ok(self.deployer(path)?.map(|deployer| deployer.folder))
    }

    /// Notes what a rendering of what a controller deploys looks for.
    fn note_deployed(&self, path: &RepoPath, own: &mut OwnScan) -> Result<(), RenderError> {
        let Some((holder, _)) = path.as_deployed() else { return Ok(()) };
        // The holder's rendering says what is deployed.
        own.closure.extend(&self.holder(&holder)?.closure);
        match self.tree.entry(&holder).map_err(|error| RenderError::tree(&error))? {
            Some(Entry::File(_)) => own.closure.look_for(holder),
            _ => own.listed.push(holder),
        }
        let Some(deployer) = self.deployer(path)? else { return Ok(()) };
        let renderer = Renderer::for_scan(self.parsed, self.tree);
        for folder in renderer.searched_for(&deployer) {
            own.closure.hold_folder(&folder);
        }
        let mut closure = Closure::default();
        let mut loader = self.loader(&deployer.folder, &mut closure);
        for path in deployer.value_files() {
            readable(loader.resolve(&path, None))?;
        }
        let read = readable(loader.enter().and_then(|()| loader.kustomization(None)))?;
        let root = loader.root.clone();
        for component in deployer.changes.components() {
            own.listed.extend(readable(loader.entry(component, deployer.folder_span))?.flatten().map(|(path, _)| path));
        }
        own.closure.extend(&closure);
        own.file = Some(deployer.span.file);
        if let Some(Some(read)) = read {
            own.file = (*read).as_ref().ok().map(|read| read.file).or(own.file);
            own.listed.push(root);
        } else {
            let mut closure = Closure::default();
            let listed = renderer.listed_below(&root, &mut closure)?;
            own.closure.extend(&closure);
            let is_folder = |path: &RepoPath| matches!(self.tree.entry(path), Ok(Some(Entry::Folder(_))));
            own.listed.extend(listed.into_iter().filter(|path| is_folder(path)));
        }
        Ok(())
    }
}

/// The text of a kustomization, to know what it cannot name without parsing it.
#[derive(Default)]
struct KustomizationText {
    contents: Vec<Arc<str>>,
    /// Whether the folder may be a component; most say that they are not without being parsed.
    may_be_component: bool,
    /// Whether it may name things in another way than by their letters.
    is_odd: bool,
}

/// Whether a text may name what it does not spell: by escapes, tags (`!!binary`), directives, in another encoding, or by
/// dots alone.
fn is_odd(content: &str) -> bool {
    let ends_in_dots = |(at, dots): (usize, &str)| {
        let rest = &content[at + dots.len()..];
        let next = rest.strip_prefix('/').unwrap_or(rest).chars().next();
        next.is_none_or(|next| !(next.is_ascii_alphanumeric() || "._-".contains(next)))
    };
    content.contains(['\\', '\0', '!', '%']) || content.match_indices("..").any(ends_in_dots)
}

impl KustomizationText {
    fn may_name(&self, name: &str) -> bool {
        // A name with blanks may be broken over lines, and quotes may stand twice.
        let is_broken = |character: char| character.is_whitespace() || matches!(character, '"' | '\'');
        self.is_odd || name.contains(is_broken) || self.contents.iter().any(|content| content.contains(name))
    }

    /// Whether the kustomization in `folder` may look at `target`, or at a folder on the way to it that reaches it. Down
    /// from the last folder that both are in, the first step has to be spelled.
    fn may_lead(&self, folder: &RepoPath, target: &RepoPath) -> bool {
        let mut way = target.segments();
        for here in folder.segments() {
            match way.next() {
                Some(step) if step == here => {}
                Some(step) => return self.may_name(step),
                None => return true,
            }
        }
        true
    }
}

/// What a kustomization says about the shape of the repository: which folders it lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    is_component: bool,
    listed: Vec<String>,
}

/// The outline of a kustomization file. One that cannot be read has none.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn outline(parsed: &ParsedFiles, tree: &dyn Tree, file: &RepoPath) -> Result<Outline, RenderError> {
    let (id, content) = match tree.read(file) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(Outline::default()),
        Err(error) if error.is_too_large() => return Ok(Outline::default()),
        Err(error) => return Err(RenderError::tree(&error)),
    };
    let Ok(text) = std::str::from_utf8(&content) else { return Ok(Outline::default()) };
    let read = parsed.kustomization(parsed.files.add(file, id, text));
    let Ok(kustomization) = &*read else { return Ok(Outline::default()) };
    let lists = [
        &kustomization.resources,
        &kustomization.components,
        &kustomization.generators,
        &kustomization.transformers,
        &kustomization.validators,
    ];
    let folder = file.parent().unwrap_or_else(RepoPath::root);
    let mut listed = Vec::new();
    for entry in lists.into_iter().flatten() {
        let found = folder.join(&entry.value).map(|path| tree.entry(&path)).transpose();
        let found = found.map_err(|error| RenderError::tree(&error))?.flatten();
        if !matches!(found, Some(Entry::File(_))) {
            listed.push(entry.value.clone());
        }
    }
    Ok(Outline { is_component: kustomization.is_component, listed })
}

/// Whatever is wrong with a file is the rendering's to tell, as long as the snapshot can be read.
fn readable<T>(result: Result<T, RenderError>) -> Result<Option<T>, RenderError> {
    match result {
        Err(error) if error.is_unreadable => Err(error),
        other => Ok(other.ok()),
    }
}

/// Looks up all that a kustomization names; hands back the folders among it.
fn follow(kustomization: &Kustomization, loader: &mut Loader<'_>) -> Result<Vec<RepoPath>, RenderError> {
    let mut folders = Vec::new();
    let plugins = [&kustomization.generators, &kustomization.transformers, &kustomization.validators];
    let listed = [&kustomization.resources, &kustomization.components];
    for entry in listed.into_iter().chain(plugins).flatten() {
        if let Some(Listed::Folder(folder)) = readable(loader.entry_of(entry))? {
            folders.push(folder);
        }
    }
    for path in kustomization.files() {
        readable(loader.entry(&path.value, path.span))?;
    }
    for ChartEntry { entry, folder, .. } in &kustomization.charts {
        for name in values_files(entry) {
            readable(loader.entry(&name.value, name.span))?;
        }
        loader.closure.hold_folder(&loader.root.join(folder).unwrap_or_else(|| loader.root.clone()));
    }
    if plugins.into_iter().any(|entries| !entries.is_empty()) {
        // What configures a plugin may name files in turn, all of them in this folder.
        watch(loader)?;
    }
    Ok(folders)
}

/// Notes that every file below the loader's folder counts, and all that links in it lead to.
fn watch(loader: &mut Loader<'_>) -> Result<(), RenderError> {
    let mut folders = vec![loader.root.clone()];
    let mut watched = HashSet::new();
    while let Some(folder) = folders.pop() {
        if !watched.insert(folder.clone()) {
            continue;
        }
        loader.closure.hold_folder(&folder);
        for (name, entry) in loader.tree.children(&folder).map_err(|error| RenderError::tree(&error))? {
            let path = folder.child(&name);
            match entry {
                Entry::Folder(_) => folders.push(path),
                Entry::Link(_) => {
                    if let Some(Some((found, Entry::Folder(_)))) = readable(loader.resolve(&path, None))? {
                        folders.push(found);
                    }
                }
                Entry::File(_) | Entry::Submodule => {}
            }
        }
    }
    Ok(())
}

impl Kustomization {
    /// Every file that the kustomization names besides `resources` and `components`. An entry of
    /// `patchesStrategicMerge` may be the patch itself, which is no path but harmless as one.
    fn files(&self) -> impl Iterator<Item = Text> + '_ {
        let patches = self.patches.iter().chain(&self.patches_json6902).filter_map(|patch| patch.path.clone());
        let generated = self.config_maps.iter().chain(&self.secrets).flat_map(|generator| {
            let files = generator.files.iter().map(|file| Text {
                value: file.value.rsplit('=').next().unwrap_or_default().to_owned(),
                span: file.span,
            });
            generator.envs.iter().cloned().chain(files)
        });
        let replacements = self.replacements.iter().filter_map(|entry| match entry {
            ReplacementEntry::File(path) => Some(path),
            ReplacementEntry::Inline(_) => None,
        });
        let configured = self.configurations.iter().chain(&self.crds).chain(&self.openapi.path);
        let merged = self.patches_strategic_merge.iter().chain(&self.old_patches);
        let others = merged.chain(configured).chain(replacements).cloned();
        patches.chain(others).chain(generated)
    }
}
