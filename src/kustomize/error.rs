use std::collections::HashSet;

use crate::difference::ratio;
use crate::sources::TreeError;
use crate::span::Span;

/// Why a folder could not be rendered: what was wrong, where, and what to do.
///
/// All but [`RenderError::tree`] are the repository's own fault; the gate turns them into findings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RenderError {
    /// What is wrong, in lower case, without a full stop.
    pub message: String,
    /// The line to edit; `None` only where there is no file to point into.
    pub span: Option<Span>,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that explain it, such as the kustomization that lists a broken file.
    pub related: Vec<(Span, String)>,
    /// Whether the snapshot itself could not be read, so that nothing can be said about the overlay.
    pub is_unreadable: bool,
    /// Whether an instruction finds nothing to work on, which content from elsewhere may have.
    pub is_unmatched: bool,
}

impl RenderError {
    /// Something wrong at a place.
    #[must_use]
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: Some(span),
            help: None,
            related: Vec::new(),
            is_unreadable: false,
            is_unmatched: false,
        }
    }

    /// Something wrong, at a place where there is one.
    #[must_use]
    pub fn placed(span: Option<Span>, message: impl Into<String>) -> Self {
        Self { span, ..Self::nowhere(message) }
    }

    /// Something wrong that no file can be blamed for.
    #[must_use]
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: None,
            help: None,
            related: Vec::new(),
            is_unreadable: false,
            is_unmatched: false,
        }
    }

    /// A snapshot could not be read. What is only too large is the fault of whoever wrote it.
    #[must_use]
    pub fn tree(error: &TreeError) -> Self {
        Self { is_unreadable: !error.is_too_large(), ..Self::nowhere(error.to_string()) }
    }

    /// Says that an instruction found nothing to work on.
    #[must_use]
    pub fn unmatched(mut self) -> Self {
        self.is_unmatched = true;
        self
    }

    /// Passes over an instruction that found nothing to work on, where content from elsewhere may have it.
    ///
    /// # Errors
    /// Everything else.
    pub(crate) fn unless_opaque<T>(result: Result<T, Self>, is_opaque: bool) -> Result<Option<T>, Self> {
        match result {
            Err(error) if is_opaque && error.is_unmatched => Ok(None),
            other => other.map(Some),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a place that explains it.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }

    /// Blames `span` where no place is known yet, else names it as a step on the way.
    #[must_use]
    pub fn through(mut self, span: Span, text: &str) -> Self {
        if self.span.is_none() {
            self.span = Some(span);
        } else if self.span != Some(span) {
            self.related.push((span, text.to_owned()));
        }
        self
    }
}

/// The known name that an unknown one was probably meant to be.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Names in Kubernetes have at most 253 characters; what is longer or of another length was not meant.
    const LONGEST: usize = 253;
    const MOST: usize = 1_000;
    const LEAST: f32 = 0.6;
    if word.len() > LONGEST {
        return None;
    }
    let alike = |other: &&&str| other.len() <= 2 * word.len() + 2 && word.len() <= 2 * other.len() + 2;
    let mut seen = HashSet::new();
    let known: Vec<&str> = known.iter().filter(alike).copied().filter(|other| seen.insert(*other)).take(MOST).collect();
    let alike = known.into_iter().map(|other| (ratio(word, other), other)).filter(|(ratio, _)| *ratio >= LEAST);
    // Of those that are equally alike the first by name.
    alike
        .max_by(|(one, name), (other, other_name)| one.total_cmp(other).then_with(|| other_name.cmp(name)))
        .map(|it| it.1)
}
