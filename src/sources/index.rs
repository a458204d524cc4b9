use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::Store;
use super::path::entry_name;
use super::{Content, Entry, ReadError, RepoPath, Tree, TreeError};

/// What is staged: the tree that the next commit would have.
pub struct IndexTree {
    store: Arc<Store>,
    files: Flat,
}

impl IndexTree {
    /// Takes the index as it is; an index with unresolved conflicts is refused.
    pub(super) fn new(store: Arc<Store>) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        let index = store.with(gix::Repository::index_or_empty).map_err(|error| error.to_string())?;
        for entry in index.entries() {
            let path: Vec<String> = entry.path(&index).split(|byte| *byte == b'/').map(entry_name).collect();
            let path = path.join("/");
            if entry.stage_raw() != 0 {
                return Err(format!("`{path}` has unresolved merge conflicts in the index"));
            }
            let path = path.split('/').fold(RepoPath::root(), |folder, name| folder.child(name));
            let Some(mode) = entry.mode.to_tree_entry_mode() else { continue };
            files.insert(path, (mode.kind(), entry.id));
        }
        Ok(Self { store, files })
    }

    fn error(&self, path: &RepoPath, why: ReadError) -> TreeError {
        TreeError { path: path.clone(), tree: self.name().to_owned(), why }
    }
}

/// Files by path.
type Flat = BTreeMap<RepoPath, (gix::objs::tree::EntryKind, gix::ObjectId)>;

fn below<'a>(
    files: &'a Flat,
    folder: &RepoPath,
) -> impl Iterator<Item = (&'a RepoPath, &'a (gix::objs::tree::EntryKind, gix::ObjectId))> {
    let (start, folder) = (folder.clone(), folder.clone());
    // Paths of one folder are not neighbours (`a.b` sorts between `a` and `a/b`), but share its text as a prefix.
    let from = files.range(folder.clone()..).take_while(move |(path, _)| path.as_str().starts_with(start.as_str()));
    from.filter(move |(path, _)| path.is_within(&folder) && **path != folder)
}

/// What stands at a path among such files.
fn entry_below(files: &Flat, store: &Store, path: &RepoPath) -> Result<Option<Entry>, ReadError> {
    if let Some((kind, id)) = files.get(path) {
        return store.describe(*kind, *id);
    }
    let holds = path.is_root() || below(files, path).next().is_some();
    Ok(holds.then_some(Entry::Folder(None)))
}

/// The entries of a folder, by the files below it.
pub(super) fn names_below<'a>(
    files: impl Iterator<Item = (&'a RepoPath, &'a (gix::objs::tree::EntryKind, gix::ObjectId))>,
    store: &Store,
    folder: &RepoPath,
) -> Result<Vec<(String, Entry)>, ReadError> {
    let depth = folder.segments().count();
    let mut children = BTreeMap::new();
    for (path, (kind, id)) in files {
        let mut below = path.segments().skip(depth);
        let Some(name) = below.next() else { continue };
        if below.next().is_some() {
            children.insert(name.to_owned(), Entry::Folder(None));
        } else if let Some(entry) = store.describe(*kind, *id)? {
            children.insert(name.to_owned(), entry);
        }
    }
    Ok(children.into_iter().collect())
}

impl Tree for IndexTree {
    fn name(&self) -> &'static str {
        "the index"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        entry_below(&self.files, &self.store, path).map_err(|why| self.error(path, why))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        let Some(Entry::File(Some(id))) = self.entry(path)? else { return Ok(None) };
        let content = self.store.read(id).map_err(|why| self.error(path, why))?;
        Ok(Some((id, content)))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        names_below(below(&self.files, folder), &self.store, folder).map_err(|why| self.error(folder, why))
    }
}
