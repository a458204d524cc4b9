//! Field specs: which fields of which kinds a transformer changes (`api/types/fieldspec.go`, `api/filters/fieldspec`).

use std::sync::Arc;

use super::error::RenderError;
use super::id::Gvk;
use crate::span::Span;
use crate::yaml::{Key, Kind, Mapping, Node, Origin, Scalar, Step, Value};

/// One field of one kind of object. Empty group, version and kind match all.
#[derive(Clone, Debug)]
pub(super) struct FieldSpec {
    /// The API group, or empty.
    pub group: &'static str,
    /// The API version, or empty.
    pub version: &'static str,
    /// The kind, or empty.
    pub kind: &'static str,
    /// Keys from the object's root; lists on the way are entered, `[]` behind a key says that it must be one.
    pub path: Vec<String>,
    /// Whether missing objects on the way are created.
    pub create: bool,
}

impl FieldSpec {
    /// Parses `KIND[.VERSION][@GROUP] PATH [create]`, where `*` stands for any kind.
    pub(super) fn parse(line: &'static str) -> Self {
        let mut words = line.split_whitespace();
        let (what, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (what, group) = what.split_once('@').unwrap_or((what, ""));
        let (kind, version) = what.split_once('.').unwrap_or((what, ""));
        Self {
            group,
            version,
            kind: if kind == "*" { "" } else { kind },
            path: split_path(path),
            create: words.next() == Some("create"),
        }
    }

    /// Whether the spec speaks of this kind of object.
    #[must_use]
    pub(super) fn selects(&self, gvk: &Gvk) -> bool {
        (self.group.is_empty() || self.group == gvk.group)
            && (self.version.is_empty() || self.version == gvk.version)
            && (self.kind.is_empty() || self.kind == gvk.kind)
    }
}

/// Splits at `/`; `\/` stands for a slash inside a key.
pub(super) fn split_path(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'/') => {
                characters.next();
                parts.last_mut().into_iter().for_each(|part| part.push('/'));
            }
            '/' => parts.push(String::new()),
            other => parts.last_mut().into_iter().for_each(|part| part.push(other)),
        }
    }
    parts
}

/// What stands at the end of a path that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A scalar, empty at first.
    Scalar,
    /// A mapping.
    Mapping,
}

/// What a visit does with missing fields, and in whose name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// What to create; `None` leaves missing fields alone.
    pub create: Option<Leaf>,
    /// The instruction that asks for it.
    pub span: Span,
    /// The step that it belongs to.
    pub step: Step,
}

/// Calls `change` on every node at the end of `path`.
///
/// # Errors
/// When a scalar stands where the path goes on, or `change` fails.
pub(super) fn visit(
    node: &mut Node,
    path: &[String],
    how: Visit,
    change: &mut dyn FnMut(&mut Node) -> Result<(), RenderError>,
) -> Result<(), RenderError> {
    if how.create.is_none() && !reaches(node, path) {
        return Ok(());
    }
    let Some((field, rest)) = path.split_first() else { return change(node) };
    if node.is_null() {
        return Ok(());
    }
    if node.as_sequence().is_some() {
        return node.as_sequence_mut().into_iter().flatten().try_for_each(|item| visit(item, path, how, change));
    }
    let (name, is_list) = match field.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (field.as_str(), false),
    };
    let span = node.origin.span;
    let shape = node.shape();
    let Some(mapping) = node.as_mapping_mut() else {
        let message = format!("`{name}` is looked for here, but this is {shape}");
        return Err(RenderError::at(span, message).help("make it a mapping, as the API of this kind has it"));
    };
    let leaf = how.create.filter(|_| !is_list).map(|leaf| if rest.is_empty() { leaf } else { Leaf::Mapping });
    if let Some(leaf) = leaf {
        create(mapping, name, leaf, how);
    }
    match mapping.get_mut(name) {
        Some(found) => visit(found, rest, how, change),
        None => Ok(()),
    }
}

/// Makes sure that a field is there; null counts as missing.
fn create(mapping: &mut Mapping, name: &str, leaf: Leaf, how: Visit) {
    let empty = || match leaf {
        Leaf::Scalar => Node {
            value: Value::Scalar(Scalar { text: Arc::from(""), kind: Kind::Null, plain: true }),
            origin: Origin::new(how.span, how.step),
        },
        Leaf::Mapping => Node::mapping(how.span, how.step),
    };
    match mapping.get_mut(name) {
        None => mapping.push(Key { text: Arc::from(name), span: how.span, is_string: true }, empty()),
        Some(found) if found.is_null() && leaf == Leaf::Mapping => *found = empty(),
        Some(_) => {}
    }
}

/// Whether a walk along the path meets anything to change or to complain about.
fn reaches(node: &Node, path: &[String]) -> bool {
    let Some((field, rest)) = path.split_first() else { return true };
    match &node.value {
        Value::Mapping(mapping) => {
            mapping.get(field.strip_suffix("[]").unwrap_or(field)).is_some_and(|found| reaches(found, rest))
        }
        Value::Sequence(items) => items.iter().any(|item| reaches(item, path)),
        Value::Scalar(scalar) => scalar.kind != Kind::Null,
    }
}
