use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Content, ContentId, Entry, RepoPath, Tree, TreeError};

/// A snapshot in which some paths are different: what a change that nobody has written yet would make of it.
pub struct EditedTree<T> {
    inner: T,
    edits: BTreeMap<RepoPath, Edit>,
}

/// What is at a path instead.
enum Edit {
    File(ContentId, Arc<[u8]>),
    Link(Arc<str>),
    Nothing,
}

impl<T: Tree> EditedTree<T> {
    /// Changes files of `inner`; paths at which it has no file are left out.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn new(inner: T, texts: &BTreeMap<RepoPath, String>) -> Result<Self, TreeError> {
        let mut edited = Self::of(inner);
        for (path, text) in texts {
            if let Some((old, _)) = edited.inner.read(path)? {
                edited.edits.insert(path.clone(), file(old, text));
            }
        }
        Ok(edited)
    }

    /// The same snapshot, to be edited.
    pub fn of(inner: T) -> Self {
        Self { inner, edits: BTreeMap::new() }
    }

    /// Writes a file.
    pub fn write(&mut self, path: RepoPath, text: &str) {
        let any = ContentId::of(b"");
        self.edits.insert(path, file(any, text));
    }

    /// Makes a symbolic link.
    pub fn link(&mut self, path: RepoPath, target: &str) {
        self.edits.insert(path, Edit::Link(Arc::from(target)));
    }

    /// Removes a file.
    pub fn remove(&mut self, path: RepoPath) {
        self.edits.insert(path, Edit::Nothing);
    }

    fn adds_below(&self, folder: &RepoPath) -> bool {
        self.edits.iter().any(|(path, edit)| path.is_within(folder) && path != folder && !matches!(edit, Edit::Nothing))
    }

    /// What `inner` says of a path, corrected: an id of a folder does not count where something in it differs, and a folder
    /// from which everything was removed is not there.
    fn corrected(&self, path: &RepoPath, entry: Entry) -> Result<Option<Entry>, TreeError> {
        let is_touched = || self.edits.keys().any(|edited| edited.is_within(path));
        Ok(match entry {
            Entry::Folder(_) if is_touched() => {
                let is_left = path.is_root() || !self.children(path)?.is_empty();
                is_left.then_some(Entry::Folder(None))
            }
            other => Some(other),
        })
    }
}

fn file(like: ContentId, text: &str) -> Edit {
    Edit::File(ContentId::of_kind(like.0.kind(), text.as_bytes()), Arc::from(text.as_bytes()))
}

impl Edit {
    fn entry(&self) -> Option<Entry> {
        match self {
            Self::File(id, _) => Some(Entry::File(Some(*id))),
            Self::Link(target) => Some(Entry::Link(Arc::clone(target))),
            Self::Nothing => None,
        }
    }
}

impl<T: Tree> Tree for EditedTree<T> {
    fn name(&self) -> &'static str {
        "the change"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        if let Some(edit) = self.edits.get(path) {
            return Ok(edit.entry());
        }
        match self.inner.entry(path)? {
            Some(entry) => self.corrected(path, entry),
            None => Ok(self.adds_below(path).then_some(Entry::Folder(None))),
        }
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        match self.edits.get(path) {
            Some(Edit::File(id, content)) => Ok(Some((*id, Arc::clone(content)))),
            Some(_) => Ok(None),
            None => self.inner.read(path),
        }
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let mut children = BTreeMap::new();
        for (name, entry) in self.inner.children(folder)? {
            let path = folder.child(&name);
            let entry = match self.edits.get(&path) {
                Some(edit) => edit.entry(),
                None => self.corrected(&path, entry)?,
            };
            children.extend(entry.map(|entry| (name, entry)));
        }
        let depth = folder.segments().count();
        for (path, edit) in self.edits.iter().filter(|(path, _)| path.is_within(folder) && *path != folder) {
            let mut below = path.segments().skip(depth);
            let Some(name) = below.next() else { continue };
            let entry = if below.next().is_some() { Some(Entry::Folder(None)) } else { edit.entry() };
            if let Some(entry) = entry.filter(|_| !matches!(edit, Edit::Nothing)) {
                children.insert(name.to_owned(), entry);
            }
        }
        Ok(children.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{MemoryTree, changed};

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    #[test]
    fn only_what_was_edited_differs() {
        let tree = MemoryTree::new([("a/b.yaml", "one"), ("a/c.yaml", "two"), ("d.yaml", "three")]);
        let texts = [(path("a/b.yaml"), "other".to_owned()), (path("absent"), "x".to_owned())];
        let edited = EditedTree::new(tree.clone(), &texts.into()).unwrap();
        assert_eq!(changed(&tree, &edited).unwrap(), [path("a/b.yaml")]);
    }

    #[test]
    fn files_come_and_go_with_their_folders() {
        let tree = MemoryTree::new([("a/b.yaml", "one"), ("d.yaml", "three")]);
        let mut edited = EditedTree::of(tree.clone());
        edited.remove(path("a/b.yaml"));
        edited.write(path("e/f/g.yaml"), "new");
        edited.link(path("h"), "e");
        assert_eq!(changed(&tree, &edited).unwrap(), ["a/b.yaml", "e/f/g.yaml", "h"].map(path));
        assert_eq!(edited.entry(&path("a")).unwrap(), None);
        assert_eq!(edited.entry(&path("e/f")).unwrap(), Some(Entry::Folder(None)));
        let names: Vec<String> =
            edited.children(&RepoPath::root()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["d.yaml", "e", "h"]);
    }
}
