//! `replacements` (`api/filters/replacement`).

use std::sync::Arc;

use super::field_path::{FieldPath, Shape};
use super::fieldspec::KindPattern;
use super::selector::Selector;
use crate::kustomize::build::loader::Loader;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading, Text};
use crate::kustomize::limits::{MOST_MEETINGS, MOST_REPLACED_TEXT};
use crate::span::Span;
use crate::yaml::{
    Dialect, JsonLayout, Kind, Mapping, Node, Scalar, Source, Step, Value, go_json, is_within_limits, parse, resolve,
    to_json,
};

/// An entry of `replacements`.
#[derive(Clone, Debug)]
pub enum ReplacementEntry {
    /// A file that holds one or several.
    File(Text),
    /// One of them.
    Inline(Box<Replacement>),
}

/// Copies one value to many places.
#[derive(Clone, Debug)]
pub struct Replacement {
    value: SourceValue,
    targets: Vec<Target>,
    span: Span,
}

#[derive(Clone, Debug)]
enum SourceValue {
    Written(Text),
    Field(Box<FieldSource>),
}

/// The field that a value is read from.
#[derive(Clone, Debug)]
struct FieldSource {
    kind: KindPattern,
    name: String,
    namespace: String,
    path: FieldPath,
    options: FieldOptions,
    span: Span,
}

#[derive(Clone, Debug)]
struct Target {
    select: Selector,
    reject: Vec<Selector>,
    paths: Vec<FieldPath>,
    options: FieldOptions,
}

#[derive(Clone, Debug, Default)]
struct FieldOptions {
    delimiter: String,
    index: i64,
    create: bool,
}

const DEFAULT_PATH: &str = "metadata.name";

impl ReplacementEntry {
    /// Reads an entry.
    ///
    /// # Errors
    /// When it has both a path and a text, or lacks something.
    pub(crate) fn read(node: &Node, reading: Reading) -> Result<Self, RenderError> {
        let known = ["path", "source", "sourceValue", "targets"];
        let fields = Fields::read(node, &known, reading, "an entry of `replacements`")?;
        match fields.filled("path")? {
            Some(path) if fields.get("source").is_some() || fields.get("targets").is_some() => {
                Err(RenderError::at(path.span, "this replacement has a `path` and other fields")
                    .help("keep one of the two"))
            }
            Some(path) => Ok(Self::File(path)),
            None => Replacement::of(&fields).map(Box::new).map(Self::Inline),
        }
    }
}

impl Replacement {
    fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let span = fields.span();
        let source_fields = ["group", "version", "kind", "name", "namespace", "fieldPath", "options"];
        let source = fields.inner("source", &source_fields)?;
        let value = match (fields.text("sourceValue")?, source) {
            (Some(value), None) => SourceValue::Written(value),
            (None, Some(source)) => SourceValue::Field(Box::new(FieldSource::of(&source)?)),
            (Some(value), Some(_)) => {
                return Err(RenderError::at(value.span, "this replacement has both `source` and `sourceValue`")
                    .help("keep one of the two"));
            }
            (None, None) => {
                return Err(RenderError::at(span, "this replacement has no `source`")
                    .help("say where the value comes from: `source: {kind, name, fieldPath}`"));
            }
        };
        if fields.get("targets").is_none_or(Node::is_null) {
            return Err(RenderError::at(span, "this replacement has no `targets`")
                .help("say where the value goes: `targets: [{select: {kind, name}, fieldPaths: []}]`"));
        }
        let target_fields = ["select", "reject", "fieldPaths", "options"];
        let target = |node: &Node| {
            Target::of(&Fields::read(node, &target_fields, fields.reading(), "a target of a replacement")?)
        };
        Ok(Self { value, targets: fields.list("targets", target)?, span })
    }
}

impl FieldSource {
    fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let text = |name| Ok(fields.text(name)?.map(|text| text.value).unwrap_or_default());
        let span = fields.span();
        let path = fields.filled("fieldPath")?.unwrap_or(Text { value: DEFAULT_PATH.to_owned(), span });
        Ok(Self {
            kind: KindPattern::read(fields)?,
            name: text("name")?,
            namespace: text("namespace")?,
            path: FieldPath::new(&path)?,
            options: FieldOptions::of(fields)?,
            span,
        })
    }
}

