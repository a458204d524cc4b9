//! What deployers see that a rendering does not: what a checkout makes of files, and instructions beside an overlay.

use std::collections::BTreeSet;

use crate::kustomize::{Closure, ParsedFiles, RenderError};
use crate::sources::{Attributes, Entry, Listing, RepoPath, Tree, TreeError};
use crate::span::Span;

const ATTRIBUTES: &str = ".gitattributes";

/// What deployers see in one tree.
pub struct Checkout<'a> {
    tree: &'a dyn Tree,
    files: &'a ParsedFiles,
    attributes: Attributes,
}

impl<'a> Checkout<'a> {
    /// Reads the attributes of a tree.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn new(tree: &'a dyn Tree, files: &'a ParsedFiles, listing: &Listing) -> Result<Self, TreeError> {
        let mut attributes = Vec::new();
        for path in listing.files.iter().filter(|path| path.file_name() == ATTRIBUTES) {
            if let Some((_, content)) = tree.read(path)? {
                attributes.push((path.clone(), content.to_vec()));
            }
        }
        Ok(Self { tree, files, attributes: Attributes::new(attributes) })
    }

    /// Why what is deployed from a folder is not what it renders to; `None` where it is.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn flaw(&self, folder: &RepoPath, closure: &Closure) -> Result<Option<RenderError>, TreeError> {
        for (name, entry) in self.tree.children(folder)? {
            let path = folder.child(&name);
            if is_instruction(&path) && !matches!(entry, Entry::Folder(_)) {
                let message = format!("Argo CD changes this overlay by `{path}`, which is not rendered here");
                let help = "remove it, and write what it changes into the kustomization";
                let error = RenderError::placed(self.line(&path, 0)?, message);
                return Ok(Some(error.help(help)));
            }
        }
        if self.attributes.is_empty() {
            return Ok(None);
        }
        for path in closure.paths() {
            let Some(found) = self.attributes.rewriting(path) else { continue };
            if !matches!(self.tree.entry(path)?, Some(Entry::File(_))) {
                continue;
            }
            let attribute = &found.attribute;
            let message =
                format!("`{attribute}` makes a checkout of `{path}` differ from what is committed and judged");
            let help = format!("take `{attribute}` away from this file: `{path} -{attribute}`");
            return Ok(Some(RenderError::placed(self.line(&found.file, found.line)?, message).help(help)));
        }
        Ok(None)
    }

    fn line(&self, path: &RepoPath, line: usize) -> Result<Option<Span>, TreeError> {
        let Some((id, content)) = self.tree.read(path)? else { return Ok(None) };
        let Ok(text) = std::str::from_utf8(&content) else { return Ok(None) };
        let file = self.files.files.add(path, id, text);
        let (start, end) = self.files.files.get(file).line_range(line);
        Ok(Some(Span { file, start, end }))
    }
}

/// Whether changed files can change what deployers see of a folder, beside what it renders to.
#[must_use]
pub fn reaches_deployer(changed: &[RepoPath], folder: &RepoPath, closure: &Closure) -> bool {
    let beside = |path: &RepoPath| is_instruction(path) && path.parent().as_ref() == Some(folder);
    let above: BTreeSet<RepoPath> =
        changed.iter().filter(|path| path.file_name() == ATTRIBUTES).filter_map(RepoPath::parent).collect();
    changed.iter().any(beside) || above.iter().any(|folder| closure.paths().any(|path| path.is_within(folder)))
}

/// Whether Argo CD takes a file for instructions about its folder (`.argocd-source.yaml`, `.argocd-source-APP.yaml`).
fn is_instruction(path: &RepoPath) -> bool {
    let name = path.file_name();
    name.strip_prefix(".argocd-source").is_some_and(|rest| rest.strip_suffix(".yaml").is_some())
}
