use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gix::bstr::ByteSlice as _;
use gix::objs::tree::{EntryKind, EntryRef};
use parking_lot::{Mutex, RwLock};

use super::commit::Store;
use super::index::names_below;
use super::{Commit, Content, Entry, RepoPath, Tree, TreeError};

/// A snapshot that goes from commit to commit. A step reads what differs and nothing else.
pub struct MovingTree {
    store: Arc<Store>,
    files: RwLock<Files>,
    root: Mutex<Option<gix::ObjectId>>,
}

/// Files by path, and how many lie below each folder.
#[derive(Default)]
struct Files {
    entries: HashMap<RepoPath, (EntryKind, gix::ObjectId)>,
    folders: HashMap<RepoPath, usize>,
}

impl Files {
    fn set(
        &mut self,
        path: &RepoPath,
        entry: Option<(EntryKind, gix::ObjectId)>,
    ) -> Option<(EntryKind, gix::ObjectId)> {
        let old = match entry {
            Some(entry) => self.entries.insert(path.clone(), entry),
            None => self.entries.remove(path),
        };
        if old.is_some() != entry.is_some() {
            for folder in std::iter::successors(path.parent(), RepoPath::parent) {
                let count = self.folders.entry(folder).or_default();
                *count = if entry.is_some() { *count + 1 } else { count.saturating_sub(1) };
            }
        }
        old
    }
}

/// How a path differs after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A file has another content.
    Modified,
    /// A file is new or gone.
    Replaced,
    /// A link or a submodule is, or was, involved.
    Linked,
}

/// A path, and what stands there after a step; `None` for nothing.
type Step = (RepoPath, Option<(EntryKind, gix::ObjectId)>);

impl MovingTree {
    /// A snapshot of nothing.
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, files: RwLock::default(), root: Mutex::default() }
    }

    /// Goes to a commit; says which files and links differ from before, in path order.
    ///
    /// # Errors
    /// When the commit's trees cannot be read.
    pub fn go_to(&self, commit: &Commit) -> Result<Vec<(RepoPath, Difference)>, TreeError> {
        let mut root = self.root.lock();
        let mut steps = Vec::new();
        self.store
            .collect_steps(*root, Some(commit.tree), &RepoPath::root(), &mut steps)
            .map_err(|why| self.error(&RepoPath::root(), why))?;
        *root = Some(commit.tree);
        let mut files = self.files.write();
        let mut changed = BTreeMap::new();
        for (path, entry) in steps {
            let is_link = |entry: &Option<(EntryKind, gix::ObjectId)>| {
                entry.is_some_and(|(kind, _)| !matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable))
            };
            let old = files.set(&path, entry);
            // A removal that an addition follows was seen first.
            let stood = old.is_some() || changed.contains_key(&path);
            let difference = match (stood, entry) {
                _ if is_link(&old) || is_link(&entry) => Difference::Linked,
                (true, Some(_)) => Difference::Modified,
                _ => Difference::Replaced,
            };
            changed.insert(path, difference);
        }
        Ok(changed.into_iter().collect())
    }

    fn error(&self, path: &RepoPath, why: String) -> TreeError {
        let is_too_large = why.contains(super::worktree::TOO_LARGE);
        TreeError { is_too_large, path: path.clone(), tree: self.name().to_owned(), why }
    }
}

impl Tree for MovingTree {
    fn name(&self) -> &'static str {
        "the base branch's history"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        let files = self.files.read();
        if let Some((kind, id)) = files.entries.get(path) {
            return self.store.describe(*kind, *id).map_err(|why| self.error(path, why));
        }
        let holds = path.is_root() || files.folders.get(path).is_some_and(|count| *count > 0);
        Ok(holds.then_some(Entry::Folder(None)))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        let Some(Entry::File(Some(id))) = self.entry(path)? else { return Ok(None) };
        let content = self.store.read(id).map_err(|why| self.error(path, why))?;
        Ok(Some((id, content)))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let files = self.files.read();
        let below = files.entries.iter().filter(|(path, _)| path.is_within(folder) && *path != folder);
        names_below(below, &self.store, folder).map_err(|why| self.error(folder, why))
    }
}

/// An entry of a folder: its name, kind and id.
type Named = (Vec<u8>, EntryKind, gix::ObjectId);

impl Store {
    /// Adds the files that differ between two folders, removed ones first.
    fn collect_steps(
        &self,
        old: Option<gix::ObjectId>,
        new: Option<gix::ObjectId>,
        folder: &RepoPath,
        steps: &mut Vec<Step>,
    ) -> Result<(), String> {
        if old == new {
            return Ok(());
        }
        let (removed, added) = self.differences(old, new)?;
        let path = |name: &[u8]| folder.child(&name.to_str_lossy());
        let folder_in = |entries: &[Named], name: &[u8]| {
            let found = entries.iter().find(|(known, kind, _)| known == name && *kind == EntryKind::Tree);
            found.map(|(.., id)| *id)
        };
        for (name, kind, id) in &removed {
            if *kind == EntryKind::Tree {
                self.collect_steps(Some(*id), folder_in(&added, name), &path(name), steps)?;
            } else {
                steps.push((path(name), None));
            }
        }
        for (name, kind, id) in &added {
            if *kind != EntryKind::Tree {
                steps.push((path(name), Some((*kind, *id))));
            } else if folder_in(&removed, name).is_none() {
                self.collect_steps(None, Some(*id), &path(name), steps)?;
            }
        }
        Ok(())
    }

    /// The entries of two folders that are not the same in both.
    fn differences(
        &self,
        old: Option<gix::ObjectId>,
        new: Option<gix::ObjectId>,
    ) -> Result<(Vec<Named>, Vec<Named>), String> {
        self.reading(|repository| {
            let data = |id: Option<gix::ObjectId>| match id {
                None => Ok(None),
                Some(id) => {
                    repository.find_tree(id).map(|tree| Some(tree.detach().data)).map_err(|error| error.to_string())
                }
            };
            let (old_data, new_data) = (data(old)?.unwrap_or_default(), data(new)?.unwrap_or_default());
            let hash = repository.object_hash();
            let mut old_entries = gix::objs::TreeRefIter::from_bytes(&old_data, hash).peekable();
            let mut new_entries = gix::objs::TreeRefIter::from_bytes(&new_data, hash).peekable();
            let (mut removed, mut added) = (Vec::new(), Vec::new());
            let named = |entry: &EntryRef<'_>| (entry.filename.to_vec(), entry.mode.kind(), entry.oid.to_owned());
            loop {
                let (old, new) = match (old_entries.peek(), new_entries.peek()) {
                    (Some(Err(error)), _) | (_, Some(Err(error))) => return Err(error.to_string()),
                    (None, None) => return Ok((removed, added)),
                    (Some(Ok(old)), None) => (Some(old), None),
                    (None, Some(Ok(new))) => (None, Some(new)),
                    (Some(Ok(old)), Some(Ok(new))) => match old.cmp(new) {
                        Ordering::Less => (Some(old), None),
                        Ordering::Greater => (None, Some(new)),
                        Ordering::Equal => (Some(old), Some(new)),
                    },
                };
                let is_same = |(old, new): (&EntryRef<'_>, &EntryRef<'_>)| old.oid == new.oid && old.mode == new.mode;
                if !old.zip(new).is_some_and(is_same) {
                    removed.extend(old.map(named));
                    added.extend(new.map(named));
                }
                let (steps_old, steps_new) = (old.is_some(), new.is_some());
                if steps_old {
                    old_entries.next();
                }
                if steps_new {
                    new_entries.next();
                }
            }
        })
    }
}
