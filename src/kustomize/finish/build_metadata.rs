//! `buildMetadata`: annotations that say where an object comes from and what changed it (`api/resource/origin.go`).

use std::sync::Arc;

use crate::kustomize::build::resource::Resource;
use crate::kustomize::transform::fieldspec::{Leaf, Visit, visit};
use crate::span::Span;
use crate::yaml::{Key, Mapping, Node, Step, emit_document};

const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// The way to what is built, as `buildMetadata` writes it down.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    /// The path from the folder that is built.
    pub path: String,
    /// The option that asks for it.
    pub span: Span,
}

impl Trail {
    /// One entry further, joined as Go's `filepath.Join` does.
    pub(crate) fn to(&self, entry: &str) -> Self {
        Self { path: join(&self.path, entry), span: self.span }
    }
}

/// A file that configures a generator or a transformer, and the object in it that does.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    /// The file, from the folder that is built.
    pub file: Trail,
    /// The `apiVersion` of the configuration.
    pub api_version: String,
    /// The kind of plugin.
    pub kind: String,
    /// The configuration's name, where it is an object of its own.
    pub name: String,
    /// The configuration's namespace.
    pub namespace: String,
}

fn join(folder: &str, entry: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let joined = format!("{folder}/{entry}");
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

impl Configured {
    /// What a kustomization's own field stands for.
    pub(crate) fn built_in(file: &Trail, kind: &str) -> Self {
        let empty = String::new;
        Self {
            file: file.clone(),
            api_version: "builtin".to_owned(),
            kind: kind.to_owned(),
            name: empty(),
            namespace: empty(),
        }
    }

    /// The configuration in an object of its own.
    pub(crate) fn in_object(file: &Trail, resource: &Resource) -> Self {
        let id = resource.id();
        let (api_version, kind) = (id.gvk.api_version(), id.gvk.kind);
        Self { file: file.clone(), api_version, kind, name: id.name, namespace: id.namespace }
    }

    /// The text of the annotation, every line behind `indent`.
    fn text(&self, indent: &str) -> String {
        let fields = [
            ("apiVersion", &self.api_version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let start = format!("configuredIn: {}\n{indent}configuredBy:\n", scalar(&self.file.path));
        fields.fold(start, |text, (key, value)| format!("{text}{indent}  {key}: {}\n", scalar(value)))
    }
}

/// A text as YAML writes it on one line.
fn scalar(text: &str) -> String {
    let mut out = String::new();
    let file = crate::span::Files::default();
    let span = Span::start_of(file.add(&crate::sources::RepoPath::root(), crate::sources::ContentId::of(b""), ""));
    match emit_document(&Node::string(text, span, Step::BuildMetadata), &mut out) {
        Ok(()) => out.trim_end().to_owned(),
        Err(_) => text.to_owned(),
    }
}

fn annotation<'a>(resource: &'a Resource, key: &str) -> Option<&'a str> {
    resource.node.find(&["metadata", "annotations", key]).and_then(Node::as_text)
}

fn annotate(resource: &mut Resource, key: &str, text: &str, span: Span) {
    let path = ["metadata".to_owned(), "annotations".to_owned()];
    let how = Visit { create: Some(Leaf::Mapping), span, step: Step::BuildMetadata };
    let set = visit(&mut resource.node, &path, how, &mut |node| {
        if let Some(mapping) = node.as_mapping_mut() {
            let value = Node::string(text, span, Step::BuildMetadata);
            match mapping.get_mut(key) {
                Some(found) => *found = value,
                None => mapping.push(Key { text: Arc::from(key), span, is_string: true }, value),
            }
        }
        Ok(())
    });
    // An object whose metadata is no mapping has no place for annotations, and fails for that reason elsewhere.
    drop(set);
}

/// Notes the file that objects stand in.
pub(crate) fn came_from(resources: &mut [Resource], file: &Trail) {
    let text = format!("path: {}\n", scalar(&file.path));
    for resource in resources {
        annotate(resource, ORIGIN, &text, file.span);
    }
}

/// The file that an object stands in, where that was noted.
pub(crate) fn path_of(resource: &Resource) -> Option<String> {
    let mut lines = annotation(resource, ORIGIN)?.lines();
    let path = lines.find_map(|line| line.strip_prefix("path: "))?;
    Some(path.trim_matches(['"', '\'']).to_owned())
}

/// Notes what generated an object, unless that is known.
pub(crate) fn was_generated(resource: &mut Resource, configured: &Configured) {
    if annotation(resource, ORIGIN).is_none() {
        annotate(resource, ORIGIN, &configured.text(""), configured.file.span);
    }
}

/// Lets a generated object keep the origin of the one that it is merged into.
pub(crate) fn keep_origin(new: &mut Resource, old: &Resource) {
    let origin = old.node.find(&["metadata", "annotations", ORIGIN]);
    if let Some((origin, text)) = origin.and_then(|origin| Some((origin, origin.as_text()?))) {
        annotate(new, ORIGIN, text, origin.origin.span);
    }
}

/// Notes a transformer that had its turn. Objects of unknown origin count as made by it.
pub(crate) fn were_transformed(resources: &mut [Resource], configured: &Configured) {
    for resource in resources {
        if annotation(resource, ORIGIN).is_none() {
            was_generated(resource, configured);
        } else {
            was_transformed(resource, configured);
        }
    }
}

fn was_transformed(resource: &mut Resource, configured: &Configured) {
    let known = annotation(resource, TRANSFORMATIONS).unwrap_or_default();
    let text = format!("{known}- {}", configured.text("  "));
    annotate(resource, TRANSFORMATIONS, &text, configured.file.span);
}

/// Removes the annotations that were not asked for.
pub(crate) fn clean(resource: &mut Resource, keeps_origins: bool, keeps_transformations: bool) {
    for (key, keeps) in [(ORIGIN, keeps_origins), (TRANSFORMATIONS, keeps_transformations)] {
        if keeps || annotation(resource, key).is_none() {
            continue;
        }
        let metadata = resource.node.as_mapping_mut().and_then(|object| object.get_mut("metadata"));
        let annotations = metadata.and_then(Node::as_mapping_mut).and_then(|metadata| metadata.get_mut("annotations"));
        if let Some(annotations) = annotations.and_then(Node::as_mapping_mut) {
            Mapping::remove(annotations, key);
        }
    }
}
