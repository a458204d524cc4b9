//! Files and places in them.
//!
//! A [`FileId`] names one content under one path, so several revisions of a file live side by side. A [`Span`] is a
//! byte range in one file; only [`crate::report`] turns it into lines and columns.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use crate::sources::{ContentId, RepoPath};

/// What stands in the place of what is hidden. Its length says nothing.
pub(crate) const STARS: &str = "********";

/// One content under one path. Valid for the [`Files`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A byte range in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file, in one of its revisions.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl FileId {
    /// No file: for texts of which nobody asks where they stand.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self(u32::MAX)
    }
}

impl Span {
    /// The first byte of a file: for a finding about the file as a whole.
    #[must_use]
    pub fn start_of(file: FileId) -> Self {
        Self { file, start: 0, end: 0 }
    }
}

/// A place as people and forges count it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The path in the repository.
    pub path: RepoPath,
    /// The first line, from 1.
    pub line: usize,
    /// The first column, from 1, in characters.
    pub column: usize,
    /// The last line, from 1.
    pub end_line: usize,
    /// The column after the last character, from 1.
    pub end_column: usize,
}

/// The text of one file in one revision.
#[derive(Debug)]
pub struct SourceFile {
    /// The path in the repository.
    pub path: RepoPath,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: OnceLock<Vec<u32>>,
}

impl SourceFile {
    /// Byte offsets at which lines begin.
    #[must_use]
    pub fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| offset(at + 1))).collect()
        })
    }

    /// The zero-based line that holds the byte at `at`.
    #[must_use]
    pub fn line_of(&self, at: u32) -> usize {
        self.line_starts().partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The span of one zero-based line without its indentation and line break; the last line's where there are fewer.
    #[must_use]
    pub fn line_range(&self, line: usize) -> (u32, u32) {
        let starts = self.line_starts();
        let line = line.min(starts.len() - 1);
        let start = starts[line] as usize;
        let end = starts.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let text = &self.text[start..end];
        let trimmed = text.trim();
        let lead = text.len() - text.trim_start().len();
        if trimmed.is_empty() {
            return (offset(start), offset(start));
        }
        (offset(start + lead), offset(start + lead + trimmed.len()))
    }
}

/// A byte offset as spans hold it. Files over the size limit are refused before they get here.
#[must_use]
pub fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Every file that was read in this run, in whatever revision.
#[derive(Debug, Default)]
pub struct Files {
    inner: RwLock<Inner>,
    hidden: RwLock<Hidden>,
}

/// What must not be shown.
#[derive(Debug, Default)]
struct Hidden {
    /// Where values of Secrets are written.
    spans: HashMap<FileId, BTreeSet<(u32, u32)>>,
    /// Values that were taken out of Secrets into other objects.
    texts: BTreeSet<String>,
    /// Files that were read as YAML, so that what is secret in them is known.
    read: HashSet<FileId>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Vec<Arc<SourceFile>>,
    known: HashMap<(RepoPath, ContentId), FileId>,
    /// Of all texts together.
    bytes: usize,
    /// Paths that many closures hold.
    paths: HashSet<RepoPath>,
}

/// The shortest line of a secret of several lines that is a secret by itself.
const SHORTEST_LINE: usize = 8;

impl Files {
    /// Registers `text` as the content of `path`; the same content under the same path keeps its id.
    pub fn add(&self, path: &RepoPath, id: ContentId, text: &str) -> FileId {
        let key = (path.clone(), id);
        if let Some(known) = self.inner.read().known.get(&key) {
            return *known;
        }
        let mut inner = self.inner.write();
        if let Some(known) = inner.known.get(&key) {
            return *known;
        }
        let file = FileId(offset(inner.files.len()));
        inner.files.push(Arc::new(SourceFile {
            path: path.clone(),
            text: Arc::from(text),
            line_starts: OnceLock::new(),
        }));
        inner.known.insert(key, file);
        inner.bytes += text.len();
        file
    }

    /// The id of a content that was registered under a path.
    #[must_use]
    pub fn find(&self, path: &RepoPath, id: ContentId) -> Option<FileId> {
        self.inner.read().known.get(&(path.clone(), id)).copied()
    }

    /// The same path, in one copy for all who keep it.
    #[must_use]
    pub fn share(&self, path: RepoPath) -> RepoPath {
        if let Some(known) = self.inner.read().paths.get(&path) {
            return known.clone();
        }
        self.inner.write().paths.insert(path.clone());
        path
    }

