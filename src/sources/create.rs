use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::repository::CommitId;
use super::{RepoPath, RepositoryError};

/// A new repository, written commit by commit: for demonstrations and tests.
pub struct NewRepository {
    repository: gix::Repository,
    root: PathBuf,
}

/// A commit to write.
pub struct NewCommit<'a> {
    /// The branch that it becomes the tip of.
    pub branch: &'a str,
    /// Every file.
    pub files: &'a BTreeMap<RepoPath, String>,
    /// Its message.
    pub message: &'a str,
    /// Its author: name and mail address.
    pub author: (&'a str, &'a str),
    /// Its date, in seconds since 1970.
    pub time: i64,
    /// Its parents.
    pub parents: &'a [CommitId],
}

fn read_error(error: impl std::fmt::Display) -> RepositoryError {
    RepositoryError::Read(error.to_string())
}

impl NewRepository {
    /// Makes a repository in `folder`, which must be empty or not there yet.
    ///
    /// # Errors
    /// When the folder holds something or cannot be written to.
    pub fn create(folder: &Path) -> Result<Self, RepositoryError> {
        let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(read_error(format!("`{}` is not empty", folder.display())));
        }
        fs::create_dir_all(folder)
            .map_err(|error| read_error(format!("cannot create `{}`: {error}", folder.display())))?;
        let repository = gix::init(folder).map_err(read_error)?;
        let root = folder.canonicalize().map_err(read_error)?;
        Ok(Self { repository, root })
    }

    /// Writes a commit and moves its branch there.
    ///
    /// # Errors
    /// When an object cannot be written.
    pub fn commit(&self, commit: &NewCommit<'_>) -> Result<CommitId, RepositoryError> {
        let repository = &self.repository;
        let mut tree = repository.empty_tree().edit().map_err(read_error)?;
        for (path, text) in commit.files {
            let blob = repository.write_blob(text.as_bytes()).map_err(read_error)?;
            tree.upsert(path.as_str(), gix::objs::tree::EntryKind::Blob, blob).map_err(read_error)?;
        }
        let tree = tree.write().map_err(read_error)?.detach();
        let signature = gix::actor::Signature {
            name: commit.author.0.into(),
            email: commit.author.1.into(),
            time: gix::date::Time { seconds: commit.time, offset: 0 },
        };
        let object = gix::objs::Commit {
            tree,
            parents: commit.parents.iter().map(CommitId::object).collect(),
            author: signature.clone(),
            committer: signature,
            encoding: None,
            message: commit.message.into(),
            extra_headers: Vec::new(),
        };
        let id = repository.write_object(&object).map_err(read_error)?.detach();
        let branch = format!("refs/heads/{}", commit.branch);
        let any = gix::refs::transaction::PreviousValue::Any;
        repository.reference(branch.as_str(), id, any, commit.message).map_err(read_error)?;
        Ok(CommitId::from(id))
    }

    /// Puts a branch's files into the working tree and makes it the current one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn check_out(&self, branch: &str, files: &BTreeMap<RepoPath, String>) -> Result<(), RepositoryError> {
        let write = |path: &Path, text: &str| -> io::Result<()> {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, text)
        };
        for (path, text) in files {
            let file = path.segments().fold(self.root.clone(), |folder, segment| folder.join(segment));
            write(&file, text).map_err(read_error)?;
        }
        write(&self.repository.git_dir().join("HEAD"), &format!("ref: refs/heads/{branch}\n")).map_err(read_error)?;
        let tip =
            self.repository.rev_parse_single(format!("refs/heads/{branch}^{{tree}}").as_str()).map_err(read_error)?;
        let mut index = self.repository.index_from_tree(&tip).map_err(read_error)?;
        index.write(gix::index::write::Options::default()).map_err(read_error)
    }

    /// Where the repository is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// A folder in the system's temporary folder that is not there yet.
#[must_use]
pub fn unused_folder(name: &str) -> PathBuf {
    let temporary = std::env::temp_dir();
    let numbered = (2..).map(|number| temporary.join(format!("{name}-{number}")));
    std::iter::once(temporary.join(name)).chain(numbered).find(|folder| !folder.exists()).unwrap_or(temporary)
}
