//! JSON 6902 patches, as `evanphx/json-patch` applies them for kustomize.

use std::sync::Arc;

use crate::kustomize::error::{RenderError, nearest};
use crate::span::Span;
use crate::yaml::{
    Key, Kind, LargeIntegers, Mapping, Node, Origin, Scalar, Step, Value, is_within_limits, pointer_key, same,
    through_json, to_json,
};

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    kind: OperationKind,
    path: Pointer,
    from: Option<Pointer>,
    value: Option<Node>,
    span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OperationKind {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// A JSON pointer as written.
#[derive(Clone, Debug)]
struct Pointer {
    tokens: Vec<String>,
    text: String,
    span: Span,
}

/// Reads a patch: a list of operations.
///
/// # Errors
/// When an operation is unknown or lacks what it needs.
pub(crate) fn read(patch: &Node) -> Result<Vec<Operation>, RenderError> {
    let Some(operations) = patch.as_sequence() else {
        return Err(RenderError::at(
            patch.origin.span,
            format!("expected a list of operations, but this is {}", patch.shape()),
        ));
    };
    operations.iter().map(Operation::read).collect()
}

impl Operation {
    /// Where it is written.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// What it writes, with all that is above it; of one that writes nothing of its own, what it does.
    pub(crate) fn written(&self) -> Node {
        let value = match (self.kind, &self.value) {
            (OperationKind::Add | OperationKind::Replace, Some(value)) => value.clone(),
            (kind, _) => {
                let from = self.from.as_ref().map(|from| from.text.as_str()).unwrap_or_default();
                Node::string(&format!("{kind:?} {from}"), self.span, Step::JsonPatch)
            }
        };
        self.path.tokens.iter().rev().fold(value, |inner, token| {
            let is_position = token == "-" || token.parse::<usize>().is_ok();
            let value = if is_position {
                Value::Sequence(Arc::new(vec![inner]))
            } else {
                let mut mapping = Mapping::default();
                mapping.set(token, inner);
                Value::Mapping(Arc::new(mapping))
            };
            Node { value, origin: Origin::new(self.span, Step::JsonPatch) }
        })
    }

    /// Whether it is about what says which object it is.
    pub(crate) fn names_object(&self) -> bool {
        self.path.tokens.first().is_some_and(|first| first == "kind" || first == "metadata")
    }

    fn read(node: &Node) -> Result<Self, RenderError> {
        let span = node.origin.span;
        let text = |key: &str| node.get(key).and_then(|value| Some((value.as_text()?.to_owned(), value.origin.span)));
        let missing = |key: &str| {
            RenderError::at(span, format!("this operation has no `{key}`"))
                .help("write the operation as `{op, path, value}`")
        };
        let (name, name_span) = text("op").ok_or_else(|| missing("op"))?;
        let kind = match name.as_str() {
            "add" => OperationKind::Add,
            "remove" => OperationKind::Remove,
            "replace" => OperationKind::Replace,
            "move" => OperationKind::Move,
            "copy" => OperationKind::Copy,
            "test" => OperationKind::Test,
            other => {
                let error = RenderError::at(name_span, format!("`{other}` is not an operation"));
                return Err(error.help("write `add`, `remove`, `replace`, `move`, `copy` or `test`"));
            }
        };
        let pointer = |key: &str| text(key).map(|(text, span)| Pointer::new(text, span));
        let path = pointer("path").ok_or_else(|| missing("path"))?;
        let from = pointer("from");
        if matches!(kind, OperationKind::Move | OperationKind::Copy) && from.is_none() {
            return Err(missing("from"));
        }
        let mut value = node.get("value").cloned();
        if let Some(value) = &mut value {
            through_json(value, LargeIntegers::Rounded);
            mark(value);
        }
        if matches!(kind, OperationKind::Add | OperationKind::Replace) && value.is_none() {
            let null = Scalar { text: "null".into(), kind: Kind::Null, plain: true, folded: false };
            value = Some(Node { value: Value::Scalar(null), origin: crate::yaml::Origin::new(span, Step::JsonPatch) });
        }
        Ok(Self { kind, path, from, value, span })
    }
}

/// What a patch writes is the patch's work, and JSON.
fn mark(node: &mut Node) {
    node.origin.step = Step::JsonPatch;
    if node.as_mapping().is_some_and(|mapping| mapping.iter().any(|(key, _)| !key.is_string)) {
        let entries = node.as_mapping().into_iter().flat_map(Mapping::iter);
        let entry =
            |(key, node): (&Key, &Node)| (Key { text: key.in_json(), span: key.span, is_string: true }, node.clone());
        node.value = Value::Mapping(Arc::new(entries.map(entry).collect()));
    }
    if let Value::Sequence(items) = &mut node.value {
        std::sync::Arc::make_mut(items).iter_mut().for_each(mark);
    } else if let Some(mapping) = node.as_mapping_mut() {
        mapping.iter_mut().for_each(|(_, node)| mark(node));
    }
}

impl Pointer {
    fn new(text: String, span: Span) -> Self {
        let tokens = text.split('/').skip(1).map(pointer_key).collect();
        Self { tokens, text, span }
    }

    /// The collection that holds the place, and the last token.
    fn parent<'a>(&self, root: &'a mut Node) -> Result<(&'a mut Node, &str), RenderError> {
        let Some((last, above)) = self.tokens.split_last() else {
            return Err(RenderError::at(self.span, format!("`{}` is not a path", self.text))
                .help("a path begins with `/`, such as `/spec/replicas`"));
        };
        let mut node = root;
        for token in above {
            let known: Vec<String> = keys_of(node);
            node = child_mut(node, token).ok_or_else(|| self.missing(token, &known))?;
        }
        Ok((node, last))
    }

    fn missing(&self, token: &str, known: &[String]) -> RenderError {
        let error = RenderError::at(self.span, format!("`{}` does not exist: there is no `{token}`", self.text));
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match nearest(token, &known) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => error.help("nothing is there yet; add the parent first"),
            None => error.help(format!("it has: {}", known.join(", "))),
        }
    }
}

