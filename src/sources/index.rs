use std::collections::BTreeMap;
use std::sync::Arc;

use gix::bstr::ByteSlice as _;

use super::commit::Store;
use super::{Content, Entry, RepoPath, Tree, TreeError};

/// What is staged: the tree that the next commit would have.
pub struct IndexTree {
    store: Arc<Store>,
    files: BTreeMap<RepoPath, (gix::objs::tree::EntryKind, gix::ObjectId)>,
}

impl IndexTree {
    /// Takes the index as it is; an index with unresolved conflicts is refused.
    pub(super) fn new(store: Arc<Store>) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        let index = store.with(gix::Repository::index_or_empty).map_err(|error| error.to_string())?;
        for entry in index.entries() {
            let path = entry.path(&index).to_str_lossy();
            if entry.stage_raw() != 0 {
                return Err(format!("`{path}` has unresolved merge conflicts in the index"));
            }
            let (Some(path), Some(mode)) = (RepoPath::new(&path), entry.mode.to_tree_entry_mode()) else { continue };
            files.insert(path, (mode.kind(), entry.id));
        }
        Ok(Self { store, files })
    }

    fn error(&self, path: &RepoPath, why: String) -> TreeError {
        TreeError {
            is_too_large: why.contains(super::worktree::TOO_LARGE),
            path: path.clone(),
            tree: self.name().to_owned(),
            why,
        }
    }

    fn below(
        &self,
        folder: &RepoPath,
    ) -> impl Iterator<Item = (&RepoPath, &(gix::objs::tree::EntryKind, gix::ObjectId))> {
        let folder = folder.clone();
        let from = self.files.range(folder.clone()..);
        // Paths of one folder are not neighbours (`a.b` sorts between `a` and `a/b`), but share its text as a prefix.
        from.take_while({
            let folder = folder.clone();
            move |(path, _)| path.as_str().starts_with(folder.as_str())
        })
        .filter(move |(path, _)| path.is_within(&folder) && **path != folder)
    }
}

impl Tree for IndexTree {
    fn name(&self) -> &'static str {
        "the index"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        if let Some((kind, id)) = self.files.get(path) {
            return self.store.describe(*kind, *id).map_err(|why| self.error(path, why));
        }
        let holds = path.is_root() || self.below(path).next().is_some();
        Ok(holds.then_some(Entry::Folder(None)))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        let Some(Entry::File(Some(id))) = self.entry(path)? else { return Ok(None) };
        let content = self.store.read(id).map_err(|why| self.error(path, why))?;
        Ok(Some((id, content)))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let depth = folder.segments().count();
        let mut children = BTreeMap::new();
        for (path, (kind, id)) in self.below(folder) {
            let mut below = path.segments().skip(depth);
            let Some(name) = below.next() else { continue };
            if below.next().is_some() {
                children.insert(name.to_owned(), Entry::Folder(None));
            } else if let Some(entry) = self.store.describe(*kind, *id).map_err(|why| self.error(path, why))? {
                children.insert(name.to_owned(), entry);
            }
        }
        Ok(children.into_iter().collect())
    }
}
