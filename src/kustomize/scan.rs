//! What a kustomization would look for, without rendering it: the way to know which overlays a change can reach at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::RenderError;
use super::kustomization::{Kustomization, Text};
use super::loader::{Closure, Listed, LoadRestrictor, Loader, Parsed};
use crate::sources::{RepoPath, Tree};

/// What one folder reaches.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Everything that a rendering would look for; more than that where it fails early.
    pub closure: Closure,
    /// The folders of all kustomizations below, without its own.
    pub roots: Vec<RepoPath>,
    /// Whether the folder is a component.
    pub is_component: bool,
    /// Whether the folder has a kustomization at all.
    pub is_kustomization: bool,
}

/// Looks at the kustomizations of one tree. What was found is kept.
pub struct Scanner<'a> {
    parsed: &'a Parsed,
    tree: &'a dyn Tree,
    known: Mutex<HashMap<RepoPath, Arc<Reach>>>,
}

impl<'a> Scanner<'a> {
    /// Looks at `tree`; files and their parsed forms are shared through `parsed`.
    #[must_use]
    pub fn new(parsed: &'a Parsed, tree: &'a dyn Tree) -> Self {
        Self { parsed, tree, known: Mutex::default() }
    }

    /// Looks at another tree, and takes over what none of the `changed` files touches.
    #[must_use]
    pub fn for_tree<'b>(&self, tree: &'b dyn Tree, changed: &[RepoPath]) -> Scanner<'b>
    where
        'a: 'b,
    {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().filter(|(_, reach)| !reach.closure.touches(changed));
        let same = same.map(|(root, reach)| (root.clone(), Arc::clone(reach))).collect();
        Scanner { parsed: self.parsed, tree, known: Mutex::new(same) }
    }

    /// What a folder reaches. A kustomization that cannot be read reaches what was looked for until then.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read.
    pub fn reach(&self, root: &RepoPath) -> Result<Arc<Reach>, RenderError> {
        self.reach_from(root, &mut Vec::new())
    }

    fn reach_from(&self, root: &RepoPath, chain: &mut Vec<RepoPath>) -> Result<Arc<Reach>, RenderError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(root) {
            return Ok(Arc::clone(known));
        }
        let mut reach = Reach::default();
        let read = self.loader(root, &mut reach.closure).kustomization(None);
        let kustomization = match read {
            Err(error) if error.is_unreadable => return Err(error),
            Ok(None) => {
                // Such a folder is rendered as the manifests that it holds.
                reach.closure.hold_folder(root);
                None
            }
            Err(_) => None,
            Ok(Some(read)) => {
                reach.is_kustomization = true;
                (*read).as_ref().ok().cloned()
            }
        };
        if let Some(kustomization) = kustomization {
            reach.is_component = kustomization.is_component;
            chain.push(root.clone());
            self.follow(root, &kustomization, &mut reach, chain)?;
            chain.pop();
        }
        let reach = Arc::new(reach);
        // What was cut short by a cycle is not the whole truth about a folder in the middle of it.
        if chain.is_empty() || !reach.roots.iter().any(|folder| chain.contains(folder)) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(root.clone(), Arc::clone(&reach));
        }
        Ok(reach)
    }

    fn loader<'b>(&'b self, root: &RepoPath, closure: &'b mut Closure) -> Loader<'b> {
        Loader { tree: self.tree, parsed: self.parsed, restrictor: LoadRestrictor::None, root: root.clone(), closure }
    }

    fn follow(
        &self,
        root: &RepoPath,
        kustomization: &Kustomization,
        reach: &mut Reach,
        chain: &mut Vec<RepoPath>,
    ) -> Result<(), RenderError> {
        for entry in kustomization.resources.iter().chain(&kustomization.components) {
            match self.loader(root, &mut reach.closure).entry_of(entry) {
                Err(error) if error.is_unreadable => return Err(error),
                Err(_) | Ok(Listed::File) => {}
                Ok(Listed::Folder(folder)) => {
                    reach.roots.push(folder.clone());
                    if chain.contains(&folder) {
                        continue;
                    }
                    let below = self.reach_from(&folder, chain)?;
                    reach.closure.extend(&below.closure);
                    reach.roots.extend(below.roots.iter().cloned());
                }
            }
        }
        for path in kustomization.files() {
            // Whatever is wrong with a file is the rendering's to tell; only its place counts here.
            let found = self.loader(root, &mut reach.closure).entry(&path.value, path.span);
            found.map(drop).or_else(|error| if error.is_unreadable { Err(error) } else { Ok(()) })?;
        }
        Ok(())
    }
}

impl Kustomization {
    /// Every file that the kustomization names besides `resources` and `components`.
    fn files(&self) -> impl Iterator<Item = Text> + '_ {
        let patches = self.patches.iter().chain(&self.patches_json6902).filter_map(|patch| patch.path.clone());
        // An entry may be the patch itself, which is no path but harmless as one.
        let merges = self.patches_strategic_merge.iter().filter(|text| !text.value.contains('\n')).cloned();
        let generated = self.config_maps.iter().chain(&self.secrets).flat_map(|generator| {
            let files = generator.files.iter().map(|file| Text {
                value: file.value.rsplit('=').next().unwrap_or_default().to_owned(),
                span: file.span,
            });
            generator.envs.iter().cloned().chain(files)
        });
        patches.chain(merges).chain(generated)
    }
}