fn keys_of(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Mapping(mapping) => mapping.iter().map(|(key, _)| key.text.to_string()).collect(),
        Value::Sequence(items) => (0..items.len()).map(|at| at.to_string()).collect(),
        Value::Scalar(_) => Vec::new(),
    }
}

/// An index into a list; negative ones count from the end.
fn index(token: &str, length: usize) -> Option<usize> {
    let at: i64 = token.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    usize::try_from(if at < 0 { at + length } else { at }).ok()
}

fn child_mut<'a>(node: &'a mut Node, token: &str) -> Option<&'a mut Node> {
    if node.as_sequence().is_some() {
        let items = node.as_sequence_mut()?;
        let at = index(token, items.len())?;
        return items.get_mut(at);
    }
    node.as_mapping_mut()?.get_mut(token)
}

/// Applies the operations in order. The object passes through JSON, as in kustomize: its texts become canonical.
///
/// # Errors
/// When a path does not exist, or a test fails.
pub(crate) fn apply(root: &mut Node, operations: &[Operation]) -> Result<(), RenderError> {
    through_json(root, LargeIntegers::Rounded);
    for operation in operations {
        let place = root.origin.span;
        run(root, operation).map_err(|error| error.related(place, "the object that is patched"))?;
        // Only what is moved or copied grows faster than the patch's own text; what is added may nest deeper.
        if !matches!(operation.kind, OperationKind::Test | OperationKind::Remove) && !is_within_limits(root) {
            let message = "after this operation the object is too large or nested too deep";
            return Err(RenderError::at(operation.span, message).help("write the object as a separate resource"));
        }
    }
    unquote(root);
    Ok(())
}

/// kustomize writes and reads the object once more: afterwards only those strings are in quotes that need them, which later
/// steps keep when they write something else there.
fn unquote(node: &mut Node) {
    let is_quoted = |scalar: &Scalar| {
        scalar.kind == Kind::String
            && !scalar.plain
            && !scalar.text.is_empty()
            && Scalar::string(&scalar.text).plain
            && !scalar.text.contains('\n')
    };
    match &node.value {
        Value::Scalar(scalar) if is_quoted(scalar) => {
            let plain = Scalar { plain: true, ..scalar.clone() };
            node.value = Value::Scalar(plain);
        }
        Value::Sequence(items) if items.iter().any(holds_quoted) => {
            node.as_sequence_mut().into_iter().flatten().for_each(unquote);
        }
        Value::Mapping(mapping) if mapping.iter().any(|(_, node)| holds_quoted(node)) => {
            node.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut).for_each(|(_, node)| unquote(node));
        }
        _ => {}
    }
}

