//! `configMapGenerator` and `secretGenerator` (`api/internal/generators`, `api/kv/kv.go`).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::loader::{Content, Loader};
use super::resource::{Behavior, Resource};
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Pair, Text};
use crate::kustomize::file::kustomization::{Generator, GeneratorOptions, Product};
use crate::span::{Span, offset};
use crate::yaml::{Key, Kind, Mapping, Node, Origin, Scalar, Step, Value, begins_with_tab};

/// A key, its content, and where the content is written.
struct Datum {
    key: String,
    content: Arc<[u8]>,
    span: Span,
}

/// Makes the object that one generator describes.
///
/// # Errors
/// When a source is missing or malformed, or a key is given twice.
pub(crate) fn generate(
    generator: &Generator,
    global: &GeneratorOptions,
    product: Product,
    loader: &mut Loader<'_>,
) -> Result<Resource, RenderError> {
    let options = generator.options.with_defaults(global);
    let data = data(generator, product == Product::Secret, loader)?;
    let mut object = Mapping::default();
    let text = |value: &str, span: Span| Node::string(value, span, Step::Generator);
    let kind = if product == Product::Secret { "Secret" } else { "ConfigMap" };
    object.set("apiVersion", text("v1", generator.span));
    object.set("kind", text(kind, generator.span));
    let mut metadata = Mapping::default();
    metadata.set("name", text(&generator.name.value, generator.name.span));
    if let Some(namespace) = &generator.namespace {
        metadata.set("namespace", text(&namespace.value, namespace.span));
    }
    for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if !pairs.is_empty() {
            let entry = |pair: &Pair| {
                let key = Key::plain(&pair.key, pair.span);
                (key, text(&pair.value, pair.span))
            };
            let mapping: Mapping = pairs.iter().map(entry).collect();
            metadata.set(field, mapping_node(mapping, generator.span));
        }
    }
    object.set("metadata", mapping_node(metadata, generator.span));
    if product == Product::Secret {
        let secret_type = generator.secret_type.as_ref();
        let node = secret_type.map_or_else(|| text("Opaque", generator.span), |kind| text(&kind.value, kind.span));
        object.set("type", node);
        object.set("data", Node::mapping(generator.span, Step::Generator));
    }
    for datum in data {
        let (field, value) = match (product, std::str::from_utf8(&datum.content)) {
            (Product::ConfigMap, Ok(plain)) => ("data", plain.to_owned()),
            (Product::ConfigMap, Err(_)) => ("binaryData", encode(&datum.content)),
            (Product::Secret, _) => ("data", encode(&datum.content)),
        };
        if object.get(field).is_none() {
            object.set(field, Node::mapping(generator.span, Step::Generator));
        }
        refuse_unwritable(&value, datum.span)?;
        let mapping = object.get_mut(field).and_then(Node::as_mapping_mut);
        let key = Key::plain(&datum.key, datum.span);
        if let Some(mapping) = mapping {
            mapping.push(key, text(&value, datum.span));
        }
    }
    if let Some(span) = options.immutable {
        let value = Scalar { text: Arc::from("true"), kind: Kind::Bool(true), plain: true, folded: false };
        object.set("immutable", Node { value: Value::Scalar(value), origin: Origin::new(span, Step::Generator) });
    }
    let mut resource = Resource::new(mapping_node(object, generator.span), &loader.schemas);
    resource.is_generated = true;
    resource.needs_hash = !options.disable_name_suffix_hash;
    resource.behavior = match generator.behavior.as_ref().map(|behavior| behavior.value.as_str()) {
        Some("replace") => Behavior::Replace,
        Some("merge") => Behavior::Merge,
        _ => Behavior::Create,
    };
    Ok(resource)
}

/// Refuses text that kustomize writes and then cannot read.
fn refuse_unwritable(text: &str, span: Span) -> Result<(), RenderError> {
    let what = if begins_with_tab(text) {
        "a text that begins with a tab".to_owned()
    } else if let Some(control) =
        text.chars().find(|character| matches!(character, '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}'))
    {
        format!("the control character U+{:04X}", u32::from(control))
    } else {
        return Ok(());
    };
    Err(RenderError::at(span, format!("kustomize cannot read {what} again"))
        .help("remove it from the text, or keep the text in a file of `binaryData`"))
}

fn mapping_node(mapping: Mapping, span: Span) -> Node {
    Node { value: Value::Mapping(Arc::new(mapping)), origin: Origin::new(span, Step::Generator) }
}

/// Base64 in lines of 70 characters where it is longer, as kustomize writes it.
fn encode(content: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(content);
    if encoded.len() < LINE {
        return encoded;
    }
    let lines = encoded.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    lines.collect()
}

