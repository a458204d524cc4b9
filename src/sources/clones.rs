//! Clones of other repositories, which a folder holds by their addresses: `DIR/github.com/org/repo.git`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{CommitTree, Repository, RepositoryError};

/// Where clones are, opened as they are asked for.
pub struct Clones {
    folder: PathBuf,
    open: Mutex<HashMap<String, Option<Arc<Repository>>>>,
}

impl Clones {
    /// Those in a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: Mutex::default() }
    }

    /// The files of a repository at a branch, a tag or a commit, else at its default branch; `None` where there is no clone.
    ///
    /// # Errors
    /// When the clone cannot be read, or does not have the revision.
    pub fn tree(&self, address: &str, revision: Option<&str>) -> Result<Option<CommitTree>, RepositoryError> {
        let mut open = self.open.lock();
        let repository = if let Some(known) = open.get(address) {
            known.clone()
        } else {
            let found = self.repository(address)?.map(Arc::new);
            open.insert(address.to_owned(), found.clone());
            found
        };
        let Some(repository) = repository else { return Ok(None) };
        let commit = match revision {
            // A clone has branches of its own, one that was fetched has them as the remote's.
            Some(revision) => {
                repository.commit(revision).or_else(|error| repository.branch(revision).map_err(|_| error))?
            }
            None => repository.commit("HEAD")?,
        };
        Ok(Some(repository.tree(&commit)))
    }

    fn repository(&self, address: &str) -> Result<Option<Repository>, RepositoryError> {
        let is_name = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['\\', ':', '\0']) && segment != ".."
        };
        if !address.split('/').all(is_name) {
            return Ok(None);
        }
        for name in [format!("{address}.git"), address.to_owned()] {
            let folder = self.folder.join(name);
            let is_clone = folder.join("HEAD").is_file() || folder.join(".git").exists();
            if is_clone {
                return Repository::discover(&folder);
            }
        }
        Ok(None)
    }
}
