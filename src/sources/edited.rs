use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Content, ContentId, Entry, RepoPath, Tree, TreeError};

/// A snapshot in which some files have another content: what a change that nobody has written yet would make of it.
pub struct EditedTree<T> {
    inner: T,
    files: BTreeMap<RepoPath, (ContentId, Arc<[u8]>)>,
}

impl<T: Tree> EditedTree<T> {
    /// Changes files of `inner`; paths at which it has no file are left out.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn new(inner: T, texts: &BTreeMap<RepoPath, String>) -> Result<Self, TreeError> {
        let mut files = BTreeMap::new();
        for (path, text) in texts {
            if let Some((old, _)) = inner.read(path)? {
                let id = ContentId::of_kind(old.0.kind(), text.as_bytes());
                files.insert(path.clone(), (id, Arc::from(text.as_bytes())));
            }
        }
        Ok(Self { inner, files })
    }

    /// What `inner` says of a path, corrected: an id of a folder does not count where something in it differs.
    fn corrected(&self, path: &RepoPath, entry: Entry) -> Entry {
        match (entry, self.files.get(path)) {
            (Entry::File(_), Some((id, _))) => Entry::File(Some(*id)),
            (Entry::Folder(_), _) if self.files.keys().any(|file| file.is_within(path)) => Entry::Folder(None),
            (entry, _) => entry,
        }
    }
}

impl<T: Tree> Tree for EditedTree<T> {
    fn name(&self) -> &'static str {
        "the change"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.inner.entry(path)?.map(|entry| self.corrected(path, entry)))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        match self.files.get(path) {
            Some((id, content)) => Ok(Some((*id, Arc::clone(content)))),
            None => self.inner.read(path),
        }
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let children = self.inner.children(folder)?;
        let corrected = |(name, entry): (String, Entry)| {
            let entry = self.corrected(&folder.child(&name), entry);
            (name, entry)
        };
        Ok(children.into_iter().map(corrected).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{MemoryTree, changed};

    #[test]
    fn only_what_was_edited_differs() {
        let tree = MemoryTree::new([("a/b.yaml", "one"), ("a/c.yaml", "two"), ("d.yaml", "three")]);
        let path = RepoPath::new("a/b.yaml").unwrap();
        let texts = [(path.clone(), "other".to_owned()), (RepoPath::new("absent").unwrap(), "x".to_owned())];
        let edited = EditedTree::new(tree.clone(), &texts.into()).unwrap();
        assert_eq!(changed(&tree, &edited).unwrap(), [path]);
    }
}
