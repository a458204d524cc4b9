//! Paths into objects as `replacements` and `vars` write them: keys between dots, `[name=x]`, numbers and `*` for items
//! of lists (`kyaml/utils/pathsplitter.go`, `kyaml/yaml/match.go`).

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use regex::Regex;

use super::go_regex;
use crate::kustomize::error::{RenderError, nearest};
use crate::kustomize::file::fields::Text;
use crate::span::Span;
use crate::yaml::{DEEPEST_NESTING, Dialect, Kind, Mapping, Node, Origin, Scalar, Source, Step, Value, parse};

/// A path in parts, and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct FieldPath {
    parts: Vec<String>,
    /// What a part asks of items, by part, once it was needed.
    patterns: Vec<OnceLock<Regex>>,
    text: String,
    /// Where it is written.
    pub span: Span,
}

/// What stands at the end of a path that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A scalar.
    Scalar,
    /// A list.
    Sequence,
    /// A mapping.
    Mapping,
}

impl Shape {
    /// The shape of a value.
    pub(crate) fn of(node: &Node) -> Self {
        match node.value {
            Value::Scalar(_) => Self::Scalar,
            Value::Sequence(_) => Self::Sequence,
            Value::Mapping(_) => Self::Mapping,
        }
    }
}

/// One step on the way to a place.
#[derive(Clone, Debug)]
enum Turn<'a> {
    Item(usize),
    Key(Cow<'a, str>),
}

impl Turn<'_> {
    fn into_owned(self) -> Turn<'static> {
        match self {
            Self::Item(index) => Turn::Item(index),
            Self::Key(key) => Turn::Key(Cow::Owned(key.into_owned())),
        }
    }
}

/// A change to what stands at the end of a path.
pub(crate) type Change<'a> = dyn FnMut(&mut Node) -> Result<(), RenderError> + 'a;

/// One part of a path, as a search for several places reads it.
enum Part<'a> {
    Index(usize),
    Items { key: &'a str, pattern: &'a str },
    Every,
    Key(&'a str),
}

fn read_part(part: &str) -> Part<'_> {
    if let Ok(index) = part.parse() {
        return Part::Index(index);
    }
    match part.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).map(|inner| inner.split_once('=')) {
        Some(Some((key, pattern))) => Part::Items { key, pattern },
        _ if part == "*" => Part::Every,
        _ => Part::Key(part),
    }
}

impl FieldPath {
    /// Splits a path at dots. `\.` stands for a dot, and so does one between brackets.
    ///
    /// # Errors
    /// When it goes deeper than any object.
    pub(crate) fn new(path: &Text) -> Result<Self, RenderError> {
        let mut pieces: Vec<String> = Vec::new();
        for piece in path.value.strip_prefix('.').unwrap_or(&path.value).split('.') {
            match pieces.last_mut().and_then(|last| last.strip_suffix('\\').map(str::len).map(|length| (last, length)))
            {
                Some((last, length)) => {
                    last.truncate(length);
                    last.push('.');
                    last.push_str(piece);
                }
                None => pieces.push(piece.to_owned()),
            }
        }
        let mut parts = Vec::new();
        let mut pieces = pieces.into_iter();
        while let Some(piece) = pieces.next() {
            if !piece.starts_with('[') || piece.ends_with(']') {
                parts.push(piece);
                continue;
            }
            let mut bracketed = piece;
            for next in pieces.by_ref() {
                bracketed.push('.');
                bracketed.push_str(&next);
                if next.ends_with(']') {
                    break;
                }
            }
            let is_item = bracketed.contains('=');
            parts.push(if is_item { bracketed } else { bracketed.trim_matches(['[', ']']).to_owned() });
        }
        Self::of(parts, path)
    }

