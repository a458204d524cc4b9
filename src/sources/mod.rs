//! Where files come from: a commit, the index, the working tree or memory, all behind one trait.
//!
//! Nothing after this stage touches disk, network or processes, and nothing after it names gix.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

pub use attributes::{Attributes, Rewriting};
pub use ci::CiVariables;
pub use clones::Clones;
pub use commit::{CommitTree, Snapshot, Wanted};
pub use create::{NewCommit, NewRepository, unused_folder};
pub use edited::EditedTree;
pub use fetch::PartialClone;
pub use index::IndexTree;
pub use memory::MemoryTree;
pub use moving::{LeafKind, MovedPath, MovingTree};
pub use path::RepoPath;
pub use repository::{Commit, CommitId, Comparison, LineOfChange, Repository, RepositoryError, Scope, co_authors};
pub use worktree::WorkingTree;

mod attributes;
mod ci;
mod clones;
mod commit;
mod create;
mod edited;
mod fetch;
mod index;
mod memory;
mod merge;
mod moving;
mod path;
mod repository;
mod worktree;

/// How many bytes a file may have that a person or a CI names: a scanner's report of many images has tens of megabytes.
const MOST_BYTES: u64 = 512 << 20;

/// Reads a file that a person or a CI names, outside of any tree. It may be a pipe.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or is longer than 512 MiB.
pub fn read_argument_file(path: &std::path::Path) -> std::io::Result<String> {
    read_at_most(std::fs::File::open(path)?, MOST_BYTES)
}

fn read_at_most(file: impl std::io::Read, most: u64) -> std::io::Result<String> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut file.take(most + 1), &mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= most) {
        return String::from_utf8(content).map_err(|_| std::io::Error::other("it is not UTF-8"));
    }
    Err(std::io::Error::other(format!("it is longer than {most} bytes")))
}

/// The files with an ending in a folder that a person or a CI names: names and texts, by name.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn read_argument_folder(folder: &std::path::Path, ending: &str) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, read_argument_file(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a file that a person or a CI names.
///
/// # Errors
/// When it cannot be written.
pub fn write_argument_file(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    // What was checked out may hold a link that leads anywhere; `/dev/stdout` is one, too.
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    if is_link && !path.starts_with("/dev") {
        return Err(std::io::Error::other("a symbolic link is there; remove it, or name another file"));
    }
    std::fs::write(path, content)
}

/// Writes a file at a path below a folder that a person names, and makes the folders on the way. What was written there
/// before is replaced, and only removed where there is no content.
///
/// # Errors
/// When it cannot be written, or a symbolic link stands on the way, which may lead anywhere.
pub fn write_below(folder: &std::path::Path, path: &RepoPath, content: Option<&[u8]>) -> std::io::Result<()> {
    let mut file = folder.to_owned();
    for segment in path.segments() {
        file.push(segment);
        if std::fs::symlink_metadata(&file).is_ok_and(|found| found.is_symlink()) {
            let message = format!("`{}` is a symbolic link; remove it, or write into an empty folder", file.display());
            return Err(std::io::Error::other(message));
        }
    }
    let Some(content) = content else {
        return match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    match (std::fs::write(&file, content), file.parent()) {
        (Err(error), Some(parent)) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(parent)?;
            std::fs::write(file, content)
        }
        (written, _) => written,
    }
}

/// The largest file that is read, in bytes. Kubernetes refuses objects over some 1.5 MB; bundles of CRDs are larger.
pub const LARGEST_FILE: u64 = 16 << 20;

/// Identifies a content: Git's blob or tree id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(gix::ObjectId);

impl ContentId {
    /// The id that a SHA-1 repository gives to a blob with this content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::of_kind(gix::hash::Kind::Sha1, content)
    }

    fn of_kind(kind: gix::hash::Kind, content: &[u8]) -> Self {
        Self(gix::objs::compute_hash(kind, gix::objs::Kind::Blob, content).unwrap_or(gix::ObjectId::null(kind)))
    }
}

