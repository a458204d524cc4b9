use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gix::bstr::ByteSlice as _;

use super::worktree::too_large;
use super::{Content, ContentId, Entry, LARGEST_FILE, RepoPath, Tree, TreeError};

/// One Git object database, shared by all trees that are read from it.
pub(super) struct Store {
    repository: Mutex<gix::Repository>,
    /// Decoded trees by id: histories look up the same folders again and again.
    folders: Mutex<HashMap<gix::ObjectId, Arc<Folder>>>,
}

type Folder = Vec<(String, gix::objs::tree::EntryKind, gix::ObjectId)>;

/// How many decoded trees are kept; past it the cache starts again.
const KEPT_FOLDERS: usize = 20_000;

impl Store {
    pub(super) fn new(repository: gix::Repository) -> Self {
        Self { repository: Mutex::new(repository), folders: Mutex::default() }
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&gix::Repository) -> T) -> T {
        work(&self.repository.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn folder(&self, id: gix::ObjectId) -> Result<Arc<Folder>, String> {
        if let Some(known) = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(Arc::clone(known));
        }
        let folder = self.with(|repository| {
            let tree = repository.find_tree(id).map_err(|error| error.to_string())?;
            let mut folder = Folder::new();
            for entry in tree.iter() {
                let entry = entry.map_err(|error| error.to_string())?;
                // A name that is not UTF-8 is told with replacements; nothing can refer to it by name anyway.
                let name = entry.filename().to_str_lossy().into_owned();
                folder.push((name, entry.kind(), entry.object_id()));
            }
            folder.sort_by(|one, other| one.0.cmp(&other.0));
            Ok::<_, String>(Arc::new(folder))
        })?;
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() >= KEPT_FOLDERS {
            folders.clear();
        }
        folders.insert(id, Arc::clone(&folder));
        Ok(folder)
    }

    fn blob(&self, id: gix::ObjectId) -> Result<Arc<[u8]>, String> {
        self.with(|repository| {
            let size = repository.find_header(id).map_err(|error| error.to_string())?.size();
            if size > LARGEST_FILE {
                return Err(too_large(size));
            }
            let mut blob = repository.find_blob(id).map_err(|error| error.to_string())?;
            Ok(Arc::from(blob.take_data()))
        })
    }

    pub(super) fn describe(
        &self,
        kind: gix::objs::tree::EntryKind,
        id: gix::ObjectId,
    ) -> Result<Option<Entry>, String> {
        use gix::objs::tree::EntryKind;
        Ok(match kind {
            EntryKind::Tree => Some(Entry::Folder(Some(ContentId(id)))),
            EntryKind::Blob | EntryKind::BlobExecutable => Some(Entry::File(ContentId(id))),
            EntryKind::Link => Some(Entry::Link(Arc::from(String::from_utf8_lossy(&self.blob(id)?).as_ref()))),
            EntryKind::Commit => Some(Entry::Submodule),
        })
    }

    pub(super) fn read(&self, id: ContentId) -> Result<Arc<[u8]>, String> {
        self.blob(id.0)
    }
}

/// The files of one commit, or of any Git tree.
#[derive(Clone)]
pub struct CommitTree {
    store: Arc<Store>,
    root: gix::ObjectId,
    name: Arc<str>,
}

impl CommitTree {
    pub(super) fn new(store: Arc<Store>, root: gix::ObjectId, name: &str) -> Self {
        Self { store, root, name: Arc::from(name) }
    }

    fn error(&self, path: &RepoPath, why: String) -> TreeError {
        TreeError {
            is_too_large: why.contains(super::worktree::TOO_LARGE),
            path: path.clone(),
            tree: self.name.to_string(),
            why,
        }
    }

    fn find(&self, path: &RepoPath) -> Result<Option<(gix::objs::tree::EntryKind, gix::ObjectId)>, TreeError> {
        let mut found = (gix::objs::tree::EntryKind::Tree, self.root);
        for segment in path.segments() {
            if found.0 != gix::objs::tree::EntryKind::Tree {
                return Ok(None);
            }
            let folder = self.store.folder(found.1).map_err(|why| self.error(path, why))?;
            let Ok(at) = folder.binary_search_by(|entry| entry.0.as_str().cmp(segment)) else { return Ok(None) };
            found = (folder[at].1, folder[at].2);
        }
        Ok(Some(found))
    }
}

