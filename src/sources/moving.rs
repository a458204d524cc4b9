use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gix::objs::tree::{EntryKind, EntryRef};
use parking_lot::{Mutex, RwLock};
use rayon::prelude::*;

use super::commit::Store;
use super::path::entry_name;
use super::{Commit, Content, Entry, ReadError, RepoPath, Tree, TreeError};

/// A snapshot that goes from commit to commit. A step reads what differs and nothing else.
pub struct MovingTree {
    store: Arc<Store>,
    files: RwLock<Files>,
    root: Mutex<Option<gix::ObjectId>>,
    /// Steps that were looked up ahead.
    planned: Mutex<HashMap<(gix::ObjectId, gix::ObjectId), Vec<Step>>>,
}

/// How many neighbouring commits are looked up by one thread.
const TOGETHER: usize = 64;

/// A file's or a link's kind and id.
type Blob = (EntryKind, gix::ObjectId);

/// Files by path, and what each folder holds: how many files there are at or below each name.
#[derive(Default)]
struct Files {
    entries: HashMap<RepoPath, Blob>,
    folders: HashMap<RepoPath, BTreeMap<String, usize>>,
}

impl Files {
    fn set(&mut self, path: &RepoPath, entry: Option<Blob>) -> Option<Blob> {
        let old = match entry {
            Some(entry) => self.entries.insert(path.clone(), entry),
            None => self.entries.remove(path),
        };
        if old.is_some() != entry.is_some() {
            let mut child = path.clone();
            while let Some(folder) = child.parent() {
                let names = self.folders.entry(folder.clone()).or_default();
                let count = names.entry(child.file_name().to_owned()).or_default();
                *count = if entry.is_some() { *count + 1 } else { count.saturating_sub(1) };
                if *count == 0 {
                    names.remove(child.file_name());
                    if names.is_empty() {
                        self.folders.remove(&folder);
                    }
                }
                child = folder;
            }
        }
        old
    }
}

/// A path at which something else stands after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedPath {
    /// The path.
    pub path: RepoPath,
    /// What stood there.
    pub old: Option<LeafKind>,
    /// What is there now.
    pub new: Option<LeafKind>,
}

impl MovedPath {
    /// Whether it is a file before and after, with another content.
    #[must_use]
    pub fn is_modified_file(&self) -> bool {
        self.old == Some(LeafKind::File) && self.new == Some(LeafKind::File)
    }
}

/// What stands at a path that is not a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafKind {
    /// A file.
    File,
    /// A link or a submodule: more may stand behind it.
    Other,
}

impl LeafKind {
    fn of((kind, _): Blob) -> Self {
        if matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable) { Self::File } else { Self::Other }
    }
}

/// A path, and what is there after a step; `None` for nothing.
type Step = (RepoPath, Option<Blob>);

impl MovingTree {
    /// A snapshot of nothing.
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, files: RwLock::default(), root: Mutex::default(), planned: Mutex::default() }
    }

    /// Looks up what differs between neighbouring commits, on many threads, before the tree goes from one to the next.
    ///
    /// # Errors
    /// When a commit's trees cannot be read.
    pub fn plan(&self, commits: &[Commit]) -> Result<(), TreeError> {
        let mut roots: Vec<gix::ObjectId> = commits.iter().map(|commit| commit.tree).collect();
        roots.dedup();
        let pairs: Vec<[gix::ObjectId; 2]> = roots.windows(2).map(|pair| [pair[0], pair[1]]).collect();
        let found = pairs.par_chunks(TOGETHER).map(|pairs| self.store.steps_between(pairs)).collect::<Vec<_>>();
        let mut planned = self.planned.lock();
        planned.clear();
        for (pairs, steps) in pairs.chunks(TOGETHER).zip(found) {
            let steps = steps.map_err(|why| self.error(&RepoPath::root(), why))?;
            planned.extend(pairs.iter().map(|[old, new]| (*old, *new)).zip(steps));
        }
        Ok(())
    }

    /// Goes to a commit; says which files and links differ from before, in path order.
    ///
    /// # Errors
    /// When the commit's trees cannot be read.
    pub fn go_to(&self, commit: &Commit) -> Result<Vec<MovedPath>, TreeError> {
        let mut root = self.root.lock();
        let planned = root.and_then(|root| self.planned.lock().remove(&(root, commit.tree)));
        let steps = match planned {
            Some(steps) => steps,
            None => self.store.steps(*root, commit.tree).map_err(|why| self.error(&RepoPath::root(), why))?,
        };
        *root = Some(commit.tree);
        let mut files = self.files.write();
        let mut moved: BTreeMap<RepoPath, MovedPath> = BTreeMap::new();
        for (path, entry) in steps {
            let old = files.set(&path, entry).map(LeafKind::of);
            let new = entry.map(LeafKind::of);
            // A removal that an addition follows was seen first.
            let old = moved.get(&path).map_or(old, |earlier| earlier.old);
            moved.insert(path.clone(), MovedPath { path, old, new });
        }
        Ok(moved.into_values().collect())
    }

    fn error(&self, path: &RepoPath, why: ReadError) -> TreeError {
        TreeError { path: path.clone(), tree: self.name().to_owned(), why }
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
        let holds = path.is_root() || files.folders.contains_key(path);
        Ok(holds.then_some(Entry::Folder(None)))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        let Some(Entry::File(Some(id))) = self.entry(path)? else { return Ok(None) };
        let content = self.store.read(id).map_err(|why| self.error(path, why))?;
        Ok(Some((id, content)))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let files = self.files.read();
        let mut children = Vec::new();
        for name in files.folders.get(folder).into_iter().flat_map(BTreeMap::keys) {
            let found = files.entries.get(&folder.child(name));
            let entry = match found {
                Some((kind, id)) => self.store.describe(*kind, *id).map_err(|why| self.error(folder, why))?,
                None => Some(Entry::Folder(None)),
            };
            children.extend(entry.map(|entry| (name.clone(), entry)));
        }
        Ok(children)
    }
}

