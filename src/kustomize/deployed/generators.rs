//! Argo CD's `ApplicationSet`: the applications that its generators make, as far as this repository tells them
//! (`applicationset/generators`). What only a cluster or a forge knows stays as written.

use std::collections::{BTreeMap, BTreeSet};

use super::{argocd, kind_of};
use crate::config::{Folders, glob_matches};
use crate::kustomize::build::closure::Closure;
use crate::kustomize::build::parsed::ParsedFiles;
use crate::kustomize::deployed::Deployer;
use crate::kustomize::error::RenderError;
use crate::kustomize::limits::MOST_APPLICATIONS;
use crate::sources::{Entry, RepoPath, Tree, list_below};
use crate::span::Span;
use crate::yaml::{Node, Step, Value};

/// The values of one application, by name, and where each is written.
type Parameters = BTreeMap<String, (String, Span)>;

/// How many bytes the values of one application may have. Real ones have some hundred.
const LONGEST_VALUES: usize = 16 << 10;

/// Reads what generators look at.
pub(crate) struct Generators<'a> {
    tree: &'a dyn Tree,
    parsed: &'a ParsedFiles,
    closure: &'a mut Closure,
    /// Which folders were asked for.
    pub(crate) directories: Vec<Directories>,
}

/// Folders that a generator asked for, and those that there are.
pub(crate) struct Directories {
    wanted: Folders,
    found: BTreeSet<RepoPath>,
}

impl Directories {
    /// Whether there are other ones after some files have changed.
    pub(crate) fn are_others(&self, changed: &[RepoPath], tree: &dyn Tree) -> bool {
        let is_other = |folder: RepoPath| {
            let is_there = || matches!(tree.entry(&folder), Ok(Some(Entry::Folder(_))));
            self.wanted.name(&folder) && self.found.contains(&folder) != is_there()
        };
        changed.iter().any(|path| std::iter::successors(path.parent(), RepoPath::parent).any(is_other))
    }
}

impl<'a> Generators<'a> {
    pub(crate) fn new(tree: &'a dyn Tree, parsed: &'a ParsedFiles, closure: &'a mut Closure) -> Self {
        Self { tree, parsed, closure, directories: Vec::new() }
    }

