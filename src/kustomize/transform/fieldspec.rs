//! Field specs: which fields of which kinds a transformer changes (`api/types/fieldspec.go`, `api/filters/fieldspec`).

use std::borrow::Cow;
use std::sync::Arc;

use crate::kustomize::build::id::Gvk;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading};
use crate::span::Span;
use crate::yaml::{DEEPEST_NESTING, Key, Kind, Mapping, Node, Origin, Scalar, Step, Value};

/// One field of one kind of object.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    /// Which objects.
    pub kind: KindPattern,
    /// Keys from the object's root; lists on the way are entered, `[]` behind a key says that it must be one.
    pub path: Vec<String>,
    /// Whether missing objects on the way are created.
    pub create: bool,
    /// Where a user wrote it; `None` for kustomize's own.
    pub at: Option<Span>,
}

/// Group, version and kind of the objects that something speaks of. What is empty matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindPattern {
    /// The API group, or empty.
    pub group: Cow<'static, str>,
    /// The API version, or empty.
    pub version: Cow<'static, str>,
    /// The kind, or empty.
    pub kind: Cow<'static, str>,
}

impl KindPattern {
    /// Parses `KIND[.VERSION][@GROUP]`, where `*` stands for any kind.
    fn parse(text: &'static str) -> Self {
        let (what, group) = text.split_once('@').unwrap_or((text, ""));
        let (kind, version) = what.split_once('.').unwrap_or((what, ""));
        let kind = if kind == "*" { "" } else { kind };
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Reads `group`, `version` and `kind`.
    ///
    /// # Errors
    /// When one of them is no string.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let text = |name| Ok(fields.text(name)?.map(|text| text.value).unwrap_or_default().into());
        Ok(Self { group: text("group")?, version: text("version")?, kind: text("kind")? })
    }

    /// Whether the pattern speaks of this kind of object.
    #[must_use]
    pub(crate) fn selects(&self, gvk: &Gvk) -> bool {
        self.covers(&gvk.group, &gvk.version, &gvk.kind)
    }

    /// Whether the pattern speaks of all that another one speaks of.
    #[must_use]
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.covers(&other.group, &other.version, &other.kind)
    }

    fn covers(&self, group: &str, version: &str, kind: &str) -> bool {
        (self.group.is_empty() || self.group == group)
            && (self.version.is_empty() || self.version == version)
            && (self.kind.is_empty() || self.kind == kind)
    }
}

impl FieldSpec {
    /// Parses `KIND[.VERSION][@GROUP] PATH [create]`, where `*` stands for any kind.
    pub(crate) fn parse(line: &'static str) -> Self {
        let mut words = line.split_whitespace();
        let (what, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let create = words.next() == Some("create");
        Self { kind: KindPattern::parse(what), path: split_path(path), create, at: None }
    }

    /// Reads an entry of a list of field specs.
    ///
    /// # Errors
    /// When it is no field spec.
    pub(crate) fn read(node: &Node, reading: Reading) -> Result<Self, RenderError> {
        let known = ["group", "version", "kind", "path", "create"];
        let fields = Fields::read(node, &known, reading, "a field spec")?;
        let path = fields.filled("path")?.ok_or_else(|| {
            RenderError::at(fields.span(), "this field spec has no `path`").help("write it as `spec/template/metadata`")
        })?;
        let at = Some(path.span);
        let parts = split_path(&path.value);
        if parts.len() > DEEPEST_NESTING {
            return Err(RenderError::at(path.span, format!("this path has more than {DEEPEST_NESTING} parts")));
        }
        Ok(Self { kind: KindPattern::read(&fields)?, path: parts, create: fields.flag("create")?.is_some(), at })
    }

    /// Whether the spec speaks of this kind of object.
    #[must_use]
    pub(crate) fn selects(&self, gvk: &Gvk) -> bool {
        self.kind.selects(gvk)
    }

    /// Whether the path is this one.
    #[must_use]
    pub(crate) fn is_at(&self, path: &[&str]) -> bool {
        self.path.iter().map(String::as_str).eq(path.iter().copied())
    }
}

/// Splits at `/`; `\/` stands for a slash inside a key, and one at the start is passed over.
pub(crate) fn split_path(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = path.strip_prefix('/').unwrap_or(path).chars().peekable();
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
pub(crate) enum Leaf {
    /// A scalar, empty at first.
    Scalar,
    /// A mapping.
    Mapping,
}

/// What a visit does with missing fields, and in whose name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
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
pub(crate) fn visit(
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
    let (name, is_list) = list_name(field);
    if node.as_mapping().is_some() && names_an_item(name) {
        return Err(RenderError::at(
            how.span,
            format!("the path of a field spec contains `{name}`, which names an item of a list"),
        )
        .help("a field spec goes through whole lists: leave it out")
        .related(node.origin.span, "this object"));
    }
    if node.as_mapping().is_none() {
        return Err(scalar_on_the_way(node, name));
    }
    let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
    let leaf = how.create.filter(|_| !is_list).map(|leaf| if rest.is_empty() { leaf } else { Leaf::Mapping });
    if let Some(leaf) = leaf {
        create(mapping, name, leaf, how);
    }
    match mapping.get_mut(name) {
        Some(found) if is_list && found.is_null() => {
            found.value = Value::Sequence(Arc::default());
            Ok(())
        }
        Some(found) => visit(found, rest, how, change),
        None => Ok(()),
    }
}

/// A part of a path without its brackets, and whether it had them.
fn list_name(field: &str) -> (&str, bool) {
    field.strip_suffix("[]").map_or((field, false), |name| (name, true))
}

/// Whether kustomize takes a part of a path for an item of a list, which it then fails to find in a mapping.
fn names_an_item(name: &str) -> bool {
    name == "-" || name == "*" || name.parse::<i64>().is_ok() || name.starts_with('[') && name.ends_with(']')
}

/// Refuses what a walk along the path would refuse: a scalar on the way.
///
/// # Errors
/// When there is one.
pub(crate) fn refuse_scalars(node: &Node, path: &[String]) -> Result<(), RenderError> {
    let Some((field, rest)) = path.split_first() else { return Ok(()) };
    match &node.value {
        Value::Mapping(mapping) => mapping.get(list_name(field).0).map_or(Ok(()), |found| refuse_scalars(found, rest)),
        Value::Sequence(items) => items.iter().try_for_each(|item| refuse_scalars(item, path)),
        Value::Scalar(scalar) if scalar.kind == Kind::Null => Ok(()),
        Value::Scalar(_) => Err(scalar_on_the_way(node, list_name(field).0)),
    }
}

fn scalar_on_the_way(node: &Node, name: &str) -> RenderError {
    let message = format!("expected a mapping with `{name}`, but this is {}", node.shape());
    RenderError::at(node.origin.span, message).help("make it a mapping, as the API of this kind expects")
}

/// Makes sure that a field is there; null counts as missing.
fn create(mapping: &mut Mapping, name: &str, leaf: Leaf, how: Visit) {
    let empty = || match leaf {
        Leaf::Scalar => Node {
            value: Value::Scalar(Scalar { text: Arc::from(""), kind: Kind::Null, plain: true, folded: false }),
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
            let (name, is_list) = list_name(field);
            names_an_item(name)
                || mapping.get(name).is_some_and(|found| is_list && found.is_null() || reaches(found, rest))
        }
        Value::Sequence(items) => items.iter().any(|item| reaches(item, path)),
        Value::Scalar(scalar) => scalar.kind != Kind::Null,
    }
}