impl Target {
    fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let span = fields.span();
        let select = fields.inner("select", &Selector::FIELDS)?.ok_or_else(|| {
            RenderError::at(span, "this target has no `select`").help("say which objects: `select: {kind, name}`")
        })?;
        let selector = |node: &Node| {
            Selector::read(&Fields::read(node, &Selector::FIELDS, fields.reading(), "an entry of `reject`")?)
        };
        let mut paths = fields.texts("fieldPaths")?;
        if paths.is_empty() {
            paths.push(Text { value: DEFAULT_PATH.to_owned(), span });
        }
        Ok(Self {
            select: Selector::read(&select)?,
            reject: fields.list("reject", selector)?,
            paths: paths.iter().map(FieldPath::new).collect::<Result<_, _>>()?,
            options: FieldOptions::of(fields)?,
        })
    }

    /// Any identity, past or present, may be selected or rejected.
    fn takes(&self, resource: &Resource) -> bool {
        let is_rejected = |reject: &Selector| {
            reject.names_labels_or_annotations() && reject.fits_labels_and_annotations(&resource.node)
                || reject.names_something() && resource.any_id(|id| reject.fits_id(id))
        };
        self.select.fits_labels_and_annotations(&resource.node)
            && !self.reject.iter().any(is_rejected)
            && resource.any_id(|id| self.select.fits_id(id))
    }
}

impl FieldOptions {
    fn of(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let Some(options) = fields.inner("options", &["delimiter", "index", "encoding", "create"])? else {
            return Ok(Self::default());
        };
        Ok(Self {
            delimiter: options.text("delimiter")?.map(|text| text.value).unwrap_or_default(),
            index: options.number("index")?.map_or(0, |(index, _)| index),
            create: options.flag("create")?.is_some(),
        })
    }
}

/// Copies every value to its places, in the order of the entries.
///
/// # Errors
/// When a source is not exactly one value, or a place cannot take it.
pub(crate) fn apply(
    resources: &mut [Resource],
    entries: &[ReplacementEntry],
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let mut text_left = MOST_REPLACED_TEXT;
    let mut meetings = 0;
    for entry in entries {
        let read;
        let replacements = match entry {
            ReplacementEntry::Inline(replacement) => std::slice::from_ref(&**replacement),
            ReplacementEntry::File(path) => {
                read = read_file(path, loader)?;
                &read
            }
        };
        for replacement in replacements {
            let found = RenderError::unless_opaque(replacement.value.find(resources), loader.is_opaque)?;
            let Some(mut value) = found else { continue };
            unshare(&mut value);
            for target in &replacement.targets {
                meetings += resources.len();
                if meetings > MOST_MEETINGS {
                    let message =
                        format!("the replacements compare targets with objects more than {MOST_MEETINGS} times");
                    return Err(RenderError::at(replacement.span, message).help("split the overlay"));
                }
                for resource in resources.iter_mut().filter(|resource| !resource.is_deleted() && target.takes(resource))
                {
                    target.put(&mut resource.node, &value, &mut text_left)?;
                    resource.propagate_shared();
                }
            }
            if text_left == 0 {
                let message = format!("these replacements produce more than {MOST_REPLACED_TEXT} bytes of text");
                return Err(RenderError::at(replacement.span, message).help("split the overlay"));
            }
        }
    }
    Ok(())
}

fn read_file(path: &Text, loader: &mut Loader<'_>) -> Result<Vec<Replacement>, RenderError> {
    let documents = loader.instructions(path, Dialect::Kustomization)?;
    let known = ["source", "sourceValue", "targets"];
    let read = |node: &Node| Replacement::of(&Fields::read(node, &known, Reading::Plugin, "a replacement")?);
    match documents.first() {
        Some(node) if node.as_mapping().is_some() => Ok(vec![read(node)?]),
        Some(node) if node.as_sequence().is_some() => node.as_sequence().unwrap_or_default().iter().map(read).collect(),
        _ => Err(RenderError::at(
            path.span,
            format!("`{}` contains neither a replacement nor a list of replacements", path.value),
        )),
    }
}

