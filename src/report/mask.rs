//! What an excerpt must not show. What was rendered is known exactly ([`Files::hidden_in`]); what nobody rendered is read
//! again here, and hidden wherever it may be secret.

use std::collections::BTreeMap;

use crate::config;
use crate::kustomize::{FILE_NAMES, secrets_in};
use crate::sources::ContentId;
use crate::span::{FileId, Files, STARS, SourceFile};
use crate::yaml::{Dialect, Mapping, Node, Source, Step, Value, parse};

/// The lines of a file that are hidden, and from which byte on.
pub(super) struct Mask {
    lines: BTreeMap<usize, usize>,
    hides_all: bool,
}

impl Mask {
    /// What must not be shown of a file.
    pub(super) fn of(files: &Files, id: FileId) -> Self {
        let file = files.get(id);
        let mut mask = Self { lines: BTreeMap::new(), hides_all: false };
        for (start, end) in files.hidden_in(id) {
            mask.hide(&file, start, end);
        }
        mask.add_unrendered(&file, files.is_read(id));
        mask
    }

    /// A line as it may be shown; `content` is its text without the line break.
    pub(super) fn shown(&self, line: usize, content: &str) -> String {
        let from = if self.hides_all { Some(&0) } else { self.lines.get(&line) };
        let Some(from) = from else { return content.to_owned() };
        let blank = content.len() - content.trim_start().len();
        let from = (*from).clamp(blank.min(content.len()), content.len());
        let open = content.get(..from).unwrap_or_default();
        if content[open.len()..].trim().is_empty() { content.to_owned() } else { format!("{open}{STARS}") }
    }

    fn hide(&mut self, file: &SourceFile, start: u32, end: u32) {
        let first = file.line_of(start);
        let last = file.line_of(end.max(start + 1) - 1);
        for line in first..=last {
            let column = if line == first { (start - file.line_starts()[line]) as usize } else { 0 };
            let known = self.lines.entry(line).or_insert(column);
            *known = (*known).min(column);
        }
    }

    fn add_unrendered(&mut self, file: &SourceFile, is_read: bool) {
        let name = file.path.file_name();
        let is_shown = matches!(name, "CODEOWNERS" | ".gitattributes") || file.path.ending() == "rego";
        if is_shown || file.path.as_str() == config::FILE_NAME {
            return;
        }
        let may_be_yaml = matches!(name.rsplit('.').next(), Some("yaml" | "yml" | "json"));
        let is_kustomization = FILE_NAMES.contains(&name);
        if !may_be_yaml && !is_kustomization {
            self.hides_all = !is_read;
            return;
        }
        // Spans of a file of its own would need its id; lines are counted on a copy of the text instead.
        let files = Files::default();
        let copy = files.add(&file.path, ContentId::of(file.text.as_bytes()), &file.text);
        // Of equal keys only one would be looked at.
        let strict = parse(&Source::file(copy, &file.text), Step::File, Dialect::Configuration);
        let Ok(documents) = strict else {
            let lower = file.text.to_ascii_lowercase();
            let may_hold = ["secret", "stringdata", "literals", "\\"].iter().any(|word| lower.contains(word))
                || lower.lines().any(|line| line.trim_start_matches([' ', '-', '{', '"', '\'']).starts_with("data"));
            self.hides_all = may_hold || !is_read && !is_kustomization;
            return;
        };
        let is_manifest = |document: &Node| document.get("kind").and_then(Node::as_text).is_some();
        self.hides_all = !is_read && !is_kustomization && !documents.iter().any(is_manifest);
        for document in &documents {
            let operations = document.as_sequence().unwrap_or_default().iter().filter(|item| writes_data(item));
            for value in operations.filter_map(|operation| operation.get("value")) {
                sources(value, &mut |node| self.hide(file, node.origin.span.start, node.origin.span.end));
            }
            secret_values(document, DEEPEST_TEXT, &mut |node| {
                self.hide(file, node.origin.span.start, node.origin.span.end);
            });
        }
    }
}

/// How often a text in a text is looked into; a text deeper inside counts as secret.
const DEEPEST_TEXT: usize = 3;

/// Calls `hide` with every scalar of a file that may be secret.
fn secret_values<'a>(node: &'a Node, depth: usize, hide: &mut dyn FnMut(&'a Node)) {
    secrets_in(node, hide);
    if node.get("kind").and_then(Node::as_text) == Some("SecretGenerator") {
        return sources_of_plugin(node, hide);
    }
    match &node.value {
        // A patch, or an object that was applied before, as a text.
        Value::Scalar(scalar) if scalar.text.contains('{') || scalar.text.contains('\n') => {
            let text = Source::whole(&scalar.text, node.origin.span);
            let documents = parse(&text, Step::File, Dialect::Kustomization).unwrap_or_default();
            let mut is_secret = false;
            for document in documents.iter().filter(|document| document.as_scalar().is_none()) {
                match depth.checked_sub(1) {
                    Some(depth) => secret_values(document, depth, &mut |_| is_secret = true),
                    None => is_secret = true,
                }
                is_secret |= document.as_sequence().unwrap_or_default().iter().any(writes_data);
            }
            if is_secret {
                hide(node);
            }
        }
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter().for_each(|item| secret_values(item, depth, hide)),
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                if key.text.eq_ignore_ascii_case("secretGenerator") {
                    sources(value, hide);
                } else {
                    secret_values(value, depth, hide);
                }
            }
        }
    }
}

