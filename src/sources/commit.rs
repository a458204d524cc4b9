use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::path::entry_name;
use super::{Content, ContentId, Entry, LARGEST_FILE, ReadError, RepoPath, Tree, TreeError};

/// One Git object database, shared by all trees that are read from it.
pub(super) struct Store {
    repository: Mutex<gix::Repository>,
    /// Copies that nobody reads with at the moment: threads do not wait for each other.
    idle: Mutex<Idle>,
    /// Decoded trees by id: histories look up the same folders again and again.
    folders: Mutex<HashMap<gix::ObjectId, Arc<Folder>>>,
    /// What was looked up in folders of neighbouring commits: the overlays of an app share most of their way.
    looked_up: Mutex<HashMap<gix::ObjectId, LookedUp>>,
}

/// Copies of one generation: what was written to memory after they were made they do not know.
#[derive(Default)]
struct Idle {
    generation: usize,
    copies: Vec<gix::Repository>,
}

/// Some children of a folder by name; `None` where it has none of that name.
type LookedUp = Vec<(String, Option<Child>)>;

/// What stands at a name: an id alone does not tell a file from a link with the same text.
type Child = (gix::objs::tree::EntryKind, gix::ObjectId);

/// The entries of a folder by name.
type Folder = Vec<FolderEntry>;

struct FolderEntry {
    name: String,
    child: Child,
}

/// How many decoded trees are kept; past it the cache starts again.
const KEPT_FOLDERS: usize = 20_000;

/// How many folders in which something was looked up are kept; past it the cache starts again.
const KEPT_LOOKUPS: usize = 100_000;

impl Store {
    pub(super) fn new(repository: gix::Repository) -> Self {
        Self {
            repository: Mutex::new(repository),
            idle: Mutex::default(),
            folders: Mutex::default(),
            looked_up: Mutex::default(),
        }
    }

    /// For all but reading objects; what is written to memory here is known to whoever reads afterwards.
    pub(super) fn with<T>(&self, work: impl FnOnce(&gix::Repository) -> T) -> T {
        let result = work(&self.repository.lock());
        let mut idle = self.idle.lock();
        idle.generation += 1;
        idle.copies.clear();
        result
    }

    /// For reading objects, on many threads at once.
    pub(super) fn reading<T>(&self, work: impl FnOnce(&gix::Repository) -> T) -> T {
        let (generation, copy) = {
            let mut idle = self.idle.lock();
            (idle.generation, idle.copies.pop())
        };
        let repository = copy.unwrap_or_else(|| self.repository.lock().clone());
        let result = work(&repository);
        let mut idle = self.idle.lock();
        if idle.generation == generation {
            idle.copies.push(repository);
        }
        result
    }

    fn folder(&self, id: gix::ObjectId) -> Result<Arc<Folder>, ReadError> {
        if let Some(known) = self.folders.lock().get(&id) {
            return Ok(Arc::clone(known));
        }
        let folder = self.reading(|repository| {
            let tree = repository.find_tree(id).map_err(ReadError::damaged)?;
            let (mut folder, mut previous) = (Folder::new(), None::<Vec<u8>>);
            for entry in tree.iter() {
                let entry = entry.map_err(ReadError::damaged)?;
                let name = entry_name(entry.filename());
                let is_folder = entry.kind() == gix::objs::tree::EntryKind::Tree;
                let key = sort_key(entry.filename(), is_folder);
                if previous.as_ref().is_some_and(|previous| *previous >= key) {
                    return Err(ReadError::Damaged(format!("the tree {id} is not sorted, or names something twice")));
                }
                previous = Some(key);
                folder.push(FolderEntry { name, child: (entry.kind(), entry.object_id()) });
            }
            folder.sort_by(|one, other| one.name.cmp(&other.name));
            if folder.windows(2).any(|pair| pair[0].name == pair[1].name) {
                return Err(ReadError::Damaged(format!("the tree {id} names something twice")));
            }
            Ok::<_, ReadError>(Arc::new(folder))
        })?;
        let mut folders = self.folders.lock();
        if folders.len() >= KEPT_FOLDERS {
            folders.clear();
        }
        folders.insert(id, Arc::clone(&folder));
        Ok(folder)
    }

