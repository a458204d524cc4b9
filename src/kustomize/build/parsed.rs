//! What was made of files, shared by all revisions and all overlays of a run.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::kept::Kept;
use super::supplied::Supplied;
use super::transformer_config::TransformerConfig;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::kustomization::Kustomization;
use crate::kustomize::known::schema::Definitions;
use crate::kustomize::limits::{LEAST_KEPT, MOST_KEPT, MOST_STEPS_OF_A_RUN, STEPS_FOR_EACH_OVERLAY};
use crate::sources::Clones;
use crate::span::{FileId, Files, Span};
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// Files that were read and parsed in this run, shared by all revisions.
pub struct ParsedFiles {
    /// The files.
    pub files: Files,
    documents: Kept<(FileId, bool), Documents>,
    kustomizations: Known<Kustomization>,
    configurations: Known<TransformerConfig>,
    definitions: Known<Arc<Definitions>>,
    budget: Budget,
    pub(super) supplied: Supplied,
}

/// What a run may still do.
#[derive(Default)]
struct Budget {
    steps: AtomicUsize,
    overlays: AtomicUsize,
}

impl Default for ParsedFiles {
    fn default() -> Self {
        Self {
            files: Files::default(),
            documents: Kept::new(MOST_KEPT),
            kustomizations: Kept::new(MOST_KEPT),
            configurations: Kept::new(MOST_KEPT),
            definitions: Kept::new(MOST_KEPT),
            budget: Budget::default(),
            supplied: Supplied::default(),
        }
    }
}

/// What was made of files.
type Known<T> = Kept<FileId, Arc<Result<T, RenderError>>>;

/// What is made of a file, from the store where it is known.
fn once<T>(
    files: &Files,
    known: &Known<T>,
    file: FileId,
    read: impl FnOnce() -> Result<T, RenderError>,
) -> Arc<Result<T, RenderError>> {
    if let Some(known) = known.get(&file) {
        return known;
    }
    let made = Arc::new(read());
    known.insert(file, Arc::clone(&made), files.get(file).text.len().max(LEAST_KEPT));
    made
}

/// The documents of a file, or why it cannot be read.
pub(crate) type Documents = Arc<Result<Vec<Node>, RenderError>>;

impl ParsedFiles {
    /// Nothing yet, with clones of the repositories in which remote bases are.
    #[must_use]
    pub fn with_clones(clones: Option<Clones>) -> Self {
        Self { supplied: clones.map(Supplied::new).unwrap_or_default(), ..Self::default() }
    }

    /// Notes that another overlay is rendered.
    pub(crate) fn begin_overlay(&self) {
        self.budget.overlays.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes steps of the run's budget; says whether they are within it.
    pub(crate) fn take_steps(&self, steps: usize) -> bool {
        let taken = self.budget.steps.fetch_add(steps, Ordering::Relaxed).saturating_add(steps);
        let overlays = self.budget.overlays.load(Ordering::Relaxed);
        taken <= MOST_STEPS_OF_A_RUN.saturating_add(overlays.saturating_mul(STEPS_FOR_EACH_OVERLAY))
    }

    /// Forgets every file but some, and all that was made of the others. What is asked for again is read again.
    pub fn keep_only(&self, kept: &HashSet<FileId>) {
        self.files.keep_only(kept);
        self.documents.clear();
        self.kustomizations.clear();
        self.configurations.clear();
        self.definitions.clear();
    }

    /// The documents of a file, as objects or as patches.
    pub(crate) fn documents(&self, file: FileId, step: Step) -> Documents {
        let key = (file, step == Step::File);
        if let Some(known) = self.documents.get(&key) {
            return known;
        }
        self.files.note_read(file);
        let source = self.files.get(file);
        let documents = parse(&Source::file(file, &source.text), step, Dialect::Resource);
        let documents = Arc::new(documents.map_err(|error| RenderError::at(error.span, error.message)));
        self.documents.insert(key, Arc::clone(&documents), source.text.len().max(LEAST_KEPT));
        documents
    }

    /// A kustomization file.
    pub(crate) fn kustomization(&self, file: FileId) -> Arc<Result<Kustomization, RenderError>> {
        once(&self.files, &self.kustomizations, file, || {
            let documents = self.instructions(file, Dialect::Kustomization)?;
            Kustomization::read(file, documents.first())
        })
    }

    /// A file of `configurations`.
    pub(crate) fn configuration(&self, file: FileId) -> Arc<Result<TransformerConfig, RenderError>> {
        once(&self.files, &self.configurations, file, || {
            let documents = self.instructions(file, Dialect::Configuration)?;
            documents.first().map_or_else(|| Ok(TransformerConfig::default()), TransformerConfig::read)
        })
    }

    /// The file that `openapi` names.
    pub(crate) fn definitions(&self, file: FileId) -> Arc<Result<Arc<Definitions>, RenderError>> {
        once(&self.files, &self.definitions, file, || {
            let documents = self.instructions(file, Dialect::Kustomization)?;
            let document = documents.first().filter(|document| document.as_mapping().is_some());
            let document = document.ok_or_else(|| {
                RenderError::at(Span::start_of(file), "this is not an OpenAPI document")
                    .help("an OpenAPI document is a mapping with `definitions`")
            })?;
            Ok(Arc::new(Definitions::read(document)))
        })
    }

    /// The documents of a file that is read as instructions.
    pub(crate) fn instructions(&self, file: FileId, dialect: Dialect) -> Result<Vec<Node>, RenderError> {
        self.files.note_read(file);
        let source = self.files.get(file);
        let documents = parse(&Source::file(file, &source.text), Step::File, dialect);
        documents.map_err(|error| RenderError::at(error.span, error.message))
    }
}