/// Whether an operation of a JSON patch writes what a Secret may hold: anything but what is said of an object itself.
fn writes_data(operation: &Node) -> bool {
    let path = operation.get("path").and_then(Node::as_text).unwrap_or_default();
    let first = path.split('/').nth(1).unwrap_or_default();
    operation.get("op").is_some()
        && !matches!(first, "spec" | "kind" | "apiVersion")
        && !path.starts_with("/metadata/labels")
        && !matches!(path, "/metadata/name" | "/metadata/namespace")
}

/// The same of the configuration of a plugin.
fn sources_of_plugin<'a>(node: &'a Node, hide: &mut dyn FnMut(&'a Node)) {
    for (key, value) in node.as_mapping().into_iter().flat_map(Mapping::iter) {
        if !OPEN_SOURCES.contains(&&*key.text) && !matches!(&*key.text, "apiVersion" | "kind" | "metadata") {
            sources(value, hide);
        }
    }
}

/// Fields of a generator that say where its data is, and not what it is.
const OPEN_SOURCES: [&str; 8] = ["name", "namespace", "behavior", "type", "files", "envs", "env", "options"];

/// Everything in `secretGenerator` that may be data, whatever shape it has.
fn sources<'a>(node: &'a Node, hide: &mut dyn FnMut(&'a Node)) {
    match &node.value {
        Value::Scalar(_) => hide(node),
        Value::Sequence(items) => items.iter().for_each(|item| sources(item, hide)),
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                if !OPEN_SOURCES.contains(&&*key.text) {
                    sources(value, hide);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::RepoPath;

    /// The file as it is shown where nobody rendered it.
    fn shown(path: &str, text: &str) -> String {
        let files = Files::default();
        let id = files.add(&RepoPath::new(path).unwrap(), ContentId::of(text.as_bytes()), text);
        let mask = Mask::of(&files, id);
        text.lines().enumerate().map(|(at, line)| mask.shown(at, line) + "\n").collect()
    }

    #[test]
    fn contents_of_secrets_are_never_shown() {
        for (path, text, expected) in [
            (
                "a.yaml",
                "kind: Secret\nmetadata: {name: x}\nstringData:\n  a: b\n  c: |\n    d: e\n    f=g\n",
                "kind: Secret\nmetadata: {name: x}\nstringData:\n  a: ********\n  c: |\n    ********\n    ********\n",
            ),
            ("a.yaml", "kind: \"\\x53ecret\"\ndata: {a: b}\n", "kind: \"\\x53ecret\"\ndata: {a: ********\n"),
            (
                "a.yaml",
                "x: &d {a: b}\nkind: Secret\nstringData: *d\n",
                "x: &d {a: ********\nkind: Secret\nstringData: *d\n",
            ),
            (
                "kustomization.yaml",
                "secretGenerator:\n- name: x\n  literals: [a=b]\nresources: []\n",
                "secretGenerator:\n- name: x\n  literals: [********\nresources: []\n",
            ),
            (
                "kustomization.yaml",
                "patches:\n- patch: |-\n    kind: Secret\n    data: {a: b}\n",
                "patches:\n- patch: |-\n    ********\n    ********\n",
            ),
            ("a.yaml", "kind: A\nx: |\n  a {b\n  c\n", "kind: A\nx: |\n  a {b\n  c\n"),
            ("k.yaml", "kind: SecretStore\nspec:\n  a: b\n", "kind: SecretStore\nspec:\n  a: b\n"),
            ("a.yaml", "kind: Secret\nstringData: [\n", "********\n********\n"),
            ("a.yaml", "kind: Secret\ndata: {a: b}\ndata: {c: d}\n", "********\n********\n********\n"),
            (
                "p.yaml",
                "kind: A\n---\n- {op: add, path: /strngData/a, value: b}\n",
                "kind: A\n---\n- {op: add, path: /strngData/a, value: ********\n",
            ),
            (
                "kustomization.yaml",
                "secretGenerator: {name: x, commands: {a: b}}\n",
                "secretGenerator: {name: x, commands: {a: ********\n",
            ),
            (
                "a.yaml",
                "kind: SecretList\nitems:\n- data: {a: b}\n",
                "kind: SecretList\nitems:\n- data: {a: ********\n",
            ),
            ("values.yaml", "password: x\n", "********\n"),
            ("secret.env", "A=b\n", "********\n"),
        ] {
            assert_eq!(shown(path, text), expected, "{path}");
        }
    }
}
