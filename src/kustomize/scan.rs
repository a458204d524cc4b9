//! What a kustomization would look for, without rendering it: the way to know which overlays a change can reach at all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RenderError;
use super::fields::Text;
use super::kustomization::Kustomization;
use super::loader::{Closure, Listed, LoadRestrictor, Loader, Parsed};
use super::replacements::ReplacementEntry;
use super::schema::Schemas;
use crate::sources::{Entry, RepoPath, Tree};
use crate::span::FileId;

/// What one folder reaches.
#[derive(Clone, Debug, Default)]
pub struct Reach {
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
struct Own {
    closure: Closure,
    listed: Vec<RepoPath>,
    is_component: bool,
    file: Option<FileId>,
}

/// Looks at the kustomizations of one tree. What was found is kept.
pub struct Scanner<'a> {
    parsed: &'a Parsed,
    tree: &'a dyn Tree,
    own: Mutex<HashMap<RepoPath, Arc<Own>>>,
    reached: Mutex<HashMap<RepoPath, Arc<Reach>>>,
}

fn untouched<T>(
    known: &Mutex<HashMap<RepoPath, Arc<T>>>,
    closure: impl Fn(&T) -> &Closure,
    changed: &[RepoPath],
) -> Mutex<HashMap<RepoPath, Arc<T>>> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let same = known.iter().filter(|(_, found)| !closure(found).touches(changed));
    Mutex::new(same.map(|(folder, found)| (folder.clone(), Arc::clone(found))).collect())
}

impl<'a> Scanner<'a> {
    /// Looks at `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a Parsed, tree: &'a dyn Tree) -> Self {
        Self { parsed, tree, own: Mutex::default(), reached: Mutex::default() }
    }

    /// Looks at another tree, and takes over what none of the `changed` files touches.
    #[must_use]
    pub fn for_tree<'b>(&self, tree: &'b dyn Tree, changed: &[RepoPath]) -> Scanner<'b>
    where
        'a: 'b,
    {
        let own = untouched(&self.own, |own| &own.closure, changed);
        let reached = untouched(&self.reached, |reach| &reach.closure, changed);
        Scanner { parsed: self.parsed, tree, own, reached }
    }

    /// Whether anything stands at a path.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn stands(&self, path: &RepoPath) -> Result<bool, RenderError> {
        Ok(self.tree.entry(path).map_err(|error| RenderError::tree(&error))?.is_some())
    }

    /// What a folder reaches. A kustomization that cannot be read reaches what was looked for until then.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn reach(&self, root: &RepoPath) -> Result<Arc<Reach>, RenderError> {
        if let Some(known) = self.reached.lock().unwrap_or_else(PoisonError::into_inner).get(root) {
            return Ok(Arc::clone(known));
        }
        let own = self.own(root)?;
        let mut reach = Reach {
            closure: own.closure.clone(),
            roots: BTreeSet::new(),
            is_component: own.is_component,
            file: own.file,
        };
        let mut pending = own.listed.clone();
        while let Some(folder) = pending.pop() {
            if folder == *root || !reach.roots.insert(folder.clone()) {
                continue;
            }
            let below = self.own(&folder)?;
            reach.closure.extend(&below.closure);
            pending.extend(below.listed.iter().cloned());
        }
        let reach = Arc::new(reach);
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).insert(root.clone(), Arc::clone(&reach));
        Ok(reach)
    }

    /// What the kustomization in one folder looks for itself.
    fn own(&self, folder: &RepoPath) -> Result<Arc<Own>, RenderError> {
        if let Some(known) = self.own.lock().unwrap_or_else(PoisonError::into_inner).get(folder) {
            return Ok(Arc::clone(known));
        }
        let mut own = Own { closure: Closure::default(), listed: Vec::new(), is_component: false, file: None };
        let mut loader = Loader {
            tree: self.tree,
            parsed: self.parsed,
            restrictor: LoadRestrictor::None,
            root: folder.clone(),
            closure: &mut own.closure,
            schemas: Schemas::BuiltIn,
            is_for_plugin: false,
            has_merged: false,
        };
        let read = loader.enter().and_then(|()| loader.kustomization(None));
        match told(read)? {
            // Such a folder is rendered as the manifests that it holds.
            Some(None) => {
                let root = loader.root.clone();
                loader.closure.hold_folder(&root);
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
        let own = Arc::new(own);
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone(), Arc::clone(&own));
        Ok(own)
    }
}

/// What a kustomization says about the shape of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    is_component: bool,
    listed: Vec<String>,
}

/// The outline of a kustomization file. One that cannot be read has none.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn outline(parsed: &Parsed, tree: &dyn Tree, file: &RepoPath) -> Result<Outline, RenderError> {
    let Some((id, content)) = tree.read(file).map_err(|error| RenderError::tree(&error))? else {
        return Ok(Outline::default());
    };
    let Ok(text) = std::str::from_utf8(&content) else { return Ok(Outline::default()) };
    let read = parsed.kustomization(parsed.files.add(file, id, text));
    let Ok(kustomization) = &*read else { return Ok(Outline::default()) };
    let folders = [
        &kustomization.resources,
        &kustomization.components,
        &kustomization.generators,
        &kustomization.transformers,
        &kustomization.validators,
    ];
    let listed = folders.into_iter().flatten().map(|entry| entry.value.clone()).collect();
    Ok(Outline { is_component: kustomization.is_component, listed })
}

/// Whatever is wrong with a file is the rendering's to tell, as long as the snapshot can be read.
fn told<T>(result: Result<T, RenderError>) -> Result<Option<T>, RenderError> {
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
        if let Some(Listed::Folder(folder)) = told(loader.entry_of(entry))? {
            folders.push(folder);
        }
    }
    for path in kustomization.files() {
        told(loader.entry(&path.value, path.span))?;
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
                    if let Some(Some((found, Entry::Folder(_)))) = told(loader.resolve(&path, None))? {
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
        let others = self.patches_strategic_merge.iter().chain(configured).chain(replacements).cloned();
        patches.chain(others).chain(generated)
    }
}