    /// What the applications of an `ApplicationSet` deploy; nothing where it is no such object.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub(super) fn deployers(&mut self, node: &Node) -> Result<Vec<Deployer>, RenderError> {
        let is_set = kind_of(node) == ("ApplicationSet".to_owned(), "argoproj.io".to_owned());
        let (Some(template), Some(spec)) = (node.find(&["spec", "template"]).filter(|_| is_set), node.get("spec"))
        else {
            return Ok(Vec::new());
        };
        let mut deployers = Vec::new();
        for parameters in self.all(spec, &Parameters::new(), 0)? {
            let values: usize = parameters.values().map(|(text, _)| text.len()).sum();
            if values > LONGEST_VALUES {
                continue;
            }
            deployers.extend(argocd::of_application(&filled(template, &parameters)).into_iter().flatten());
        }
        Ok(deployers)
    }

    /// What the generators below `holder` make, one after another.
    fn all(&mut self, holder: &Node, known: &Parameters, depth: usize) -> Result<Vec<Parameters>, RenderError> {
        let mut made = Vec::new();
        for generator in holder.get("generators").and_then(Node::as_sequence).unwrap_or_default() {
            made.extend(self.one(&filled(generator, known), known, depth)?);
        }
        made.truncate(MOST_APPLICATIONS);
        Ok(made)
    }

    fn one(&mut self, generator: &Node, known: &Parameters, depth: usize) -> Result<Vec<Parameters>, RenderError> {
        /// A matrix may hold another one.
        const DEEPEST: usize = 4;
        if depth > DEEPEST {
            return Ok(Vec::new());
        }
        if let Some(list) = generator.get("list") {
            let elements = list.get("elements").and_then(Node::as_sequence).unwrap_or_default();
            return Ok(elements.iter().take(MOST_APPLICATIONS).map(flattened).collect());
        }
        if let Some(git) = generator.get("git") {
            return self.git(git);
        }
        if let Some(matrix) = generator.get("matrix") {
            let mut made = vec![known.clone()];
            for inner in matrix.get("generators").and_then(Node::as_sequence).unwrap_or_default() {
                let mut next = Vec::new();
                for parameters in &made {
                    for more in self.one(&filled(inner, parameters), parameters, depth + 1)? {
                        next.push(joined(parameters, more));
                    }
                    if next.len() > MOST_APPLICATIONS {
                        break;
                    }
                }
                made = next;
            }
            return Ok(made);
        }
        if let Some(merge) = generator.get("merge") {
            return self.merged(merge, depth);
        }
        // What only a cluster or a forge knows.
        Ok(vec![Parameters::new()])
    }

    /// The first generator's, each with what others make of the same keys.
    fn merged(&mut self, merge: &Node, depth: usize) -> Result<Vec<Parameters>, RenderError> {
        let keys = merge.get("mergeKeys").and_then(Node::as_sequence).unwrap_or_default();
        let keys: Vec<&str> = keys.iter().filter_map(Node::as_text).collect();
        let of = |parameters: &Parameters| -> Vec<Option<String>> {
            keys.iter().map(|key| parameters.get(*key).map(|(text, _)| text.clone())).collect()
        };
        let mut generators = merge.get("generators").and_then(Node::as_sequence).unwrap_or_default().iter();
        let Some(first) = generators.next() else { return Ok(Vec::new()) };
        let mut made = self.one(first, &Parameters::new(), depth + 1)?;
        for generator in generators {
            for more in self.one(generator, &Parameters::new(), depth + 1)? {
                let same = made.iter_mut().filter(|parameters| of(parameters) == of(&more));
                same.for_each(|parameters| *parameters = joined(parameters, more.clone()));
            }
        }
        Ok(made)
    }

    fn git(&mut self, git: &Node) -> Result<Vec<Parameters>, RenderError> {
        let mut values = Parameters::new();
        if let Some(more) = git.get("values") {
            values = flattened(more).into_iter().map(|(name, value)| (format!("values.{name}"), value)).collect();
        }
        let mut made = Vec::new();
        let (mut wanted, mut excluded) = (Folders::default(), Folders::default());
        let directories = git.get("directories").and_then(Node::as_sequence).unwrap_or_default();
        for entry in directories {
            let Some(path) = entry.get("path").and_then(Node::as_text) else { continue };
            let is_excluded = entry.get("exclude").and_then(Node::as_text) == Some("true");
            if is_excluded { &mut excluded } else { &mut wanted }.add(path);
        }
        if let Some(first) = directories.first() {
            let mut found = BTreeSet::new();
            for pattern in directories.iter().filter_map(|entry| entry.get("path").and_then(Node::as_text)) {
                self.folders(pattern, &mut found)?;
            }
            for folder in found.iter().filter(|folder| !excluded.name(folder)) {
                made.push(joined(&path_parameters(folder, first.origin.span), values.clone()));
            }
            self.directories.push(Directories { wanted, found });
        }
        for entry in git.get("files").and_then(Node::as_sequence).unwrap_or_default() {
            let Some(pattern) = entry.get("path").and_then(Node::as_text) else { continue };
            let mut files = Folders::default();
            files.add(pattern);
            for path in self.below(pattern)?.into_iter().filter(|path| files.name(path)).take(MOST_APPLICATIONS) {
                let Some((id, content)) = self.tree.read(&path).map_err(|error| RenderError::tree(&error))? else {
                    continue;
                };
                let Ok(text) = std::str::from_utf8(&content) else { continue };
                let documents = self.parsed.documents(self.parsed.files.add(&path, id, text), Step::File);
                let Ok(documents) = &*documents else { continue };
                let rows = documents.iter().flat_map(|node| node.as_sequence().unwrap_or(std::slice::from_ref(node)));
                let folder = path.parent().unwrap_or_else(RepoPath::root);
                for row in rows {
                    let own = joined(&path_parameters(&folder, row.origin.span), values.clone());
                    made.push(joined(&own, flattened(row)));
                }
            }
        }
        made.truncate(MOST_APPLICATIONS);
        Ok(made)
    }

    /// The folders that a pattern names.
    fn folders(&self, pattern: &str, found: &mut BTreeSet<RepoPath>) -> Result<(), RenderError> {
        let segments: Vec<&str> = pattern.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
        let mut here = vec![(RepoPath::root(), 0)];
        let mut seen = BTreeSet::new();
        while let Some((folder, at)) = here.pop() {
            if !seen.insert((folder.clone(), at)) {
                continue;
            }
            let Some(segment) = segments.get(at) else {
                if !folder.is_root() && found.len() < MOST_APPLICATIONS {
                    found.insert(folder);
                }
                continue;
            };
            let spans = *segment == "**";
            if spans {
                here.push((folder.clone(), at + 1));
            }
            for (name, entry) in self.tree.children(&folder).map_err(|error| RenderError::tree(&error))? {
                let is_meant = spans || glob_matches(segment, &name);
                if is_meant && matches!(entry, Entry::Folder(_)) && !name.starts_with('.') {
                    here.push((folder.child(&name), if spans { at } else { at + 1 }));
                }
            }
        }
        Ok(())
    }

    /// The files below what a pattern names without a wildcard.
    fn below(&mut self, pattern: &str) -> Result<Vec<RepoPath>, RenderError> {
        let plain = pattern.split('/').take_while(|segment| !segment.contains(['*', '?', '[', '{']));
        let mut start = plain.fold(RepoPath::root(), |path, segment| path.join(segment).unwrap_or_else(RepoPath::root));
        // A pattern without wildcards names the file, or the folder, itself.
        if start.as_str() == pattern.trim_matches('/') {
            start = start.parent().unwrap_or_else(RepoPath::root);
        }
        self.closure.hold_folder(&start);
        if self.tree.children(&start).map_err(|error| RenderError::tree(&error))?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(list_below(self.tree, &[start]).map_err(|error| RenderError::tree(&error))?.files)
    }
}

