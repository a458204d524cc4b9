//! Places that rules can point at: a number in the input, which Rust resolves to a line.

use crate::finding::{Label, Object};
use crate::span::Span;
use crate::yaml::{Origin, Step};

/// A number that stands for a place.
pub type Handle = usize;

/// What a handle stands for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The place.
    pub span: Span,
    /// The object, where the place is part of one.
    pub object: Option<Object>,
    /// JSON pointer into the object.
    pub path: Option<String>,
    /// Where the value came from before: what it replaced, newest first.
    pub history: Vec<Label>,
}

/// How many earlier writers of a value are shown.
const MOST_EARLIER: usize = 3;

impl Target {
    /// A value of an object, with its earlier writers.
    #[must_use]
    pub fn of_value(origin: &Origin, object: &Object, path: &str) -> Self {
        let mut history = Vec::new();
        let mut before = origin.before.as_ref();
        let mut newer = origin;
        while let Some(node) = before.filter(|_| history.len() < MOST_EARLIER) {
            if node.origin.span != origin.span && history.iter().all(|label: &Label| label.span != node.origin.span) {
                let is_same_entry =
                    |newer: &Origin| newer.step == Step::Image && newer.span.file == node.origin.span.file;
                let who = match node.origin.step {
                    Step::File => "first written here",
                    Step::Patch | Step::JsonPatch => "previously set by this patch",
                    Step::Image if is_same_entry(newer) => "named here",
                    Step::Image => "previously set by `images`",
                    Step::Generator => "generated from here",
                    _ => "previously set here",
                };
                // Contents of Secrets are never shown.
                let value = node.as_text().filter(|_| object.kind != "Secret");
                let text = value.map_or_else(|| who.to_owned(), |value| format!("{who}: `{value}`"));
                history.push(Label { span: node.origin.span, text });
            }
            newer = &node.origin;
            before = node.origin.before.as_ref();
        }
        Self { span: origin.span, object: Some(object.clone()), path: Some(path.to_owned()), history }
    }
}

/// The places of one input document.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    targets: Vec<Target>,
}

impl Handles {
    /// Gives a place its handle.
    pub fn add(&mut self, target: Target) -> Handle {
        self.targets.push(target);
        self.targets.len() - 1
    }

    /// Gives a bare place its handle.
    pub fn place(&mut self, span: Span) -> Handle {
        self.add(Target { span, object: None, path: None, history: Vec::new() })
    }

    /// What a handle stands for.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&Target> {
        self.targets.get(handle)
    }
}