/// An entry of a folder.
struct Named {
    name: Vec<u8>,
    kind: EntryKind,
    id: gix::ObjectId,
}

impl Store {
    fn steps(&self, old: Option<gix::ObjectId>, new: gix::ObjectId) -> Result<Vec<Step>, ReadError> {
        let mut steps = Vec::new();
        self.collect_steps(old, Some(new), &RepoPath::root(), &mut steps)?;
        Ok(steps)
    }

    /// The steps between pairs of neighbouring trees, in their order. See [`Store::stands_on_its_own`] for the order in
    /// which they are read.
    fn steps_between(&self, pairs: &[[gix::ObjectId; 2]]) -> Result<Vec<Vec<Step>>, ReadError> {
        let steps = |pair: &[gix::ObjectId; 2]| self.steps(Some(pair[0]), pair[1]);
        let (Some([first, _]), Some([_, last])) = (pairs.first(), pairs.last()) else { return Ok(Vec::new()) };
        if self.stands_on_its_own(*last, *first) {
            let mut found = pairs.iter().rev().map(steps).collect::<Result<Vec<_>, _>>()?;
            found.reverse();
            return Ok(found);
        }
        pairs.iter().map(steps).collect()
    }

    /// Adds the files that differ between two folders, removed ones first.
    fn collect_steps(
        &self,
        old: Option<gix::ObjectId>,
        new: Option<gix::ObjectId>,
        folder: &RepoPath,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReadError> {
        if old == new {
            return Ok(());
        }
        let (removed, added) = self.differences(old, new)?;
        let path = |name: &[u8]| folder.child(&entry_name(name));
        let folder_in = |entries: &[Named], name: &[u8]| {
            let found = entries.iter().find(|entry| entry.name == name && entry.kind == EntryKind::Tree);
            found.map(|entry| entry.id)
        };
        for Named { name, kind, id } in &removed {
            if *kind == EntryKind::Tree {
                self.collect_steps(Some(*id), folder_in(&added, name), &path(name), steps)?;
            } else {
                steps.push((path(name), None));
            }
        }
        for Named { name, kind, id } in &added {
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
    ) -> Result<(Vec<Named>, Vec<Named>), ReadError> {
        self.reading(|repository| {
            let data = |id: Option<gix::ObjectId>| match id {
                None => Ok(None),
                Some(id) => repository.find_tree(id).map(|tree| Some(tree.detach().data)).map_err(ReadError::damaged),
            };
            let (old_data, new_data) = (data(old)?.unwrap_or_default(), data(new)?.unwrap_or_default());
            let hash = repository.object_hash();
            let mut old_entries = gix::objs::TreeRefIter::from_bytes(&old_data, hash).peekable();
            let mut new_entries = gix::objs::TreeRefIter::from_bytes(&new_data, hash).peekable();
            let (mut removed, mut added) = (Vec::new(), Vec::new());
            let named = |entry: &EntryRef<'_>| Named {
                name: entry.filename.to_vec(),
                kind: entry.mode.kind(),
                id: entry.oid.to_owned(),
            };
            loop {
                let (old, new) = match (old_entries.peek(), new_entries.peek()) {
                    (Some(Err(error)), _) | (_, Some(Err(error))) => return Err(ReadError::damaged(error)),
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
