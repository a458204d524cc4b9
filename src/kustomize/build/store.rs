//! Built forms of bases, kept so that each is built once for all that use it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::closure::Closure;
use super::idle::Idle;
use super::opaque::Opaque;
use super::resource::Resource;
use super::transformer_config::TransformerConfig;
use crate::kustomize::known::schema::Schemas;
use crate::kustomize::transform::vars::Vars;
use crate::sources::RepoPath;
use crate::span::{FileId, Span};

/// Which built forms have looked for a path, or count every file of a folder.
#[derive(Default)]
pub(super) struct BuiltFrom {
    pub(super) paths: HashMap<RepoPath, Vec<BuiltKey>>,
    pub(super) folders: HashMap<RepoPath, Vec<BuiltKey>>,
}

impl BuiltFrom {
    pub(super) fn note(&mut self, key: &BuiltKey, closure: &Closure) {
        for path in closure.paths() {
            self.paths.entry(path.clone()).or_default().push(key.clone());
        }
        for folder in closure.folders() {
            self.folders.entry(folder.clone()).or_default().push(key.clone());
        }
    }
}

/// What has set the schema of a build. The first to do so wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum SchemaSource {
    #[default]
    Nothing,
    Version,
    File {
        file: FileId,
        extends_built_in: bool,
    },
}

/// What the built form of a folder depends on besides the tree.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct BuiltKey {
    pub(super) root: RepoPath,
    /// The schema that was set before.
    pub(super) schema: SchemaSource,
    /// See [`Run::schema_was_read`].
    pub(super) schema_was_read: bool,
    /// How `buildMetadata` knows it, and who asked for that.
    pub(super) origin: Option<(String, Span)>,
}

/// A kustomization's objects behind its own transformers.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) resources: Vec<Resource>,
    pub(super) config: Arc<TransformerConfig>,
    pub(super) vars: Vars,
    /// What comes from elsewhere and is left out.
    pub(super) opaque: Vec<Opaque>,
    /// Entries that match nothing.
    pub(super) idle: Vec<Idle>,
    pub(super) closure: Closure,
    /// Folders of this and of every kustomization below.
    pub(super) roots: BTreeSet<RepoPath>,
    /// What is known of kinds from then on.
    pub(super) schema: SchemaSource,
    pub(super) schemas: Schemas,
    pub(super) schema_was_read: bool,
}
