//! `.gitattributes`: what makes a checkout differ from what is committed.

use gix::bstr::ByteSlice as _;

use super::RepoPath;

/// Attributes by which a checkout, or an archive, holds something else than what is committed (`gitattributes(5)`).
const REWRITING: [&str; 4] = ["filter", "ident", "working-tree-encoding", "export-subst"];

/// The attributes of a tree.
pub struct Attributes {
    /// The files, those of outer folders first.
    files: Vec<RepoPath>,
    search: gix::attrs::Search,
    collection: gix::attrs::search::MetadataCollection,
}

/// An attribute that changes a file on its way out.
pub struct Rewriting {
    /// Its name.
    pub attribute: String,
    /// The `.gitattributes` file that sets it.
    pub file: RepoPath,
    /// The line, from 0.
    pub line: usize,
}

impl Attributes {
    /// Reads files with their contents.
    #[must_use]
    pub fn new(mut files: Vec<(RepoPath, Vec<u8>)>) -> Self {
        files.sort_by_key(|(path, _)| path.segments().count());
        let (search, collection) = (gix::attrs::Search::default(), gix::attrs::search::MetadataCollection::default());
        let mut read = Self { files: Vec::new(), search, collection };
        for (path, content) in files {
            let root = std::path::Path::new("/");
            let source = root.join(path.as_str());
            let is_outermost = path.parent().is_none_or(|folder| folder.is_root());
            let added =
                read.search.add_patterns_buffer(&content, source, Some(root), &mut read.collection, is_outermost);
            if added.is_ok() {
                read.files.push(path);
            }
        }
        read
    }

    /// Whether any file sets attributes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What rewrites a file on its way out.
    #[must_use]
    pub fn rewriting(&self, path: &RepoPath) -> Option<Rewriting> {
        let mut outcome = gix::attrs::search::Outcome::default();
        outcome.initialize_with_selection(&self.collection, REWRITING);
        let case = gix::glob::pattern::Case::Sensitive;
        self.search.pattern_matching_relative_path(path.as_str().into(), case, Some(false), &mut outcome);
        let is_set = |state: gix::attrs::StateRef<'_>| {
            !matches!(state, gix::attrs::StateRef::Unset | gix::attrs::StateRef::Unspecified)
        };
        let found = outcome.iter_selected().find(|found| is_set(found.assignment.state))?;
        let source = found.location.source.and_then(|source| source.strip_prefix("/").ok());
        let file = source.and_then(|source| RepoPath::new(source.to_str()?))?;
        Some(Rewriting {
            attribute: found.assignment.name.as_str().as_bytes().to_str_lossy().into_owned(),
            file,
            line: found.location.sequence_number.saturating_sub(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rewrites_a_file_is_found_with_its_line() {
        let path = |text: &str| RepoPath::new(text).unwrap();
        let files = [
            (".gitattributes", "# big\n*.png filter=lfs\n[attr]odd ident\n/apps/** odd\n"),
            ("apps/api/.gitattributes", "x.yaml -ident\ny.yaml -ident working-tree-encoding=UTF-16\n"),
        ];
        let files = files.map(|(name, text)| (path(name), text.as_bytes().to_vec())).to_vec();
        let attributes = Attributes::new(files);
        let found = |name: &str| {
            attributes.rewriting(&path(name)).map(|found| (found.attribute, found.file.to_string(), found.line))
        };
        let row = |attribute: &str, file: &str, line| Some((attribute.to_owned(), file.to_owned(), line));
        assert_eq!(found("a/logo.png"), row("filter", ".gitattributes", 1));
        assert_eq!(found("apps/web/a.yaml"), row("ident", ".gitattributes", 3));
        assert_eq!(found("apps/api/x.yaml"), None);
        assert_eq!(found("apps/api/y.yaml").map(|found| found.1), Some("apps/api/.gitattributes".to_owned()));
        assert_eq!(found("other/a.yaml"), None);
    }
}
