use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::path::entry_name;
use super::{Content, ContentId, Entry, LARGEST_FILE, ReadError, RepoPath, Tree, TreeError};

/// The files of a folder on disk, `.git` left out. What was seen once stays so for the run.
#[derive(Debug)]
pub struct WorkingTree {
    root: PathBuf,
    hash: gix::hash::Kind,
    folders: Mutex<HashMap<RepoPath, Option<Arc<Folder>>>>,
    contents: Mutex<HashMap<RepoPath, Content>>,
}

/// What one folder holds.
#[derive(Debug, Default)]
struct Folder {
    entries: BTreeMap<String, Entry>,
}

impl WorkingTree {
    /// Reads below `root`, which is the limit: nothing outside is ever read.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self::with_hash(root, gix::hash::Kind::Sha1)
    }

    pub(super) fn with_hash(root: &Path, hash: gix::hash::Kind) -> Self {
        Self { root: root.to_owned(), hash, folders: Mutex::default(), contents: Mutex::default() }
    }

    fn on_disk(&self, path: &RepoPath) -> PathBuf {
        path.segments().fold(self.root.clone(), |folder, segment| folder.join(segment))
    }

    fn error(&self, path: &RepoPath, why: ReadError) -> TreeError {
        TreeError { path: path.clone(), tree: self.name().to_owned(), why }
    }

    fn damaged(&self, path: &RepoPath, error: impl std::fmt::Display) -> TreeError {
        self.error(path, ReadError::damaged(error))
    }

    /// What a folder holds; `None` where no folder stands, or only behind a symbolic link.
    fn folder(&self, path: &RepoPath) -> Result<Option<Arc<Folder>>, TreeError> {
        if let Some(known) = self.folders.lock().get(path) {
            return Ok(known.clone());
        }
        let stands = path.is_root() || matches!(self.entry(path)?, Some(Entry::Folder(_)));
        let found = if stands { self.read_folder(path)?.map(Arc::new) } else { None };
        self.folders.lock().insert(path.clone(), found.clone());
        Ok(found)
    }

    fn read_folder(&self, path: &RepoPath) -> Result<Option<Folder>, TreeError> {
        let entries = match fs::read_dir(self.on_disk(path)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.damaged(path, error)),
        };
        let mut folder = Folder::default();
        for entry in entries {
            let entry = entry.map_err(|error| self.damaged(path, error))?;
            if entry.file_name() == ".git" {
                continue;
            }
            let name = entry_name(entry.file_name().as_encoded_bytes());
            let kind = entry.file_type().map_err(|error| self.damaged(path, error))?;
            let found = if kind.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(|error| self.damaged(&path.child(&name), error))?;
                Entry::Link(Arc::from(target.to_string_lossy().as_ref()))
            } else if kind.is_dir() {
                Entry::Folder(None)
            } else if kind.is_file() {
                Entry::File(None)
            } else {
                continue;
            };
            folder.entries.insert(name, found);
        }
        Ok(Some(folder))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput)
}

impl Tree for WorkingTree {
    fn name(&self) -> &'static str {
        "the working tree"
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
        let Some(parent) = path.parent() else { return Ok(Some(Entry::Folder(None))) };
        Ok(self.folder(&parent)?.and_then(|folder| folder.entries.get(path.file_name()).cloned()))
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        if let Some(known) = self.contents.lock().get(path) {
            return Ok(Some(known.clone()));
        }
        if !matches!(self.entry(path)?, Some(Entry::File(_))) {
            return Ok(None);
        }
        let on_disk = self.on_disk(path);
        match fs::symlink_metadata(&on_disk) {
            Ok(meta) if !meta.is_file() => return Ok(None),
            Ok(meta) if meta.len() > LARGEST_FILE => return Err(self.error(path, ReadError::TooLarge(meta.len()))),
            Ok(_) => {}
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.damaged(path, error)),
        }
        let content = fs::read(&on_disk).map_err(|error| self.damaged(path, error))?;
        let content: Content = (ContentId::of_kind(self.hash, &content), Arc::from(content));
        self.contents.lock().insert(path.clone(), content.clone());
        Ok(Some(content))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        let Some(found) = self.folder(folder)? else { return Ok(Vec::new()) };
        Ok(found.entries.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect())
    }
}