fn data(generator: &Generator, is_secret: bool, loader: &mut Loader<'_>) -> Result<Vec<Datum>, RenderError> {
    let mut data = Vec::new();
    for source in &generator.envs {
        env_file(source, loader, &mut data)?;
    }
    for literal in &generator.literals {
        let Some((key, value)) = literal.value.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(RenderError::at(literal.span, "a literal is written `key=value`"));
        };
        let content = Arc::from(without_quotes(value).as_bytes());
        data.push(Datum { key: key.to_owned(), content, span: literal.span });
    }
    for source in &generator.files {
        let (key, path) = file_source(source)?;
        let found = loader.content(&path, source.span)?;
        let content = found.bytes(&loader.parsed.files);
        let span = match found {
            Content::Text(file) => Span { file, start: 0, end: offset(content.len()) },
            Content::Bytes(_) => source.span,
        };
        data.push(Datum { key, content, span });
    }
    let mut seen = HashMap::new();
    for datum in &data {
        if let Some(first) = seen.insert(datum.key.as_str(), datum.span) {
            // A key without a value may be a value without a key.
            let key = if is_secret { "a key".to_owned() } else { format!("the key `{}`", datum.key) };
            let message = format!("{key} is set twice in `{}`", generator.name.value);
            return Err(RenderError::at(datum.span, message).related(first, "first set here"));
        }
    }
    data.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(data)
}

fn without_quotes(value: &str) -> &str {
    let quoted = |quote| value.len() >= 2 && value.starts_with(quote) && value.ends_with(quote);
    if quoted('"') || quoted('\'') { &value[1..value.len() - 1] } else { value }
}

fn file_source(source: &Text) -> Result<(String, String), RenderError> {
    let parts: Vec<&str> = source.value.split('=').collect();
    match parts[..] {
        [path] => Ok((path.rsplit('/').next().unwrap_or(path).to_owned(), path.to_owned())),
        [key, path] if !key.is_empty() && !path.is_empty() => Ok((key.to_owned(), path.to_owned())),
        _ => Err(RenderError::at(source.span, format!("`{}` is not a valid file source", source.value))
            .help("write `path` or `key=path`, without further `=`")),
    }
}

/// Lines of `key=value`; blank lines and comments are passed over, a key alone has an empty value.
fn env_file(source: &Text, loader: &mut Loader<'_>, data: &mut Vec<Datum>) -> Result<(), RenderError> {
    let file = loader.text_file(source)?;
    let text = &loader.parsed.files.get(file).text;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let here = start;
        start += line.len();
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let trimmed = line
            .trim_start_matches(|character: char| character.is_whitespace() || here == 0 && character == '\u{feff}');
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (key, value) = trimmed.split_once('=').unwrap_or((trimmed, ""));
        if key.is_empty() {
            continue;
        }
        let (start, end) = (offset(here + line.len() - trimmed.len()), offset(here + line.len()));
        let span = Span { file, start, end };
        data.push(Datum { key: key.to_owned(), content: Arc::from(value.as_bytes()), span });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
        (
            r#"configMapGenerator:
- name: g
  literals: [a=1, 'b="q"', c=]
"#,
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: c
---
apiVersion: v1
data:
  a: "1"
  b: q
  c: ""
kind: ConfigMap
metadata:
  name: g-64kh5ck49m
"#,
        ),
        (
            "configMapGenerator:
- {name: g, files: [objects.yaml], options: {disableNameSuffixHash: true, labels: {l: v}}}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: c
---
apiVersion: v1
data:
  objects.yaml: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
kind: ConfigMap
metadata:
  labels:
    l: v
  name: g
",
        ),
        (
            "configMapGenerator:
- {name: g, files: [k=objects.yaml]}
generatorOptions: {immutable: true, annotations: {a: b}}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: c
---
apiVersion: v1
data:
  k: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
immutable: true
kind: ConfigMap
metadata:
  annotations:
    a: b
  name: g-k86hbd2982
",
        ),
        (
            "secretGenerator:
- {name: g, type: t, literals: [a=1]}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: c
---
apiVersion: v1
data:
  a: MQ==
kind: Secret
metadata:
  name: g-5ff886hc44
type: t
",
        ),
        (
            "configMapGenerator:
- {name: c, behavior: merge, literals: [b=2]}
",
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
            "configMapGenerator:
- {name: g, literals: [a]}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "error: a literal is written `key=value`",
        ),
        (
            "configMapGenerator:
- {name: g, literals: [a=1, a=2]}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
",
            "error: the key `a` is set twice in `g`",
        ),
    ];

    #[test]
    fn generators_make_what_they_are_told() {
        hold(ROWS);
    }
}
