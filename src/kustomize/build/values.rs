//! Values of charts that stand in texts of their own: in `ConfigMap`s that a Flux `HelmRelease` takes them from, and in files of
//! `helmCharts`.

use crate::span::{Files, Span};
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// What is written for content from elsewhere, apart from the object that names it.
#[derive(Clone, Debug)]
pub struct Values {
    /// Who uses them.
    pub user: ValuesUser,
    /// The values.
    pub node: Node,
}

/// Who uses values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuesUser {
    /// The object at this position.
    Object(usize),
    /// The chart with this identity, which a kustomization names.
    Chart(String),
    /// Other content from elsewhere with this identity.
    Opaque(String),
}

/// The values that objects take from `ConfigMap`s rendered beside them.
pub(crate) fn taken(objects: &[Node], files: &Files) -> Vec<Values> {
    let text = |node: &Node, path: &[&str]| node.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
    let is = |node: &Node, kind: &str| text(node, &["kind"]) == kind;
    let mut values = Vec::new();
    for (at, release) in objects.iter().enumerate().filter(|(_, node)| is(node, "HelmRelease")) {
        for source in release.find(&["spec", "valuesFrom"]).and_then(Node::as_sequence).unwrap_or_default() {
            let name = text(source, &["name"]);
            let is_meant = |node: &&Node| is(node, "ConfigMap") && text(node, &["metadata", "name"]) == name;
            if text(source, &["kind"]) != "ConfigMap" {
                continue;
            }
            let key = Some(text(source, &["valuesKey"])).filter(|key| !key.is_empty());
            let held = objects.iter().find(is_meant).and_then(|node| node.get("data"));
            let held = held.and_then(|data| data.get(key.as_deref().unwrap_or("values.yaml")));
            values.extend(
                held.and_then(|held| read(held, files)).map(|node| Values { user: ValuesUser::Object(at), node }),
            );
        }
    }
    values
}

/// The YAML that a text holds.
fn read(held: &Node, files: &Files) -> Option<Node> {
    let text = held.as_text()?;
    let span: Span = held.origin.span;
    let file = files.get(span.file);
    // A file that a generator took whole is the text.
    let source = if *file.text == *text { Source::file(span.file, text) } else { Source::embedded(text, span, &file) };
    parse(&source, Step::File, Dialect::Configuration).ok()?.into_iter().next()
}