/// Looks before anything is unshared.
fn holds_quoted(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.kind == Kind::String && !scalar.plain,
        Value::Sequence(items) => items.iter().any(holds_quoted),
        Value::Mapping(mapping) => mapping.iter().any(|(_, node)| holds_quoted(node)),
    }
}

/// Whether two values are the same to JSON, to which `1` and `1.0` are.
fn same_in_json(one: &Node, other: &Node) -> bool {
    if let (Some(one), Some(other)) = (one.as_sequence(), other.as_sequence()) {
        return one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_in_json(one, other));
    }
    if let (Some(one), Some(other)) = (one.as_mapping(), other.as_mapping()) {
        let is_same =
            |(key, value): (&Key, &Node)| other.get(&key.text).is_some_and(|other| same_in_json(value, other));
        return one.len() == other.len() && one.iter().all(is_same);
    }
    same(one, other) || same_number(one, other)
}

fn same_number(one: &Node, other: &Node) -> bool {
    let number = |node: &Node| match node.as_scalar()?.kind {
        Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => node.as_text()?.parse::<f64>().ok(),
        _ => None,
    };
    number(one).is_some_and(|one| number(other) == Some(one))
}

/// The beginning of a value, as JSON.
fn shown(node: &Node) -> String {
    const MOST: usize = 60;
    let text = to_json(node).to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn run(root: &mut Node, operation: &Operation) -> Result<(), RenderError> {
    let path = &operation.path;
    let value =
        || operation.value.clone().ok_or_else(|| RenderError::at(operation.span, "this operation has no `value`"));
    match operation.kind {
        OperationKind::Add => add(root, path, value()?),
        OperationKind::Remove => take(root, path).map(drop),
        OperationKind::Replace => replace(root, path, value()?),
        OperationKind::Move | OperationKind::Copy => {
            let Some(from) = &operation.from else { return Ok(()) };
            let mut moved = if operation.kind == OperationKind::Move { take(root, from)? } else { find(root, from)? };
            moved.remember(moved.clone());
            (moved.origin.span, moved.origin.step) = (operation.span, Step::JsonPatch);
            add(root, path, moved)
        }
        OperationKind::Test => {
            let wanted = operation.value.as_ref();
            let is_secret = root.get("kind").and_then(Node::as_text) == Some("Secret");
            let (parent, last) = path.parent(root)?;
            let found = child_mut(parent, last);
            let fits = match (found.as_deref(), wanted) {
                (Some(found), Some(wanted)) => same_in_json(found, wanted),
                (None, wanted) => wanted.is_none_or(Node::is_null),
                (Some(found), None) => found.is_null(),
            };
            if fits {
                return Ok(());
            }
            let is = found.map_or_else(|| "nothing is there".to_owned(), |found| format!("it is {}", shown(found)));
            let expected = wanted.map_or_else(|| "nothing".to_owned(), shown);
            let values = if is_secret { String::new() } else { format!(": {is}, and this patch expects {expected}") };
            let message = format!("the test of `{}` fails{values}", path.text);
            Err(RenderError::at(operation.span, message).help("correct the value here, or remove the test"))
        }
    }
}

fn add(root: &mut Node, path: &Pointer, value: Node) -> Result<(), RenderError> {
    if path.tokens.is_empty() && path.text.is_empty() {
        *root = value;
        return Ok(());
    }
    let (parent, last) = path.parent(root)?;
    let (known, shape) = (keys_of(parent), parent.shape());
    if let Some(items) = parent.as_sequence_mut() {
        let at = if last == "-" { Some(items.len()) } else { add_index(last, items.len()) };
        let at = at.filter(|at| *at <= items.len()).ok_or_else(|| path.missing(last, &known))?;
        items.insert(at, value);
        return Ok(());
    }
    let Some(mapping) = parent.as_mapping_mut() else {
        return Err(RenderError::at(path.span, format!("`{}` is inside {shape}, which has no fields", path.text)));
    };
    put(mapping, last, value, path.span);
    Ok(())
}

/// Where an insertion counts from the end, one behind the last item is `-1`.
fn add_index(token: &str, length: usize) -> Option<usize> {
    if token.starts_with('-') { index(token, length + 1) } else { index(token, length) }
}

fn put(mapping: &mut Mapping, key: &str, mut value: Node, span: Span) {
    match mapping.get_mut(key) {
        Some(found) => {
            value.remember(found.clone());
            *found = value;
        }
        None => mapping.push(Key { text: Arc::from(key), span, is_string: true }, value),
    }
}

fn replace(root: &mut Node, path: &Pointer, value: Node) -> Result<(), RenderError> {
    if path.tokens.is_empty() && path.text.is_empty() {
        *root = value;
        return Ok(());
    }
    let (parent, last) = path.parent(root)?;
    let known = keys_of(parent);
    if parent.as_sequence().is_some() {
        let found = child_mut(parent, last).ok_or_else(|| path.missing(last, &known))?;
        let before = std::mem::replace(found, value);
        found.remember(before);
        return Ok(());
    }
    let mapping = parent.as_mapping_mut().ok_or_else(|| path.missing(last, &known))?;
    put(mapping, last, value, path.span);
    Ok(())
}

fn find(root: &mut Node, path: &Pointer) -> Result<Node, RenderError> {
    let (parent, last) = path.parent(root)?;
    let known = keys_of(parent);
    child_mut(parent, last).cloned().ok_or_else(|| path.missing(last, &known))
}

fn take(root: &mut Node, path: &Pointer) -> Result<Node, RenderError> {
    let (parent, last) = path.parent(root)?;
    let known = keys_of(parent);
    if let Some(items) = parent.as_sequence_mut() {
        let at = index(last, items.len()).filter(|at| *at < items.len()).ok_or_else(|| path.missing(last, &known))?;
        return Ok(items.remove(at));
    }
    let removed = parent.as_mapping_mut().and_then(|mapping| {
        let removed = mapping.remove(last)?;
        mapping.note_removal(last, path.span);
        Some(removed)
    });
    removed.ok_or_else(|| path.missing(last, &known))
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
        (
            r#"patches:
- patch: |-
    - {op: add, path: /data/b, value: "2"}
  target: {kind: ConfigMap}
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            r#"apiVersion: v1
data:
  a: "1"
  b: "2"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            "patches:
- patch: |-
    - {op: replace, path: /data/a, value: 2}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            "apiVersion: v1
data:
  a: 2
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: remove, path: /data/a}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1", b: "2"}
"#,
            r#"apiVersion: v1
data:
  b: "2"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            "patches:
- patch: |-
    - {op: move, from: /data/a, path: /data/b}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            r#"apiVersion: v1
data:
  b: "1"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            "patches:
- patch: |-
    - {op: copy, from: /data/a, path: /data/b}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            r#"apiVersion: v1
data:
  a: "1"
  b: "1"
kind: ConfigMap
metadata:
  name: c
"#,
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /items/-, value: c}
  target: {kind: ConfigMap}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
items: [a, b]
",
            "apiVersion: v1
items:
- a
- b
- c
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /items/0, value: c}
  target: {kind: ConfigMap}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
items: [a, b]
",
            "apiVersion: v1
items:
- c
- a
- b
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: remove, path: /items/-1}
  target: {kind: ConfigMap}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
items: [a, b]
",
            "apiVersion: v1
items:
- a
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: test, path: /data/a, value: other}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            "error: the test of `/data/a` fails",
        ),
        (
            "patches:
- patch: |-
    - {op: remove, path: /data/none}
  target: {kind: ConfigMap}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1"}
"#,
            "error: `/data/none` does not exist: there is no `none`",
        ),
    ];

    #[test]
    fn operations_do_what_kustomize_lets_them_do() {
        hold(ROWS);
    }
}
