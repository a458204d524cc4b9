//! Who wrote each value of a rendering: for a person a column before each line, for programs a line of JSON a value.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value as Json;

use super::check::json::Resource;
use super::escape::printable;
use crate::kustomize::{RenderError, Rendering};
use crate::span::{Files, Span};
use crate::yaml::{Node, Value, Writer, emit_noting, key_order, pointer_token, to_json};

/// The output of `kustomize build` with a column before it: who wrote the value on each line, or else the key.
///
/// # Errors
/// When an object holds something that JSON cannot.
pub fn text(rendering: &Rendering, files: &Files) -> Result<String, RenderError> {
    let place = |span: Span| {
        let place = files.location(span);
        printable(&format!("{}:{}", place.path, place.line))
    };
    let describe = |writer: Writer<'_>| match writer {
        Writer::Key(span) => place(span),
        Writer::Value(origin) => {
            let before = origin.before.as_ref().filter(|before| before.origin.span != origin.span);
            let before = before.map(|before| format!(" ← {}", place(before.origin.span))).unwrap_or_default();
            format!("{} ({}{before})", place(origin.span), origin.step.name())
        }
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    for (at, object) in rendering.objects.iter().enumerate() {
        if at > 0 {
            rows.push((String::new(), "---".to_owned()));
        }
        let (mut text, mut notes) = (String::new(), Vec::new());
        emit_noting(object, &mut text, &mut |at, writer| notes.push((at, describe(writer))))
            .map_err(|error| RenderError::at(error.span, error.message))?;
        let mut notes = notes.into_iter().peekable();
        let (mut end, mut here) = (0, String::new());
        for line in text.split_inclusive('\n') {
            end += line.len();
            here.clear();
            while let Some((_, writer)) = notes.next_if(|(at, _)| *at < end) {
                here = writer;
            }
            rows.push((here.clone(), line.trim_end_matches('\n').to_owned()));
        }
    }
    let width = rows.iter().map(|(writer, _)| writer.chars().count()).max().unwrap_or_default();
    Ok(rows.iter().fold(String::new(), |mut out, (writer, line)| {
        let pad = " ".repeat(width - writer.chars().count());
        out.push_str(format!("{writer}{pad} │ {line}").trim_end());
        out.push('\n');
        out
    }))
}

#[derive(Serialize)]
struct Written<'a> {
    resource: Resource<'a>,
    path: &'a str,
    value: Json,
    step: &'static str,
    origin: Place,
    before: Vec<Earlier>,
}

#[derive(Serialize)]
struct Place {
    file: String,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Earlier {
    step: &'static str,
    origin: Place,
    value: Json,
}

/// One line of JSON for every scalar, in the order of the output.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(rendering: &Rendering, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    for object in &rendering.objects {
        let text = |path: &[&str]| object.find(path).and_then(Node::as_scalar).map_or("", |scalar| &scalar.text);
        let resource = || Resource {
            api_version: text(&["apiVersion"]),
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        };
        each_scalar(object, &mut String::new(), &mut |node, path| {
            let written = Written {
                resource: resource(),
                path,
                value: to_json(node),
                step: node.origin.step.name(),
                origin: place(node.origin.span, files),
                before: before(node, files),
            };
            serde_json::to_writer(&mut *out, &written)?;
            out.write_all(b"\n")
        })?;
    }
    Ok(())
}

fn place(span: Span, files: &Files) -> Place {
    let place = files.location(span);
    Place { file: place.path.to_string(), line: place.line, column: place.column }
}

fn before(node: &Node, files: &Files) -> Vec<Earlier> {
    let earlier = std::iter::successors(node.origin.before.as_deref(), |node| node.origin.before.as_deref());
    let describe = |node: &Node| Earlier {
        step: node.origin.step.name(),
        origin: place(node.origin.span, files),
        value: to_json(node),
    };
    earlier.map(describe).collect()
}

/// Visits scalars, and collections that are empty, by their JSON pointers.
fn each_scalar(node: &Node, path: &mut String, visit: &mut dyn FnMut(&Node, &str) -> io::Result<()>) -> io::Result<()> {
    let length = path.len();
    match &node.value {
        Value::Sequence(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("/{at}"));
                each_scalar(item, path, visit)?;
                path.truncate(length);
            }
            Ok(())
        }
        Value::Mapping(mapping) if !mapping.is_empty() => {
            let mut entries: Vec<_> = mapping.iter().collect();
            entries.sort_by(|(one, _), (other, _)| key_order(&one.text, &other.text));
            for (key, value) in entries {
                path.push('/');
                path.push_str(&pointer_token(&key.text));
                each_scalar(value, path, visit)?;
                path.truncate(length);
            }
            Ok(())
        }
        _ => visit(node, path),
    }
}