/// A file's id and its bytes.
pub type Content = (ContentId, Arc<[u8]>);

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file, executable or not; trees that come from Git know its id.
    File(Option<ContentId>),
    /// A folder; trees that come from a commit know its id.
    Folder(Option<ContentId>),
    /// A symbolic link and the text of its target.
    Link(Arc<str>),
    /// A submodule: its files are in another repository.
    Submodule,
}

/// A tree could not be read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("cannot read `{path}` in {tree}: {why}")]
#[diagnostic(help("{}", self.why.help()))]
pub struct TreeError {
    /// The path that was asked for.
    pub path: RepoPath,
    /// The snapshot's name.
    pub tree: String,
    /// What is wrong.
    pub why: ReadError,
}

/// Why a path cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file is over [`LARGEST_FILE`]. Whoever wrote it can mend that.
    #[error("files over {LARGEST_FILE} bytes are not read, and this one has {0}")]
    TooLarge(u64),
    /// A name that not every reader of a repository takes in the same way; its bytes in hexadecimal digits.
    #[error("the name with the bytes {0} is not one that every reader takes in the same way")]
    OddName(String),
    /// What the layer below said: the repository or the disk is at fault.
    #[error("{0}")]
    Damaged(String),
}

impl ReadError {
    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }

    fn help(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "split the file, or keep it out of what is deployed",
            Self::OddName(_) => {
                "a name is UTF-8 without control characters and `/`, and not `.`, `..` or `.git`; rename or remove it"
            }
            Self::Damaged(_) => "the repository or the disk is damaged, or access is denied; `git fsck` says more",
        }
    }
}

impl TreeError {
    /// Whether the file is only over [`LARGEST_FILE`].
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.why, ReadError::TooLarge(_))
    }
}

/// A read-only snapshot of the repository's files.
///
/// A commit, the index, the working tree and a test's memory look alike from here on.
pub trait Tree: Send + Sync {
    /// Names the snapshot in messages, such as `4f2c91a` or `the working tree`.
    fn name(&self) -> &str;

    /// What stands at `path`, links not followed; `None` if there is nothing.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, TreeError>;

    /// The content of the file at `path`; `None` if there is no file.
    ///
    /// # Errors
    /// When the snapshot cannot be read, or the file is over [`LARGEST_FILE`].
    fn read(&self, path: &RepoPath) -> Result<Option<Content>, TreeError>;

    /// The entries of a folder by name, sorted; empty where there is no folder.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    fn children(&self, folder: &RepoPath) -> Result<Vec<(String, Entry)>, TreeError>;
}

/// What a tree holds, in path order, so that runs repeat exactly.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Every file.
    pub files: Vec<RepoPath>,
    /// Every symbolic link and submodule: more may stand behind them.
    pub others: Vec<RepoPath>,
}

impl Listing {
    /// Whether a file is there.
    #[must_use]
    pub fn has(&self, path: &RepoPath) -> bool {
        self.files.binary_search(path).is_ok()
    }

    /// Whether any file is in a folder.
    #[must_use]
    pub fn has_below(&self, folder: &RepoPath) -> bool {
        // Names such as `a-b` sort before what is in `a`.
        let from = self.files.partition_point(|path| path < folder);
        let begins = |path: &&RepoPath| path.as_str().starts_with(folder.as_str());
        self.files[from..].iter().take_while(begins).any(|path| path.is_within(folder))
    }

    fn add(&mut self, path: RepoPath, entry: &Entry) {
        match entry {
            Entry::File(_) => self.files.push(path),
            Entry::Link(_) | Entry::Submodule => self.others.push(path),
            Entry::Folder(_) => {}
        }
    }

    fn sort(&mut self) {
        for paths in [&mut self.files, &mut self.others] {
            paths.sort();
            paths.dedup();
        }
    }

