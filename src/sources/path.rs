use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::words::is_deceptive;

/// A path in the repository: relative to its root, `/` between segments, without `.` and `..`; the root is empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RepoPath(Arc<str>);

impl Ord for RepoPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // Closures share their paths: most comparisons that find something compare a path with itself.
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for RepoPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RepoPath {
    /// The repository's root.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// Normalises `path`; `None` where it is absolute or leaves the repository.
    #[must_use]
    pub fn new(path: &str) -> Option<Self> {
        Self::root().join(path)
    }

    /// Follows `relative` from this folder; `None` where it is absolute or leaves the repository, or is no path at all
    /// because it holds a zero byte.
    #[must_use]
    pub fn join(&self, relative: &str) -> Option<Self> {
        if relative.starts_with('/') || relative.contains('\0') {
            return None;
        }
        let mut segments: Vec<&str> = self.segments().collect();
        for segment in relative.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop()?;
                }
                name => segments.push(name),
            }
        }
        Some(Self(Arc::from(segments.join("/"))))
    }

    /// The path of the entry `name` of this folder.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(Arc::from(name)) } else { Self(Arc::from(format!("{}/{name}", self.0))) }
    }

    /// The path as text; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the repository's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The segments from the root down.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// How many segments from the root down are those of the other path too.
    #[must_use]
    pub fn shared_depth(&self, other: &Self) -> usize {
        self.segments().zip(other.segments()).take_while(|(one, other)| one == other).count()
    }

    /// The folder that holds this entry; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(Arc::from(self.0.rsplit_once('/').map_or("", |(parent, _)| parent))))
    }

    /// The last segment; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Stands between the holder of a controller's object and the object's name. No file is called so: Git takes no such name.
    pub const DEPLOYED: &'static str = "/.git/";

    /// The place of what an object of this name in this holder deploys. No file can stand there.
    #[must_use]
    pub fn deployed_by(&self, name: &str) -> Self {
        let name = name.replace('/', "~");
        Self(Arc::from(format!("{}{}{name}", self.0, Self::DEPLOYED)))
    }

    /// The holder and the name of the object that deploys what has its place here; `None` for folders and files.
    #[must_use]
    pub fn as_deployed(&self) -> Option<(Self, &str)> {
        let (holder, name) = self.0.rsplit_once(Self::DEPLOYED)?;
        Some((Self(Arc::from(holder)), name))
    }

    /// What stands after the last dot of the last segment; empty where there is none.
    #[must_use]
    pub fn ending(&self) -> &str {
        self.file_name().rsplit_once('.').map_or("", |(_, ending)| ending)
    }

    /// Whether this path is `folder` or lies below it.
    #[must_use]
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root() || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return out.write_str(".");
        }
        out.write_str(&self.0.replace(Self::DEPLOYED, "#"))
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", &*self.0)
    }
}

/// The name of an entry of a folder. One that is not UTF-8, or that no checkout takes as a name, becomes a text that no path
/// can spell, with its bytes in it, so that two such names are never one.
pub(super) fn entry_name(bytes: &[u8]) -> String {
    let is_reserved =
        |name: &str| matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git") || name.contains(['/', '\0']);
    match std::str::from_utf8(bytes) {
        Ok(name) if !is_reserved(name) => name.to_owned(),
        _ => {
            format!("{ODD}{}", hex(bytes))
        }
    }
}

/// The bytes of a name that [`entry_name`] found to be odd, or that has characters which make it look like another one, in hexadecimal digits.
pub(super) fn odd_bytes(name: &str) -> Option<String> {
    match name.strip_prefix(ODD) {
        Some(hex) => Some(hex.to_owned()),
        None => name.chars().any(is_deceptive).then(|| hex(name.as_bytes())),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Begins names that no path can spell: Git has no zero bytes in names.
const ODD: char = '\0';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_repository() {
        let overlay = RepoPath::new("apps/api/overlays/dev").unwrap();
        assert_eq!(overlay.join("../../base").unwrap().as_str(), "apps/api/base");
        assert_eq!(overlay.join("./x//y/").unwrap().as_str(), "apps/api/overlays/dev/x/y");
        assert_eq!(overlay.join("../../../..").unwrap(), RepoPath::root());
        assert!(overlay.join("../../../../..").is_none());
        assert!(overlay.join("/etc/passwd").is_none());
    }

    #[test]
    fn within_looks_at_whole_segments() {
        let base = RepoPath::new("apps/api").unwrap();
        assert!(RepoPath::new("apps/api/base").unwrap().is_within(&base));
        assert!(base.is_within(&base) && base.is_within(&RepoPath::root()));
        assert!(!RepoPath::new("apps/api-v2").unwrap().is_within(&base));
    }
}
