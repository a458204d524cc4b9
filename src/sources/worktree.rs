use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Content, ContentId, Entry, LARGEST_FILE, RepoPath, Tree, TreeError};

/// The files of a folder on disk, `.git` left out.
#[derive(Debug)]
pub struct WorkingTree {
    root: PathBuf,
    hash: gix::hash::Kind,
}

impl WorkingTree {
    /// Reads below `root`, which is the limit: nothing outside is ever read.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self::with_hash(root, gix::hash::Kind::Sha1)
    }

    pub(super) fn with_hash(root: &Path, hash: gix::hash::Kind) -> Self {
        Self { root: root.to_owned(), hash }
    }

    fn on_disk(&self, path: &RepoPath) -> PathBuf {
        path.segments().fold(self.root.clone(), |folder, segment| folder.join(segment))
    }

    fn error(&self, path: &RepoPath, why: impl std::fmt::Display) -> TreeError {
        let why = why.to_string();
        let is_too_large = why.starts_with(TOO_LARGE);
        TreeError { is_too_large, path: path.clone(), tree: self.name().to_owned(), why }
    }

    /// Whether a folder above `path` is a symbolic link: then nothing stands at the path itself.
    fn is_behind_link(&self, path: &RepoPath) -> bool {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            if fs::symlink_metadata(self.on_disk(&folder)).is_ok_and(|meta| meta.is_symlink()) {
                return true;
            }
            above = folder.parent();
        }
        false
    }

    fn describe(&self, path: &RepoPath, kind: fs::FileType) -> Result<Option<Entry>, TreeError> {
        if kind.is_symlink() {
            let target = fs::read_link(self.on_disk(path)).map_err(|error| self.error(path, error))?;
            return Ok(Some(Entry::Link(Arc::from(target.to_string_lossy().as_ref()))));
        }
        if kind.is_dir() {
            return Ok(Some(Entry::Folder(None)));
        }
        if !kind.is_file() {
            return Ok(None);
        }
        match self.read(path) {
            // Such a file is never read, so its id only has to tell that it is there.
            Err(error) if error.is_too_large => Ok(Some(Entry::File(ContentId::of(error.why.as_bytes())))),
            read => Ok(read?.map(|(id, _)| Entry::File(id))),
        }
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
        if path.segments().next() == Some(".git") || self.is_behind_link(path) {
            return Ok(None);
        }
        match fs::symlink_metadata(self.on_disk(path)) {
            Ok(meta) => self.describe(path, meta.file_type()),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.error(path, error)),
        }
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError> {
        if path.segments().next() == Some(".git") || self.is_behind_link(path) {
            return Ok(None);
        }
        let on_disk = self.on_disk(path);
        match fs::symlink_metadata(&on_disk) {
            Ok(meta) if !meta.is_file() => return Ok(None),
            Ok(meta) if meta.len() > LARGEST_FILE => return Err(self.error(path, too_large(meta.len()))),
            Ok(_) => {}
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.error(path, error)),
        }
        let content = fs::read(&on_disk).map_err(|error| self.error(path, error))?;
        Ok(Some((ContentId::of_kind(self.hash, &content), Arc::from(content))))
    }

    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError> {
        if self.is_behind_link(folder) {
            return Ok(Vec::new());
        }
        let entries = match fs::read_dir(self.on_disk(folder)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(self.error(folder, error)),
        };
        let mut children = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.error(folder, error))?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| self.error(folder, format!("the name `{}` is not UTF-8", name.to_string_lossy())))?;
            if name == ".git" {
                continue;
            }
            let kind = entry.file_type().map_err(|error| self.error(folder, error))?;
            if let Some(found) = self.describe(&folder.child(&name), kind)? {
                children.push((name, found));
            }
        }
        children.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(children)
    }
}

/// How the reason begins where a file is over the limit.
pub(super) const TOO_LARGE: &str = "files over ";

/// Says that a file is over the limit.
pub(super) fn too_large(bytes: u64) -> String {
    format!("{TOO_LARGE}{LARGEST_FILE} bytes are not read, and this one has {bytes}")
}