    /// How many bytes of text are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.read().bytes
    }

    /// Forgets the texts of all files but some. Spans into the others lead nowhere from then on.
    pub fn keep_only(&self, kept: &HashSet<FileId>) {
        let mut inner = self.inner.write();
        let Inner { files, known, bytes, paths } = &mut *inner;
        paths.clear();
        let mut hidden = self.hidden.write();
        (hidden.spans, hidden.read) = (HashMap::new(), HashSet::new());
        known.retain(|_, file| kept.contains(file));
        *bytes = 0;
        let nothing: Arc<str> = Arc::from("");
        for (at, file) in files.iter_mut().enumerate() {
            if kept.contains(&FileId(offset(at))) {
                *bytes += file.text.len();
            } else if !file.text.is_empty() {
                let (path, text) = (file.path.clone(), Arc::clone(&nothing));
                *file = Arc::new(SourceFile { path, text, line_starts: OnceLock::new() });
            }
        }
    }

    /// Notes that a file was read as YAML.
    pub fn note_read(&self, file: FileId) {
        if !self.is_read(file) {
            self.hidden.write().read.insert(file);
        }
    }

    /// Whether a file was read as YAML.
    #[must_use]
    pub fn is_read(&self, file: FileId) -> bool {
        self.hidden.read().read.contains(&file)
    }

    /// Hides what is written at some places from every excerpt, and some texts from every output.
    pub fn hide(&self, spans: impl IntoIterator<Item = Span>, texts: impl IntoIterator<Item = String>) {
        let mut hidden = self.hidden.write();
        for span in spans {
            hidden.spans.entry(span.file).or_default().insert((span.start, span.end));
        }
        hidden.texts.extend(texts.into_iter().filter(|text| !text.is_empty()));
    }

    /// Hides every text that others hide.
    pub fn hide_as(&self, other: &Self) {
        let texts = other.hidden.read().texts.clone();
        self.hidden.write().texts.extend(texts);
    }

    /// What is hidden of a file, as byte ranges.
    #[must_use]
    pub fn hidden_in(&self, file: FileId) -> Vec<(u32, u32)> {
        self.hidden.read().spans.get(&file).into_iter().flatten().copied().collect()
    }

    /// A text of an output without what was taken out of Secrets. `forms` says how outputs may write a text.
    #[must_use]
    pub fn without_hidden(&self, text: String, forms: impl Fn(&str) -> Vec<String>) -> String {
        let hidden = self.hidden.read();
        let mut written: BTreeSet<String> = BTreeSet::new();
        for secret in &hidden.texts {
            written.extend(forms(secret));
            // Line by line, as differences show it.
            let lines = secret.lines().filter(|line| line.len() >= SHORTEST_LINE && line.len() < secret.len());
            written.extend(lines.flat_map(&forms));
        }
        let mut written: Vec<String> = written.into_iter().filter(|form| !form.is_empty()).collect();
        written.sort_by_key(|form| std::cmp::Reverse(form.len()));
        written
            .into_iter()
            .fold(text, |shown, form| if shown.contains(&form) { shown.replace(&form, "(secret)") } else { shown })
    }

    /// The file behind an id.
    ///
    /// # Panics
    /// When the id was made by another `Files`, which is a mistake in this program.
    #[must_use]
    pub fn get(&self, file: FileId) -> Arc<SourceFile> {
        Arc::clone(&self.inner.read().files[file.0 as usize])
    }

    /// The text that a span covers.
    #[must_use]
    pub fn slice(&self, span: Span) -> String {
        let file = self.get(span.file);
        file.text.get(span.start as usize..span.end as usize).unwrap_or_default().to_owned()
    }

    /// A span in lines and columns.
    #[must_use]
    pub fn location(&self, span: Span) -> Location {
        let file = self.get(span.file);
        let place = |at: u32| {
            let line = file.line_of(at);
            let start = file.line_starts()[line] as usize;
            let before = file.text.get(start..(at as usize).min(file.text.len())).unwrap_or_default();
            (line + 1, before.trim_start_matches('\u{feff}').chars().count() + 1)
        };
        let (line, column) = place(span.start);
        let (end_line, end_column) = place(span.end.max(span.start));
        Location { path: file.path.clone(), line, column, end_line, end_column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let files = Files::default();
        let path = RepoPath::new("a.yaml").unwrap();
        let file = files.add(&path, ContentId::of(b"x"), "é: 1\nß: zwei\n");
        let place = files.location(Span { file, start: 10, end: 14 });
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 4, 2, 8));
        assert_eq!(files.slice(Span { file, start: 10, end: 14 }), "zwei");
        assert_eq!(file, files.add(&path, ContentId::of(b"x"), "é: 1\nß: zwei\n"));
    }

    #[test]
    fn a_line_without_its_indentation() {
        let files = Files::default();
        let file = files.add(&RepoPath::new("a").unwrap(), ContentId::of(b""), "a:\n  - b \n\n");
        let source = files.get(file);
        assert_eq!(source.line_range(1), (5, 8));
        assert_eq!(source.line_range(2), (10, 10));
        assert_eq!(source.line_range(9), (11, 11));
    }
}