    fn blob(&self, id: gix::ObjectId) -> Result<Arc<[u8]>, ReadError> {
        self.reading(|repository| {
            let size = repository.find_header(id).map_err(ReadError::damaged)?.size();
            if size > LARGEST_FILE {
                return Err(ReadError::TooLarge(size));
            }
            let mut blob = repository.find_blob(id).map_err(ReadError::damaged)?;
            Ok(Arc::from(blob.take_data()))
        })
    }

    pub(super) fn describe(
        &self,
        kind: gix::objs::tree::EntryKind,
        id: gix::ObjectId,
    ) -> Result<Option<Entry>, ReadError> {
        use gix::objs::tree::EntryKind;
        Ok(match kind {
            EntryKind::Tree => Some(Entry::Folder(Some(ContentId(id)))),
            EntryKind::Blob | EntryKind::BlobExecutable => Some(Entry::File(Some(ContentId(id)))),
            EntryKind::Link => Some(Entry::Link(Arc::from(String::from_utf8_lossy(&self.blob(id)?).as_ref()))),
            EntryKind::Commit => Some(Entry::Submodule),
        })
    }

    pub(super) fn read(&self, id: ContentId) -> Result<Arc<[u8]>, ReadError> {
        self.blob(id.0)
    }
}

/// By what Git sorts the entries of a tree: a folder's name as if it ended in `/`.
fn sort_key(name: &[u8], is_folder: bool) -> Vec<u8> {
    let mut key = name.to_vec();
    key.extend(is_folder.then_some(b'/'));
    key
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

    fn error(&self, path: &RepoPath, why: ReadError) -> TreeError {
        TreeError { path: path.clone(), tree: self.name.to_string(), why }
    }

    fn find(&self, path: &RepoPath) -> Result<Option<(gix::objs::tree::EntryKind, gix::ObjectId)>, TreeError> {
        let mut found = (gix::objs::tree::EntryKind::Tree, self.root);
        for segment in path.segments() {
            if found.0 != gix::objs::tree::EntryKind::Tree {
                return Ok(None);
            }
            let folder = self.store.folder(found.1).map_err(|why| self.error(path, why))?;
            let Ok(at) = folder.binary_search_by(|entry| entry.name.as_str().cmp(segment)) else { return Ok(None) };
            found = folder[at].child;
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
        for FolderEntry { name, child: (kind, id) } in entries.iter() {
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
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    id: Option<Child>,
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
    /// Looks the wanted paths up.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn snapshot(&self, wanted: &Wanted) -> Result<Snapshot, TreeError> {
        let mut snapshots = Self::snapshots(std::slice::from_ref(self), wanted)?;
        Ok(snapshots.pop().unwrap_or_default())
    }

    /// Looks the wanted paths up in trees of neighbouring commits of one repository, in their order.
    ///
    /// # Errors
    /// When one of the trees cannot be read.
    pub fn snapshots(trees: &[Self], wanted: &Wanted) -> Result<Vec<Snapshot>, TreeError> {
        let Some(first) = trees.first() else { return Ok(Vec::new()) };
        let roots: Vec<_> = trees.iter().map(|tree| Some((gix::objs::tree::EntryKind::Tree, tree.root))).collect();
        first.store.snapshots(&roots, wanted).map_err(|why| first.error(&RepoPath::root(), why))
    }
}

impl Store {
    fn snapshots(&self, ids: &[Option<Child>], wanted: &Wanted) -> Result<Vec<Snapshot>, ReadError> {
        let mut distinct: Vec<Option<Child>> = ids.to_vec();
        distinct.dedup();
        let mut snapshots: Vec<_> = distinct.iter().map(|id| Snapshot { id: *id, children: Vec::new() }).collect();
        if !wanted.children.is_empty() {
            let found = self.find_in_folders(&distinct, wanted)?;
            for (at, (_, wanted)) in wanted.children.iter().enumerate() {
                let below: Vec<_> = found.iter().map(|found| found[at]).collect();
                for (snapshot, child) in snapshots.iter_mut().zip(self.snapshots(&below, wanted)?) {
                    snapshot.children.push(child);
                }
            }
        }
        let mut at = 0;
        let expand = |id: &Option<Child>| {
            at += usize::from(snapshots[at].id != *id);
            snapshots[at].clone()
        };
        Ok(ids.iter().map(expand).collect())
    }

    /// Whether one of two versions of a folder is put together from fewer differences than the other.
    ///
    /// A pack stores versions of a folder as a chain of differences: onto the older version where it was pushed or
    /// imported, onto the newer one after `git repack`. Read from the end that stands on its own, each further version
    /// costs one difference; from the other end it costs the whole chain.
    pub(super) fn stands_on_its_own(&self, folder: gix::ObjectId, other: gix::ObjectId) -> bool {
        self.reading(|repository| {
            let differences = |id: gix::ObjectId| repository.find_header(id).ok()?.num_deltas();
            differences(folder) < differences(other)
        })
    }

    /// For each folder, the ids of the wanted children, in their order.
    ///
    /// See [`Store::stands_on_its_own`] for the order in which they are read.
    fn find_in_folders(
        &self,
        folders: &[Option<Child>],
        wanted: &Wanted,
    ) -> Result<Vec<Vec<Option<Child>>>, ReadError> {
        let is_tree = |(kind, id): &Child| Some(*id).filter(|_| *kind == gix::objs::tree::EntryKind::Tree);
        let folders: Vec<Option<gix::ObjectId>> =
            folders.iter().map(|folder| folder.as_ref().and_then(is_tree)).collect();
        let mut found = vec![vec![None; wanted.children.len()]; folders.len()];
        let mut looked_up = self.looked_up.lock();
        let mut order: Vec<usize> = Vec::new();
        for (at, found) in found.iter_mut().enumerate() {
            let known = folders[at].and_then(|folder| looked_up.get(&folder));
            let get = |name: &String| known?.iter().find(|(known, _)| known == name).map(|(_, id)| *id);
            let children: Option<Vec<_>> = wanted.children.iter().map(|(name, _)| get(name)).collect();
            match children {
                Some(children) => *found = children,
                None => order.extend(folders[at].map(|_| at)),
            }
        }
        self.reading(|repository| {
            let differences = |at: Option<&usize>| {
                let id = folders[*at?]?;
                repository.find_header(id).ok()?.num_deltas()
            };
            if differences(order.first()) > differences(order.get(1)) {
                order.reverse();
            }
            for at in order {
                let Some(folder) = folders[at] else { continue };
                let Ok(object) = repository.find_object(folder) else {
                    return Err(ReadError::Damaged(format!("object {folder} is missing")));
                };
                if object.kind == gix::objs::Kind::Tree {
                    children_of(&object.data, folder.kind(), wanted, &mut found[at])?;
                }
                if looked_up.len() >= KEPT_LOOKUPS {
                    looked_up.clear();
                }
                let children = wanted.children.iter().zip(&found[at]).map(|((name, _), id)| (name.clone(), *id));
                looked_up.entry(folder).or_default().extend(children);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Looks the wanted children up in the bytes of a folder.
fn children_of(
    data: &[u8],
    hash: gix::hash::Kind,
    wanted: &Wanted,
    found: &mut [Option<Child>],
) -> Result<(), ReadError> {
    use gix::objs::tree::EntryKind;
    let mut left = wanted.children.len();
    for entry in gix::objs::TreeRefIter::from_bytes(data, hash) {
        let entry = entry.map_err(ReadError::damaged)?;
        let name: &[u8] = entry.filename;
        if let Ok(at) = wanted.children.binary_search_by(|(wanted, _)| wanted.as_bytes().cmp(name)) {
            let kind = match entry.mode.kind() {
                EntryKind::BlobExecutable => EntryKind::Blob,
                kind => kind,
            };
            found[at] = Some((kind, entry.oid.to_owned()));
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}