impl SourceValue {
    /// The value, with the place that it comes from.
    fn find(&self, resources: &[Resource]) -> Result<Node, RenderError> {
        let source = match self {
            Self::Written(text) => {
                let mut node = Node::string(&text.value, text.span, Step::Replacement);
                node.value = Value::Scalar(Scalar::plain(&text.value));
                return Ok(node);
            }
            Self::Field(source) => source,
        };
        let mut found = resources.iter().filter(|resource| !resource.is_deleted() && source.selects(resource));
        let first = found.next().ok_or_else(|| {
            let names: Vec<&str> = resources.iter().map(Resource::name).collect();
            let error = RenderError::at(source.span, "no object matches the source of this replacement").unmatched();
            match crate::kustomize::error::nearest(&source.name, &names).filter(|near| *near != source.name) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("name an object that is built here, by its `kind` and `name`"),
            }
        })?;
        if let Some(second) = found.next() {
            return Err(RenderError::at(source.span, "several objects match the source of this replacement")
                .help("add `kind`, `name` or `namespace` until only one matches")
                .related(first.node.origin.span, "one")
                .related(second.node.origin.span, "another"));
        }
        let value = source.path.find(&first.node)?.filter(|value| !crate::kustomize::file::fields::is_empty(value));
        let value = value.ok_or_else(|| source.path.missing(&first.node))?;
        let FieldOptions { delimiter, index, .. } = &source.options;
        if delimiter.is_empty() {
            return Ok(value.clone());
        }
        let Some(scalar) = value.as_scalar() else { return Err(no_delimiter(&source.path, value)) };
        let part = usize::try_from(*index).ok().and_then(|index| scalar.text.split(delimiter.as_str()).nth(index));
        let part = part.ok_or_else(|| {
            let count = scalar.text.split(delimiter.as_str()).count();
            RenderError::at(source.span, format!("there is no part {index}: the value has {count}"))
                .help("parts count from 0")
                .related(value.origin.span, "the value")
        })?;
        let mut refined = value.clone();
        refined.value = Value::Scalar(Scalar { text: Arc::from(part), ..scalar.clone() });
        Ok(refined)
    }
}

impl FieldSource {
    fn selects(&self, resource: &Resource) -> bool {
        let effective =
            |namespace: &str| if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() };
        resource.any_id(|id| {
            (self.name.is_empty() || self.name == id.name)
                && (self.namespace.is_empty() || effective(&self.namespace) == effective(&id.namespace))
                && self.kind.selects(&id.gvk)
        })
    }
}

fn no_delimiter(path: &FieldPath, found: &Node) -> RenderError {
    RenderError::at(path.span, format!("a `delimiter` splits texts, but this is {}", found.shape()))
        .related(found.origin.span, "here")
}

impl Target {
    fn put(&self, object: &mut Node, value: &Node, text_left: &mut usize) -> Result<(), RenderError> {
        let shape = self.options.create.then(|| Shape::of(value));
        for path in &self.paths {
            if self.put_into_text(path, object, value, text_left)? {
                continue;
            }
            let mut change = |node: &mut Node| set((path, Where::InObject), &self.options, node, value, text_left);
            let count = path.visit(object, shape, &mut change)?;
            if count == 0 {
                return Err(path.missing(object));
            }
            if value.as_scalar().is_none() && !is_within_limits(object) {
                let message = "with this replacement the object is too large or nested too deep";
                return Err(RenderError::at(path.span, message).help("copy a smaller value"));
            }
        }
        Ok(())
    }

    /// A path may go on inside a text that holds JSON; the rest of the text keeps its form.
    fn put_into_text(
        &self,
        path: &FieldPath,
        object: &mut Node,
        value: &Node,
        text_left: &mut usize,
    ) -> Result<bool, RenderError> {
        let Some((text, inner)) = path.through_text(object) else { return Ok(false) };
        *text_left = text_left.saturating_sub(text.len());
        let documents = parse(&Source::whole(&text, path.span), Step::File, Dialect::Resource).unwrap_or_default();
        let Some(mut document) = documents.into_iter().next() else { return Ok(false) };
        let shape = self.options.create.then(|| Shape::of(value));
        // Inside of texts the released kustomize does not ask for a delimiter.
        let whole = FieldOptions { delimiter: String::new(), ..self.options.clone() };
        let mut is_lost = false;
        let mut change = |node: &mut Node| {
            set((path, Where::InText), &whole, node, value, text_left)?;
            is_lost |= node.origin.step != Step::Replacement;
            Ok(())
        };
        if inner.visit(&mut document, shape, &mut change).ok().is_none_or(|count| count == 0) {
            return Ok(false);
        }
        if is_lost {
            return Ok(true);
        }
        if !text.trim_start().starts_with(['{', '[']) {
            return Err(RenderError::at(path.span, "this replacement reaches into a string of YAML").help(
                "replacements inside strings are only supported for JSON; keep the text in a file of each overlay",
            ));
        }
        let is_indented = text.contains('\n') && text.contains("  ");
        let layout = if is_indented { JsonLayout::Indented } else { JsonLayout::Compact };
        let text = go_json(&to_json(&document), layout);
        path.change_text(&inner, object, &mut |node| {
            let Some(scalar) = node.as_scalar().cloned() else { return Ok(()) };
            let scalar = Scalar { text: Arc::from(text.as_str()), ..scalar };
            node.replace_scalar(scalar, value.origin.span, Step::Replacement);
            Ok(())
        })?;
        Ok(true)
    }
}

