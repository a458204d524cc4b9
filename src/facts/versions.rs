//! The committed file that says which version each environment runs: written by `status --write`, held against what is
//! rendered.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::kustomize::ParsedFiles;
use crate::model::Image;
use crate::sources::{RepoPath, Tree, TreeError};
use crate::span::Span;
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// Versions by repository: the digest, else the tag; several of one repository stand side by side.
pub type Versions = BTreeMap<String, String>;

/// What the file holds: versions by app and environment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VersionsFile {
    schema: &'static str,
    apps: BTreeMap<String, BTreeMap<String, Versions>>,
}

impl VersionsFile {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: "tollgate.versions/1", apps: BTreeMap::new() }
    }

    /// Sets what an app runs in an environment.
    pub fn set(&mut self, app: &str, environment: &str, versions: Versions) {
        self.apps.entry(app.to_owned()).or_default().insert(environment.to_owned(), versions);
    }

    /// The file's text: a line a version, so that changes of different apps do not meet.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// The versions of images.
#[must_use]
pub fn versions<'a>(images: impl IntoIterator<Item = &'a Image>) -> Versions {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for image in images {
        let version = image.digest.clone().or_else(|| image.tag.clone()).unwrap_or_else(|| "latest".to_owned());
        all.entry(image.repository.clone()).or_default().push(version);
    }
    let joined = |(repository, mut versions): (String, Vec<String>)| {
        versions.sort();
        versions.dedup();
        (repository, versions.join(" "))
    };
    all.into_iter().map(joined).collect()
}

/// A committed file, as far as it can be read.
#[derive(Clone, Debug)]
pub struct WrittenVersions {
    /// The file's first line.
    pub file: Span,
    root: Option<Node>,
}

impl WrittenVersions {
    /// Reads the file of a tree; `None` where there is none.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn read(tree: &dyn Tree, parsed: &ParsedFiles, path: &RepoPath) -> Result<Option<Self>, TreeError> {
        let Some((id, content)) = tree.read(path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&content).into_owned();
        let file = parsed.files.add(path, id, &text);
        let (start, end) = parsed.files.get(file).line_range(0);
        // JSON is YAML, which is read with places.
        let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource).unwrap_or_default();
        Ok(Some(Self { file: Span { file, start, end }, root: documents.into_iter().next() }))
    }

    /// What the file says that an app runs in an environment, and where each version is written; where that begins.
    #[must_use]
    pub fn of(&self, app: &str, environment: &str) -> (BTreeMap<String, (String, Span)>, Span) {
        let Some((environments, key)) = self.root.as_ref().and_then(|root| {
            let apps = root.get("apps")?.as_mapping()?;
            apps.iter().find(|(key, _)| &*key.text == app).map(|(key, node)| (node, key.span))
        }) else {
            return (BTreeMap::new(), self.file);
        };
        let found = environments.as_mapping().and_then(|mapping| {
            mapping.iter().find(|(key, _)| &*key.text == environment).map(|(key, node)| (node, key.span))
        });
        let Some((node, key)) = found else { return (BTreeMap::new(), key) };
        let rows = node.as_mapping().into_iter().flat_map(crate::yaml::Mapping::iter);
        let rows = rows.map(|(key, value)| {
            let version = value.as_text().unwrap_or_default().to_owned();
            (key.text.to_string(), (version, value.origin.span))
        });
        (rows.collect(), key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::MemoryTree;

    #[test]
    fn what_is_written_is_read_again() {
        let images = ["a.io/x:1", "a.io/x:2", "b@sha256:12", "a.io/x:1"].map(Image::parse);
        let versions = versions(&images);
        assert_eq!(versions["a.io/x"], "1 2");
        assert_eq!(versions["docker.io/library/b"], "latest", "what is no digest does not pin");
        let mut file = VersionsFile::new();
        file.set("shop/api", "production", versions.clone());
        let (parsed, path) = (ParsedFiles::default(), RepoPath::new("versions.json").unwrap());
        let tree = MemoryTree::new([("versions.json", &*file.text())]);
        let written = WrittenVersions::read(&tree, &parsed, &path).unwrap().unwrap();
        let (rows, place) = written.of("shop/api", "production");
        assert_eq!(
            rows.iter().map(|(name, (version, _))| (name.clone(), version.clone())).collect::<Versions>(),
            versions
        );
        assert_eq!(parsed.files.slice(place), "\"production\"");
        assert_eq!(written.of("web", "production"), (BTreeMap::new(), written.file));
        let broken = MemoryTree::new([("versions.json", "{")]);
        assert!(WrittenVersions::read(&broken, &parsed, &path).unwrap().unwrap().of("a", "b").0.is_empty());
    }
}