    /// The listing of `tree`, from which only the `changed` paths differ.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn after(mut self, tree: &dyn Tree, changed: &[RepoPath]) -> Result<Self, TreeError> {
        self.files.retain(|path| changed.binary_search(path).is_err());
        self.others.retain(|path| changed.binary_search(path).is_err());
        for path in changed {
            if let Some(entry) = tree.entry(path)? {
                self.add(path.clone(), &entry);
            }
        }
        self.sort();
        Ok(self)
    }
}

/// Lists a tree.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn list(tree: &dyn Tree) -> Result<Listing, TreeError> {
    list_below(tree, &[RepoPath::root()])
}

/// Lists some folders of a tree with all that is below them.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn list_below(tree: &dyn Tree, folders: &[RepoPath]) -> Result<Listing, TreeError> {
    let mut listing = Listing::default();
    let mut folders = folders.to_vec();
    while !folders.is_empty() {
        let children = folders.par_iter().map(|folder| tree.children(folder)).collect::<Vec<_>>();
        let mut deeper = Vec::new();
        for (folder, children) in folders.iter().zip(children) {
            for (name, entry) in children? {
                let path = folder.child(&name);
                match entry {
                    Entry::Folder(_) => deeper.push(path),
                    other => listing.add(path, &other),
                }
            }
        }
        folders = deeper;
    }
    listing.sort();
    Ok(listing)
}

/// A file with its id; without one where it is too large to be read.
fn identified(tree: &dyn Tree, path: &RepoPath) -> Result<Option<Entry>, TreeError> {
    match tree.read(path) {
        Ok(content) => Ok(content.map(|(id, _)| Entry::File(Some(id)))),
        Err(error) if error.is_too_large() => Ok(Some(Entry::File(None))),
        Err(error) => Err(error),
    }
}

/// The files and links that differ between two snapshots, in path order. Folders with the same id are not entered.
///
/// # Errors
/// When a snapshot cannot be read, or the head brings a name that readers take in different ways.
pub fn changed(base: &dyn Tree, head: &dyn Tree) -> Result<Vec<RepoPath>, TreeError> {
    let mut changed = Vec::new();
    let mut folders = vec![RepoPath::root()];
    while let Some(folder) = folders.pop() {
        let mut pairs: BTreeMap<String, (Option<Entry>, Option<Entry>)> = BTreeMap::new();
        for (name, entry) in base.children(&folder)? {
            pairs.entry(name).or_default().0 = Some(entry);
        }
        for (name, entry) in head.children(&folder)? {
            pairs.entry(name).or_default().1 = Some(entry);
        }
        for (name, (old, new)) in pairs {
            let path = folder.child(&name);
            let (old, new) = match (&old, &new) {
                (Some(Entry::File(_)), Some(Entry::File(None))) => (old, identified(head, &path)?),
                (Some(Entry::File(None)), Some(Entry::File(_))) => (identified(base, &path)?, new),
                _ => (old, new),
            };
            let known = !matches!(&old, Some(Entry::Folder(None) | Entry::File(None)));
            if old == new && known {
                continue;
            }
            if let (None, Some(_), Some(hex)) = (&old, &new, path::odd_bytes(&name)) {
                return Err(TreeError { path: folder, tree: head.name().to_owned(), why: ReadError::OddName(hex) });
            }
            let is_folder = |entry: &Option<Entry>| matches!(entry, Some(Entry::Folder(_)));
            if is_folder(&old) || is_folder(&new) {
                folders.push(path.clone());
            }
            if old.is_some() && !is_folder(&old) || new.is_some() && !is_folder(&new) {
                changed.push(path);
            }
        }
    }
    changed.sort();
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_of_a_named_file_is_read_than_there_may_be() {
        assert_eq!(read_at_most(&b"four"[..], 4).unwrap(), "four");
        let endless = std::io::repeat(b'a');
        assert_eq!(read_at_most(endless, 4).unwrap_err().to_string(), "it is longer than 4 bytes");
        assert_eq!(read_at_most(&b"\xff"[..], 4).unwrap_err().to_string(), "it is not UTF-8");
    }
}