    /// Splits the path of a var, in which `key[0]` may stand for an item.
    ///
    /// # Errors
    /// When it goes deeper than any object.
    pub(crate) fn of_var(path: &Text) -> Result<Self, RenderError> {
        let index = |part: &str| {
            let (key, rest) = part.rsplit_once('[')?;
            let index = rest.strip_suffix(']').filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()))?;
            (!index.is_empty()).then(|| (key.to_owned(), index.to_owned()))
        };
        let mut parts = Vec::new();
        for part in Self::new(path)?.parts {
            match index(&part) {
                Some((key, index)) => parts.extend([key, index].into_iter().filter(|part| !part.is_empty())),
                None => parts.push(part),
            }
        }
        Self::of(parts, path)
    }

    /// Splits a path at slashes; `\/` stands for a slash.
    ///
    /// # Errors
    /// When it goes deeper than any object.
    pub(crate) fn between_slashes(path: &Text) -> Result<Self, RenderError> {
        Self::of(super::fieldspec::split_path(&path.value), path)
    }

    fn of(parts: Vec<String>, path: &Text) -> Result<Self, RenderError> {
        if parts.len() > DEEPEST_NESTING {
            return Err(RenderError::at(path.span, format!("this path has more than {DEEPEST_NESTING} parts")));
        }
        let patterns = vec![OnceLock::new(); parts.len()];
        Ok(Self { parts, patterns, text: path.value.clone(), span: path.span })
    }

    fn wrong(&self, part: &str, found: &Node) -> RenderError {
        let message = format!("`{}`: cannot look for `{part}` in {}", self.text, found.shape());
        RenderError::at(self.span, message).related(found.origin.span, "here")
    }

    /// Says that an object has no such field.
    pub(crate) fn missing(&self, object: &Node) -> RenderError {
        let mut here = object;
        let unknown = self.parts.iter().find(|part| match here.get(part) {
            Some(next) => {
                here = next;
                false
            }
            None => true,
        });
        let known: Vec<&str> =
            here.as_mapping().into_iter().flat_map(Mapping::iter).map(|(key, _)| &*key.text).collect();
        let error = RenderError::at(self.span, format!("`{}` does not exist in this object", self.text))
            .related(object.origin.span, "the object");
        match unknown.and_then(|unknown| nearest(unknown, &known)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => error.help("correct the path"),
            None => error.help(format!("it has: {}", known.join(", "))),
        }
    }

    /// The one place that the path names; `None` where it is missing.
    ///
    /// # Errors
    /// When the path asks for several places, or something else than it expects stands on the way.
    pub(crate) fn find<'a>(&self, object: &'a Node) -> Result<Option<&'a Node>, RenderError> {
        Ok(self.locate(self.parts.len(), object)?.map(|(node, _)| node))
    }

    /// Follows the first parts of the path; hands back what is there, and the way.
    fn locate<'a>(&self, length: usize, object: &'a Node) -> Result<Option<(&'a Node, Vec<Turn<'a>>)>, RenderError> {
        let mut here = object;
        let mut way = Vec::new();
        let parts = self.parts[..length].iter().map(|part| part.trim()).filter(|part| !part.is_empty());
        for part in parts {
            if here.is_null() {
                return Ok(None);
            }
            let items = || here.as_sequence().ok_or_else(|| self.wrong(part, here));
            let has = |node: &Node, text: &str| node.as_scalar().is_some_and(|scalar| *scalar.text == *text);
            let turn = match read_part(part) {
                Part::Index(index) => Some(Turn::Item(index)),
                Part::Every => {
                    return Err(RenderError::at(self.span, "`*` is not allowed here: the path must name one place"));
                }
                Part::Items { key: "", pattern } => items()?.iter().position(|item| has(item, pattern)).map(Turn::Item),
                Part::Items { key, pattern } => {
                    let fits = |item: &Node| item.get(key).is_some_and(|value| has(value, pattern));
                    items()?.iter().position(fits).map(Turn::Item)
                }
                Part::Key("-") => items()?.len().checked_sub(1).map(Turn::Item),
                Part::Key(key) => {
                    let mapping = here.as_mapping().ok_or_else(|| self.wrong(part, here))?;
                    mapping.key(key).map(|key| Turn::Key(Cow::Borrowed(&key.text)))
                }
            };
            let next = turn.as_ref().and_then(|turn| match turn {
                Turn::Item(index) => here.as_sequence()?.get(*index),
                Turn::Key(key) => here.get(key),
            });
            let (Some(turn), Some(next)) = (turn, next) else { return Ok(None) };
            way.push(turn);
            here = next;
        }
        Ok(Some((here, way)))
    }

    /// The text on the way that may hold a document of its own: its parts of the path, and the parts behind it.
    pub(crate) fn through_text(&self, object: &Node) -> Option<(Arc<str>, Self)> {
        (1..self.parts.len()).find_map(|length| {
            let (found, _) = self.locate(length, object).ok()??;
            let text = Arc::clone(&found.as_scalar()?.text);
            parse(&Source::whole(&text, self.span), Step::File, Dialect::Resource).ok()?;
            let parts = self.parts[length..].to_vec();
            let patterns = self.patterns[length..].to_vec();
            Some((text, Self { text: parts.join("."), parts, patterns, span: self.span }))
        })
    }

    /// Changes the text that [`FieldPath::through_text`] has found, `behind` being the parts behind it.
    ///
    /// # Errors
    /// Those of the change.
    pub(crate) fn change_text(
        &self,
        behind: &Self,
        object: &mut Node,
        change: &mut Change<'_>,
    ) -> Result<(), RenderError> {
        let length = self.parts.len() - behind.parts.len();
        let Some((_, way)) = self.locate(length, object)? else { return Ok(()) };
        let way: Vec<Turn<'static>> = way.into_iter().map(Turn::into_owned).collect();
        let found = way.iter().try_fold(object, |here, turn| match turn {
            Turn::Item(index) => here.as_sequence_mut()?.get_mut(*index),
            Turn::Key(key) => here.as_mapping_mut()?.get_mut(key),
        });
        found.map_or(Ok(()), change)
    }

    /// Does `change` at every place that the path matches; says how many there are. With `create`, what is missing is
    /// made, a value of that shape at the end.
    ///
    /// # Errors
    /// When something else than the path expects stands on the way, or the change fails.
    pub(crate) fn visit(
        &self,
        object: &mut Node,
        create: Option<Shape>,
        change: &mut Change<'_>,
    ) -> Result<usize, RenderError> {
        self.visit_from(0, object, create, change)
    }

    fn visit_from(
        &self,
        at: usize,
        here: &mut Node,
        create: Option<Shape>,
        change: &mut Change<'_>,
    ) -> Result<usize, RenderError> {
        let Some(part) = self.parts.get(at) else { return change(here).map(|()| 1) };
        let next = at + 1;
        match read_part(part) {
            Part::Key(key) => {
                if let Some(scalar) = here.as_scalar().filter(|scalar| scalar.kind != Kind::Null) {
                    return if at == 0 {
                        Err(self.wrong(part, here))
                    } else {
                        self.visit_copy(at, &scalar.text, change)
                    };
                }
                if here.is_null() {
                    return Ok(0);
                }
                let shape = create.map(|shape| self.shape_at(next, shape));
                let Some(mapping) = here.as_mapping_mut() else { return Err(self.wrong(part, here)) };
                if let Some(shape) = shape.filter(|_| mapping.get(key).is_none()) {
                    mapping.set(key, self.made(shape));
                }
                let Some(found) = mapping.get_mut(key) else { return Ok(0) };
                self.visit_from(next, found, create, change)
            }
            Part::Index(index) => {
                let shape = create.map(|shape| self.shape_at(next, shape));
                let Some(items) = here.as_sequence_mut() else { return Err(self.wrong(part, here)) };
                if let Some(shape) = shape.filter(|_| items.len() == index) {
                    items.push(self.made(shape));
                }
                let length = items.len();
                let Some(found) = items.get_mut(index) else {
                    let message = format!("`{}`: there is no item {index}, the list has {length}", self.text);
                    return Err(RenderError::at(self.span, message).help("items count from 0"));
                };
                self.visit_from(next, found, create, change)
            }
            Part::Every => {
                let Some(items) = here.as_sequence_mut() else { return Err(self.wrong(part, here)) };
                items.iter_mut().try_fold(0, |count, item| Ok(count + self.visit_from(next, item, create, change)?))
            }
            Part::Items { key, pattern } => {
                let known = &self.patterns[at];
                let regex = if let Some(compiled) = known.get() {
                    compiled
                } else {
                    let compiled = go_regex::compile(pattern, ["", ""], self.span)?;
                    known.get_or_init(|| compiled)
                };
                let Some(items) = here.as_sequence_mut() else { return Err(self.wrong(part, here)) };
                let count = self.visit_items(next, items, (key, regex), create, change)?;
                if count > 0 || create.is_none() {
                    return Ok(count);
                }
                let text = Node { value: Value::Scalar(Scalar::plain(pattern)), origin: self.origin() };
                let item = if key.is_empty() { text } else { self.made_mapping(key, text) };
                items.push(item);
                self.visit_items(next, items, (key, regex), create, change)
            }
        }
    }

    fn visit_items(
        &self,
        next: usize,
        items: &mut [Node],
        (key, regex): (&str, &Regex),
        create: Option<Shape>,
        change: &mut Change<'_>,
    ) -> Result<usize, RenderError> {
        let mut count = 0;
        for item in items {
            let compared = if key.is_empty() { Some(&*item) } else { item.get(key) };
            let fits = compared.and_then(Node::as_scalar).is_some_and(|scalar| regex.is_match(scalar.text.trim()));
            if fits {
                // An item that is matched by its own text ends the path.
                count += if key.is_empty() {
                    change(item).map(|()| 1)?
                } else {
                    self.visit_from(next, item, create, change)?
                };
            }
        }
        Ok(count)
    }

    /// A path that goes on inside a text which was not found as one place: kustomize changes a copy, which is lost.
    fn visit_copy(&self, at: usize, text: &str, change: &mut Change<'_>) -> Result<usize, RenderError> {
        let documents = parse(&Source::whole(text, self.span), Step::File, Dialect::Resource);
        let copy = documents.ok().and_then(|documents| documents.into_iter().next());
        match copy.filter(|copy| copy.as_mapping().is_some() || copy.as_sequence().is_some()) {
            Some(mut copy) => self.visit_from(at, &mut copy, None, &mut |node| {
                drop(change(node));
                Ok(())
            }),
            None => Err(RenderError::at(
                self.span,
                format!("`{}`: cannot look for `{}` in a string", self.text, self.parts[at]),
            )),
        }
    }

    /// What must stand at a place for the part behind it to fit.
    fn shape_at(&self, next: usize, end: Shape) -> Shape {
        match self.parts.get(next).map(|part| read_part(part)) {
            None => end,
            Some(Part::Index(_) | Part::Items { .. }) => Shape::Sequence,
            Some(Part::Key(_) | Part::Every) => Shape::Mapping,
        }
    }

    fn origin(&self) -> Origin {
        Origin::new(self.span, Step::Replacement)
    }

    fn made(&self, shape: Shape) -> Node {
        let value = match shape {
            Shape::Scalar => {
                Value::Scalar(Scalar { text: Arc::from(""), kind: Kind::Null, plain: true, folded: false })
            }
            Shape::Sequence => Value::Sequence(Arc::default()),
            Shape::Mapping => Value::Mapping(Arc::default()),
        };
        Node { value, origin: self.origin() }
    }

    fn made_mapping(&self, key: &str, value: Node) -> Node {
        let mut mapping = Mapping::default();
        mapping.set(key, value);
        Node { value: Value::Mapping(Arc::new(mapping)), origin: self.origin() }
    }
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    use super::*;
    use crate::span::Files;

    #[test]
    fn paths_split_at_dots_outside_of_brackets() {
        let files = Files::default();
        let file = files.add(&crate::sources::RepoPath::root(), crate::sources::ContentId::of(b""), "");
        let parts =
            |path: &str| FieldPath::new(&Text { value: path.to_owned(), span: Span::start_of(file) }).unwrap().parts;
        assert_eq!(parts("a.b\\.c.d"), ["a", "b.c", "d"]);
        assert_eq!(parts("spec.[name=a.b.c].image"), ["spec", "[name=a.b.c]", "image"]);
        assert_eq!(parts("metadata.annotations.[a.b/c]"), ["metadata", "annotations", "a.b/c"]);
        assert_eq!(parts(".a.0.*"), ["a", "0", "*"]);
        let var = Text { value: "spec.ports[0].port".to_owned(), span: Span::start_of(file) };
        assert_eq!(FieldPath::of_var(&var).unwrap().parts, ["spec", "ports", "0", "port"]);
    }

    const ROWS: &[Row<'_>] = &[
        (
            "replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [metadata.name]
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            r#"apiVersion: v1
data:
  a: "9"
kind: ConfigMap
metadata:
  name: c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "9"
spec:
  template:
    spec:
      containers:
      - image: a:1
        name: a
      - image: b:1
        name: b.c
"#,
        ),
        (
            "replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            r#"apiVersion: v1
data:
  a: "9"
kind: ConfigMap
metadata:
  name: c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: "9"
        name: a
      - image: b:1
        name: b.c
"#,
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ["spec.template.spec.containers.[name=b.c].image"]
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            r#"apiVersion: v1
data:
  a: "9"
kind: ConfigMap
metadata:
  name: c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: a:1
        name: a
      - image: "9"
        name: b.c
"#,
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ["spec.template.spec.containers.*.image"]
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            r#"apiVersion: v1
data:
  a: "9"
kind: ConfigMap
metadata:
  name: c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  template:
    spec:
      containers:
      - image: "9"
        name: a
      - image: "9"
        name: b.c
"#,
        ),
        (
            "replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.none]
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            "error: `spec.none` does not exist in this object",
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ["metadata.annotations.[a.b/c]"]
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "9"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
      - {name: b.c, image: "b:1"}
"#,
            "error: `metadata.annotations.[a.b/c]` does not exist in this object",
        ),
    ];

    #[test]
    fn paths_are_split_and_followed_as_kustomize_does() {
        hold(ROWS);
    }
}
