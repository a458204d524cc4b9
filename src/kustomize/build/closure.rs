use std::collections::BTreeSet;

use crate::sources::RepoPath;

/// Everything that a rendering looked for, found or not. It is rendered again exactly when one of these changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    paths: BTreeSet<RepoPath>,
    /// Folders whose every file counts.
    folders: BTreeSet<RepoPath>,
}

impl Closure {
    /// Whether any of the changed files was looked for.
    #[must_use]
    pub fn touches(&self, changed: &[RepoPath]) -> bool {
        changed.iter().any(|path| self.holds(path))
    }

    /// Whether this file was looked for.
    #[must_use]
    pub fn holds(&self, path: &RepoPath) -> bool {
        self.paths.contains(path) || self.folders.iter().any(|folder| path.is_within(folder))
    }

    /// The paths that were looked for, folders whose every file counts included.
    pub fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        // What lies below a wanted folder need not be wanted one by one, and would hide that all of it counts.
        let inside = |path: &RepoPath| self.folders.iter().any(|folder| path.is_within(folder));
        self.paths.iter().filter(move |path| !inside(path)).chain(&self.folders)
    }

    /// Folders whose every file counts.
    pub fn folders(&self) -> impl Iterator<Item = &RepoPath> {
        self.folders.iter()
    }

    /// Notes that a path was looked for.
    pub(crate) fn look_for(&mut self, path: RepoPath) {
        self.paths.insert(path);
    }

    /// Notes that every file of a folder counts.
    pub(crate) fn hold_folder(&mut self, folder: &RepoPath) {
        self.folders.insert(folder.clone());
    }

    /// Adds what another rendering looked for.
    pub fn extend(&mut self, other: &Self) {
        self.paths.extend(other.paths.iter().cloned());
        self.folders.extend(other.folders.iter().cloned());
    }
}