fn joined(one: &Parameters, more: Parameters) -> Parameters {
    let mut all = one.clone();
    all.extend(more);
    all
}

/// The values of a mapping, by their keys with dots between them.
fn flattened(node: &Node) -> Parameters {
    fn add(node: &Node, name: &str, all: &mut Parameters) {
        if all.len() > MOST_APPLICATIONS {
            return;
        }
        match &node.value {
            Value::Scalar(scalar) => {
                all.insert(name.to_owned(), (scalar.text.to_string(), node.origin.span));
            }
            Value::Mapping(mapping) => {
                let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
                mapping.iter().for_each(|(key, value)| add(value, &below(&key.text), all));
            }
            Value::Sequence(_) => {}
        }
    }
    let mut all = Parameters::new();
    add(node, "", &mut all);
    all
}

/// What a folder is called, in the old templates and in Go's.
fn path_parameters(folder: &RepoPath, span: Span) -> Parameters {
    let normal = |text: &str| -> String {
        text.to_lowercase().chars().map(|it| if it.is_ascii_alphanumeric() || it == '.' { it } else { '-' }).collect()
    };
    let mut all = Parameters::new();
    let mut set = |name: String, text: &str| {
        all.insert(name, (text.to_owned(), span));
    };
    for name in ["path", "path.path"] {
        set(name.to_owned(), folder.as_str());
    }
    set("path.basename".to_owned(), folder.file_name());
    set("path.basenameNormalized".to_owned(), &normal(folder.file_name()));
    for (at, segment) in folder.segments().enumerate() {
        set(format!("path[{at}]"), segment);
        set(format!("path.segments[{at}]"), segment);
    }
    all
}

/// A template with its values filled in; what has none stays as written.
fn filled(node: &Node, parameters: &Parameters) -> Node {
    if parameters.is_empty() {
        return node.clone();
    }
    let mut filled_node = node.clone();
    fill(&mut filled_node, parameters);
    filled_node
}

fn fill(node: &mut Node, parameters: &Parameters) {
    if let Some((text, span)) = node.as_scalar().and_then(|scalar| filled_text(&scalar.text, parameters)) {
        if let Some(scalar) = node.as_scalar().cloned() {
            node.replace_scalar(scalar.rewritten(&text), span, Step::Var);
        }
    } else if let Some(items) = node.as_sequence_mut() {
        for item in items {
            fill(item, parameters);
        }
    } else if let Some(mapping) = node.as_mapping_mut() {
        for (_, value) in mapping.iter_mut() {
            fill(value, parameters);
        }
    }
}

/// A text with its values filled in, and where the last of them is written; `None` where there is nothing to fill in.
fn filled_text(text: &str, parameters: &Parameters) -> Option<(String, Span)> {
    let mut rest = text;
    let mut out = String::new();
    let mut place = None;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else { break };
        let (before, inner) = (&rest[..start], &rest[start + 2..start + length]);
        out.push_str(before);
        match value_of(inner, parameters) {
            Some((value, span)) => {
                out.push_str(value);
                place = Some(*span);
            }
            None => out.push_str(&rest[start..start + length + 2]),
        }
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    Some((out, place?))
}

/// What stands between braces: a name, or Go's `.name` and `index .name NUMBER`.
fn value_of<'a>(inner: &str, parameters: &'a Parameters) -> Option<&'a (String, Span)> {
    let inner = inner.trim().trim_matches('-').trim();
    let words: Vec<&str> = inner.split_whitespace().collect();
    match words[..] {
        ["index", name, at] => parameters.get(&format!("{}[{at}]", name.trim_start_matches('.'))),
        [name] => parameters.get(name).or_else(|| parameters.get(name.trim_start_matches('.'))),
        _ => None,
    }
}