/// What a value is put into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// An object.
    InObject,
    /// A text that holds a document.
    InText,
}

/// Puts the value into one place. A scalar keeps its type and takes the text.
fn set(
    (path, holder): (&FieldPath, Where),
    options: &FieldOptions,
    node: &mut Node,
    value: &Node,
    text_left: &mut usize,
) -> Result<(), RenderError> {
    let span = value.origin.span;
    let text = value.as_scalar().map(|scalar| Arc::clone(&scalar.text)).unwrap_or_default();
    let FieldOptions { delimiter, index, .. } = options;
    let Some(old) = node.as_scalar() else {
        if !delimiter.is_empty() {
            return Err(no_delimiter(path, node));
        }
        let mut new = value.clone();
        new.origin.step = Step::Replacement;
        new.remember(node.clone());
        *node = new;
        return Ok(());
    };
    let text = if delimiter.is_empty() {
        text
    } else {
        let mut parts: Vec<&str> = old.text.split(delimiter.as_str()).collect();
        match usize::try_from(*index) {
            Err(_) => parts.insert(0, &text),
            Ok(index) => match parts.get_mut(index) {
                Some(part) => *part = &text,
                None => parts.push(&text),
            },
        }
        let joined = parts.join(delimiter);
        *text_left = text_left.saturating_sub(joined.len());
        if *text_left == 0 {
            return Ok(());
        }
        Arc::from(joined)
    };
    let is_new = node.origin.step == Step::Replacement && node.origin.span == path.span;
    let scalar = if is_new { Some(Scalar::plain(&text)) } else { retyped(old, text) };
    // In a text such a value ends up in a copy, which is lost.
    if scalar.is_none() && holder == Where::InText {
        return Ok(());
    }
    let scalar = scalar.ok_or_else(|| {
        RenderError::at(path.span, format!("the value is not {}, as the field is", node.shape()))
            .help("a replacement keeps the field's type: write the field as a string, or choose another field")
            .related(node.origin.span, "the field")
            .related(span, "the value")
    })?;
    node.replace_scalar(scalar, span, Step::Replacement);
    Ok(())
}

/// A copy changes by itself.
fn unshare(node: &mut Node) {
    node.origin.shared = 0;
    if let Value::Sequence(items) = &mut node.value {
        Arc::make_mut(items).iter_mut().for_each(unshare);
    }
    node.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut).for_each(|(_, node)| unshare(node));
}

/// A scalar with another text and the same type; `None` where the text is nothing of that type.
fn retyped(old: &Scalar, text: Arc<str>) -> Option<Scalar> {
    let kind = resolve(&text);
    let fits = match old.kind {
        Kind::String => return Some(Scalar { text, ..old.clone() }),
        Kind::Null => kind == Kind::Null,
        Kind::Bool(_) => matches!(kind, Kind::Bool(_)),
        Kind::Int(_) | Kind::Uint(_) => matches!(kind, Kind::Int(_) | Kind::Uint(_)),
        Kind::Float(_) => matches!(kind, Kind::Float(_) | Kind::Int(_) | Kind::Uint(_)),
        Kind::Timestamp => kind == Kind::Timestamp,
    };
    fits.then_some(Scalar { text, kind, plain: old.plain, folded: false })
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
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
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: v1
data:
  a: x:y
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
      - image: x:y
        name: a
",
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a, options: {delimiter: ":", index: 1}}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            r#"apiVersion: v1
data:
  a: x:y
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
      - image: "y"
        name: a
"#,
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
    options: {delimiter: ":", index: 1}
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: v1
data:
  a: x:y
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
      - image: a:x:y
        name: a
",
        ),
        (
            r#"replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
    options: {delimiter: ":", index: -1}
"#,
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: v1
data:
  a: x:y
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
      - image: x:y:a:1
        name: a
",
        ),
        (
            "replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.new.field]
    options: {create: true}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: v1
data:
  a: x:y
kind: ConfigMap
metadata:
  name: c
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  new:
    field: x:y
  template:
    spec:
      containers:
      - image: a:1
        name: a
",
        ),
        (
            "replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.image]
    reject: [{name: d}]
",
            r#"apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "x:y"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: a, image: "a:1"}
"#,
            "apiVersion: v1
data:
  a: x:y
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
",
        ),
    ];

    #[test]
    fn a_replacement_writes_what_its_options_say() {
        hold(ROWS);
    }
}
