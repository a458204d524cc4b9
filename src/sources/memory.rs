use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Content, ContentId, Entry, RepoPath, Tree, TreeError};

/// A tree held in memory: what tests read from.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<RepoPath, Arc<[u8]>>,
}

impl MemoryTree {
    /// Makes a tree of `(path, content)` pairs; a pair whose path leaves the repository is left out.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files =
            files.into_iter().filter_map(|(path, text)| Some((RepoPath::new(path)?, Arc::from(text.as_bytes()))));
        Self { files: files.collect() }
    }

    /// Makes a tree of contents that need not be text.
    pub fn from_contents(files: impl IntoIterator<Item = (RepoPath, Vec<u8>)>) -> Self {
        Self { files: files.into_iter().map(|(path, content)| (path, Arc::from(content))).collect() }
    }

    /// The same tree with one file added or replaced.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> Self {
        if let Some(path) = RepoPath::new(path) {
            self.files.insert(path, Arc::from(text.as_bytes()));
        }
        self
    }

    /// The same tree without one file.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        if let Some(path) = RepoPath::new(path) {
            self.files.remove(&path);
        }
        self
    }
}

impl Tree for MemoryTree {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        if let Some(content) = self.files.get(path) {
            return Ok(Some(Entry::File(Some(ContentId::of(content)))));
        }
        let holds = self.files.keys().any(|file| file.is_within(path));
        Ok((holds || path.is_root()).then_some(Entry::Folder(None)))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        Ok(self.files.get(path).map(|content| (ContentId::of(content), Arc::clone(content))))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let depth = folder.segments().count();
        let mut children = BTreeMap::new();
        for (path, content) in self.files.iter().filter(|(path, _)| path.is_within(folder)) {
            let mut below = path.segments().skip(depth);
            if let Some(name) = below.next() {
                let entry = if below.next().is_some() {
                    Entry::Folder(None)
                } else {
                    Entry::File(Some(ContentId::of(content)))
                };
                children.insert(name.to_owned(), entry);
            }
        }
        Ok(children.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{changed, list};

    #[test]
    fn changes_are_files_added_removed_and_edited() {
        let base = MemoryTree::new([("a/x", "1"), ("a/y", "1"), ("b", "1")]);
        let head = base.clone().with("a/x", "2").without("b").with("c/d/e", "1");
        let changed: Vec<_> = changed(&base, &head).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["a/x", "b", "c/d/e"]);
        assert_eq!(list(&head).unwrap().files.len(), 3);
    }

    #[test]
    fn a_file_that_becomes_a_folder_counts_twice() {
        let base = MemoryTree::new([("a", "1")]);
        let head = MemoryTree::new([("a/b", "1")]);
        let changed: Vec<_> = changed(&base, &head).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["a", "a/b"]);
    }
}