impl Tree for CommitTree {
    fn name(&self) -> &str {
        &self.name
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        let Some((kind, id)) = self.find(path)? else { return Ok(None) };
        self.store.describe(kind, id).map_err(|why| self.error(path, why))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        use gix::objs::tree::EntryKind;
        match self.find(path)? {
            Some((EntryKind::Blob | EntryKind::BlobExecutable, id)) => {
                let content = self.store.blob(id).map_err(|why| self.error(path, why))?;
                Ok(Some((ContentId(id), content)))
            }
            _ => Ok(None),
        }
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let Some((gix::objs::tree::EntryKind::Tree, id)) = self.find(folder)? else { return Ok(Vec::new()) };
        let entries = self.store.folder(id).map_err(|why| self.error(folder, why))?;
        let mut children = Vec::with_capacity(entries.len());
        for (name, kind, id) in entries.iter() {
            if let Some(entry) = self.store.describe(*kind, *id).map_err(|why| self.error(folder, why))? {
                children.push((name.clone(), entry));
            }
        }
        Ok(children)
    }
}

/// Some paths of a tree, as a tree of their own.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    children: Vec<(String, Wanted)>,
}

impl Wanted {
    /// Wants these paths.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut here = &mut root;
            for segment in path.segments() {
                let at = match here.children.binary_search_by(|(name, _)| name.as_str().cmp(segment)) {
                    Ok(at) => at,
                    Err(at) => {
                        here.children.insert(at, (segment.to_owned(), Self::default()));
                        at
                    }
                };
                here = &mut here.children[at].1;
            }
        }
        root
    }
}

/// The ids of wanted paths in one tree.
#[derive(Clone, Debug)]
pub struct Snapshot {
    id: Option<gix::ObjectId>,
    children: Vec<Snapshot>,
}

impl Snapshot {
    /// Whether the wanted paths have the same content in both.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if self.id == other.id {
            return true;
        }
        !self.children.is_empty()
            && self.children.len() == other.children.len()
            && self.children.iter().zip(&other.children).all(|(one, other)| one.is_same(other))
    }
}

impl CommitTree {
    /// Looks the wanted paths up. A snapshot of a neighbour spares what is the same there.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn snapshot(&self, wanted: &Wanted, near: Option<&Snapshot>) -> Result<Snapshot, TreeError> {
        self.store.snapshot(Some(self.root), wanted, near).map_err(|why| self.error(&RepoPath::root(), why))
    }
}

impl Store {
    fn snapshot(
        &self,
        id: Option<gix::ObjectId>,
        wanted: &Wanted,
        near: Option<&Snapshot>,
    ) -> Result<Snapshot, String> {
        if let Some(near) = near.filter(|near| near.id == id) {
            return Ok(near.clone());
        }
        let Some(folder) = id.filter(|_| !wanted.children.is_empty()) else {
            return Ok(Snapshot {
                id,
                children: vec![Snapshot { id: None, children: Vec::new() }; wanted.children.len()],
            });
        };
        let mut found: Vec<Option<gix::ObjectId>> = vec![None; wanted.children.len()];
        self.with(|repository| {
            let Ok(object) = repository.find_object(folder) else { return Err(format!("object {folder} is missing")) };
            if object.kind != gix::objs::Kind::Tree {
                return Ok(());
            }
            for entry in gix::objs::TreeRefIter::from_bytes(&object.data, folder.kind()) {
                let entry = entry.map_err(|error| error.to_string())?;
                let name: &[u8] = entry.filename;
                if let Ok(at) = wanted.children.binary_search_by(|(wanted, _)| wanted.as_bytes().cmp(name)) {
                    found[at] = Some(entry.oid.to_owned());
                }
            }
            Ok(())
        })?;
        let children = wanted
            .children
            .iter()
            .zip(found)
            .enumerate()
            .map(|(at, ((_, wanted), id))| self.snapshot(id, wanted, near.and_then(|near| near.children.get(at))));
        Ok(Snapshot { id, children: children.collect::<Result<_, _>>()? })
    }
}
