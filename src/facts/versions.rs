//! The committed file that says which version each environment runs: written by `status --write`, held against what is
//! rendered.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles};
use crate::kustomize::ParsedFiles;
use crate::model::{Image, Overlay, OverlayFilter, RenderedOverlay};
use crate::sources::{RepoPath, Tree, TreeError};
use crate::span::Span;
use crate::yaml::{Dialect, Key, Mapping, Node, Source, Step, parse};

/// Versions by repository: the digest, else the tag; several of one repository stand side by side.
pub type Versions = BTreeMap<String, String>;

/// What the file holds: versions by app and environment.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
        parsed.files.note_read(file);
        let (start, end) = parsed.files.get(file).line_range(0);
        // JSON is YAML, which is read with places.
        let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource).unwrap_or_default();
        Ok(Some(Self { file: Span { file, start, end }, root: documents.into_iter().next() }))
    }

    /// What the file says that an app runs in an environment.
    #[must_use]
    pub fn of(&self, app: &str, environment: &str) -> WrittenRows {
        let Some((environments, place)) = self.root.as_ref().and_then(|root| entry(root.get("apps")?, app)) else {
            return WrittenRows { versions: BTreeMap::new(), place: self.file };
        };
        let Some((node, place)) = entry(environments, environment) else {
            return WrittenRows { versions: BTreeMap::new(), place };
        };
        let row = |(key, value): (&Key, &Node)| {
            let text = value.as_text().unwrap_or_default().to_owned();
            (key.text.to_string(), WrittenVersion { text, span: value.origin.span })
        };
        let versions = node.as_mapping().into_iter().flat_map(Mapping::iter).map(row).collect();
        WrittenRows { versions, place }
    }
}

/// The value of a key, and where the key is written.
fn entry<'a>(node: &'a Node, key: &str) -> Option<(&'a Node, Span)> {
    let mapping = node.as_mapping()?;
    Some((mapping.get(key)?, mapping.key(key)?.span))
}

/// What the file says of one app in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRows {
    /// Versions by repository.
    pub versions: BTreeMap<String, WrittenVersion>,
    /// Where they begin, or the closest place above.
    pub place: Span,
}

/// One version in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenVersion {
    /// The version, or several with blanks between them.
    pub text: String,
    /// Where it is written.
    pub span: Span,
}

/// The committed file of versions beside what is rendered.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionsFacts {
    /// The file.
    pub file: String,
    /// Every repository that either side names.
    pub rows: Vec<VersionRow>,
}

/// One repository.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionRow {
    /// Where the version is, or would be, written.
    pub at: Handle,
    /// The repository.
    pub repository: String,
    /// The version in the file.
    pub written: Option<String>,
    /// The version that is rendered.
    pub rendered: Option<String>,
}

impl VersionsFacts {
    /// What the committed file of versions says of an overlay; `None` where none is configured, or the side does not render.
    /// Of several overlays of an app in one environment none is expected to run all that is written.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn of(
        context: &Context<'_>,
        overlay: &Overlay,
        side: &RenderedOverlay,
        tree: &dyn Tree,
        own: Handle,
        handles: &mut Handles,
    ) -> Result<Option<Self>, TreeError> {
        let Some(path) = context.config.versions.as_ref().filter(|_| side.renders()) else { return Ok(None) };
        let environment = &context.config.environments[overlay.environment].name;
        let file = path.to_string();
        let rendered = versions(side.state.images.iter().map(|used| &used.image));
        let Some(written) = WrittenVersions::read(tree, context.files, path)? else {
            let row =
                |(repository, version)| VersionRow { at: own, repository, written: None, rendered: Some(version) };
            return Ok(Some(Self { file, rows: rendered.into_iter().map(row).collect() }));
        };
        let WrittenRows { versions: mut written, place } = written.of(&overlay.app, environment);
        let same_place = OverlayFilter { app: Some(&overlay.app), environment: Some(overlay.environment) };
        let is_alone = context.overlays.head.all.iter().filter(|other| same_place.accepts(other)).count() < 2;
        let mut rows = Vec::new();
        for (repository, version) in rendered {
            let (text, span) = written.remove(&repository).map_or((None, place), |row| (Some(row.text), row.span));
            let is_one_of =
                |text: &String| !is_alone && version.split(' ').all(|it| text.split(' ').any(|one| it == one));
            let written = if text.as_ref().is_some_and(is_one_of) { Some(version.clone()) } else { text };
            rows.push(VersionRow { at: handles.place(span), repository, written, rendered: Some(version) });
        }
        for (repository, row) in written.into_iter().filter(|_| is_alone) {
            rows.push(VersionRow { at: handles.place(row.span), repository, written: Some(row.text), rendered: None });
        }
        Ok(Some(Self { file, rows }))
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
        let rows = written.of("shop/api", "production");
        let texts: Versions = rows.versions.iter().map(|(name, row)| (name.clone(), row.text.clone())).collect();
        assert_eq!(texts, versions);
        assert_eq!(parsed.files.slice(rows.place), "\"production\"");
        assert_eq!(written.of("web", "production"), WrittenRows { versions: BTreeMap::new(), place: written.file });
        let broken = MemoryTree::new([("versions.json", "{")]);
        assert!(WrittenVersions::read(&broken, &parsed, &path).unwrap().unwrap().of("a", "b").versions.is_empty());
    }
}
