//! `patchesStrategicMerge`, `patches` and `patchesJson6902` (`api/internal/builtins/Patch*Transformer.go`).

use std::collections::HashSet;
use std::sync::Arc;

use super::jsonpatch::{self, Operation};
use super::merge::merge;
use crate::kustomize::build::accumulator::id_key;
use crate::kustomize::build::loader::Loader;
use crate::kustomize::build::objects::{self, objects};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::{RenderError, nearest};
use crate::kustomize::file::fields::Text;
use crate::kustomize::file::kustomization::Patch;
use crate::kustomize::known::schema::Schemas;
use crate::span::Span;
use crate::yaml::{Dialect, Mapping, Node, Scalar, Source, Step, Value, YamlError, parse};

/// What a patch's text turned out to be.
enum Content {
    Merge(Vec<Resource>),
    Json(Vec<Operation>),
}

/// Applies `patchesStrategicMerge`: every patch must match exactly one object.
///
/// # Errors
/// When a patch cannot be read, matches nothing, or does not fit.
pub(crate) fn strategic_merge(
    resources: &mut Vec<Resource>,
    entries: &[Text],
    text: Option<&Text>,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let mut patches = Vec::new();
    for entry in entries {
        // An entry is a path or the patch itself; what reads as objects is the latter.
        let inline = embedded(&entry.value, entry.span, loader, Dialect::Resource).ok();
        let inline = inline.and_then(|nodes| objects(nodes, &loader.schemas).ok());
        if let Some(found) = inline.filter(|found| !found.is_empty()) {
            patches.extend(found);
        } else {
            let documents = loader.documents(&entry.value, entry.span, Step::Patch)?;
            patches.extend(objects(documents, &loader.schemas)?);
        }
    }
    if let Some(text) = text {
        let nodes = embedded(&text.value, text.span, loader, Dialect::Resource);
        let nodes = nodes.map_err(|error| RenderError::at(error.span, error.message))?;
        patches.extend(objects(nodes, &loader.schemas)?);
    }
    if let (true, Some(first)) = (patches.is_empty(), entries.first().or(text)) {
        return Err(
            RenderError::at(first.span, "these patches are empty").help("write the patches, or remove the field")
        );
    }
    loader.has_merged = true;
    for patch in &patches {
        let merged = merge_into_its_object(resources, patch, &loader.schemas);
        if RenderError::unless_opaque(merged, loader.is_opaque)?.is_none() {
            loader.unmatched.push(patch.node.clone());
        }
    }
    resources.retain(|resource| !resource.is_deleted());
    Ok(())
}

/// Applies one entry of `patches`.
///
/// # Errors
/// When the patch cannot be read, matches nothing though it has no target, or does not fit.
pub(crate) fn apply(resources: &mut Vec<Resource>, patch: &Patch, loader: &mut Loader<'_>) -> Result<(), RenderError> {
    match read(patch, loader)? {
        Content::Merge(mut patches) => {
            let Some(target) = &patch.target else {
                loader.has_merged = true;
                for content in &patches {
                    let found = RenderError::unless_opaque(merge_target(resources, content), loader.is_opaque)?;
                    let Some(at) = found else {
                        loader.unmatched.push(content.node.clone());
                        continue;
                    };
                    merge_into(&mut resources[at], content, patch, &loader.schemas)?;
                }
                resources.retain(|resource| !resource.is_deleted());
                return Ok(());
            };
            if patches.len() > 1 {
                return Err(RenderError::at(patch.span, "a patch with a `target` must be one document")
                    .help("write an entry of `patches` for each document"));
            }
            let Some(content) = patches.pop() else { return Ok(()) };
            // All objects with the present identity of one that is meant are patched, and put in their places again.
            let has_past = resources.iter().any(|resource| resource.previous_names().next().is_some());
            let meant: HashSet<_> = resources.iter().filter(|it| has_past && target.selects(it)).map(id_key).collect();
            let is_meant = |resource: &Resource| {
                if has_past { meant.contains(&id_key(resource)) } else { target.selects(resource) }
            };
            if loader.is_opaque && !resources.iter().any(is_meant) {
                loader.unmatched.push(without_identity(content.node.clone()));
            }
            for resource in resources.iter_mut().filter(|resource| is_meant(resource)) {
                loader.has_merged = true;
                merge_into(resource, &retargeted(&content, resource), patch, &loader.schemas)?;
            }
            resources.retain(|resource| !resource.is_deleted());
            let mut seen = HashSet::new();
            if let Some(twice) = resources.iter().find(|it| !meant.is_empty() && !seen.insert(id_key(it))) {
                let message = format!("{} exists twice when this patch is applied", twice.id());
                return Err(
                    RenderError::at(patch.span, message).help("give one of the two another name before this patch")
                );
            }
        }
        Content::Json(operations) => json(resources, patch, &operations, EarlierNames::Remembered, loader)?,
    }
    Ok(())
}

/// Applies one entry of `patchesJson6902`.
///
/// # Errors
/// When the patch cannot be read or does not fit.
pub(crate) fn apply_json6902(
    resources: &mut [Resource],
    patch: &Patch,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    if patch.target.as_ref().is_some_and(|target| !target.names_a_name()) {
        return Err(RenderError::at(patch.span, "the `target` of this patch has no `name`")
            .help("name the object, or move the patch to `patches`, where a kind is sufficient"));
    }
    let nodes = nodes(patch, loader, Dialect::Kustomization)?;
    let operations = jsonpatch::read(nodes.first().ok_or_else(|| RenderError::at(patch.span, "this patch is empty"))?)?;
    if operations.is_empty() {
        return Err(RenderError::at(patch.span, "this patch is empty").help("list at least one operation"));
    }
    if patch.target.is_none() {
        return Err(without_target(patch));
    }
    json(resources, patch, &operations, EarlierNames::Forgotten, loader)
}

fn without_target(patch: &Patch) -> RenderError {
    RenderError::at(patch.span, "a JSON 6902 patch needs a `target`").help("say which objects: `target: {kind, name}`")
}

/// Whether an object is still found by the name that it had before a patch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EarlierNames {
    Remembered,
    Forgotten,
}

fn json(
    resources: &mut [Resource],
    patch: &Patch,
    operations: &[Operation],
    names: EarlierNames,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let target = patch.target.as_ref().ok_or_else(|| without_target(patch))?;
    if loader.is_opaque && !resources.iter().any(|resource| target.selects(resource)) {
        loader.unmatched.extend(operations.iter().map(Operation::written));
    }
    for resource in resources.iter_mut().filter(|resource| target.selects(resource)) {
        if names == EarlierNames::Remembered {
            resource.remember_id();
        }
        let span = operations.first().map_or(patch.span, Operation::span);
        resource.with_annotations(span, |node| jsonpatch::apply(node, operations))?;
        if let Err(error) = objects::check(&resource.node) {
            let operation = operations.iter().rfind(|operation| operation.names_object()).map_or(span, Operation::span);
            return Err(RenderError::at(operation, format!("after this operation {}", error.message))
                .related(resource.node.origin.span, "the object that is patched")
                .help("every object needs a kind and a name; to rename it, `replace` the name"));
        }
    }
    Ok(())
}

fn embedded(text: &str, span: Span, loader: &Loader<'_>, dialect: Dialect) -> Result<Vec<Node>, YamlError> {
    let file = loader.parsed.files.get(span.file);
    parse(&Source::embedded(text, span, &file), Step::Patch, dialect)
}

/// The documents of a patch. JSON patches are read as kustomizations are, merge patches as resources.
fn nodes(patch: &Patch, loader: &mut Loader<'_>, dialect: Dialect) -> Result<Vec<Node>, RenderError> {
    match (&patch.path, &patch.inline) {
        (Some(_), Some(_)) => {
            Err(RenderError::at(patch.span, "this patch has both `path` and `patch`").help("keep one of the two"))
        }
        (None, None) => Err(RenderError::at(patch.span, "this patch has neither `path` nor `patch`")
            .help("name a file or write the patch")),
        (Some(file), None) if dialect == Dialect::Resource => loader.documents(&file.value, file.span, Step::Patch),
        (Some(file), None) => {
            let content = loader.content(&file.value, file.span)?.bytes(&loader.parsed.files);
            refuse_half_json(&content, file.span)?;
            loader.instructions(file, dialect)
        }
        (None, Some(inline)) if dialect == Dialect::Kustomization => {
            refuse_half_json(inline.value.as_bytes(), inline.span)?;
            embedded(inline.value.trim_end(), inline.span, loader, dialect)
                .map_err(|error| RenderError::at(error.span, error.message))
        }
        (None, Some(inline)) => embedded(inline.value.trim_end(), inline.span, loader, dialect)
            .map_err(|error| RenderError::at(error.span, error.message)),
    }
}

/// A JSON patch that begins with `[` is read as JSON, any other one as YAML (`api/filters/patchjson6902`).
fn refuse_half_json(text: &[u8], span: Span) -> Result<(), RenderError> {
    if !text.starts_with(b"[") {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(text).map(|_| ()).map_err(|error| {
        RenderError::at(span, format!("this patch begins with `[`, and it is not JSON: {error}"))
            .help("write JSON, or a YAML list with one `-` for each operation")
    })
}

fn read(patch: &Patch, loader: &mut Loader<'_>) -> Result<Content, RenderError> {
    let found = nodes(patch, loader, Dialect::Resource)?;
    let is_json = found.first().is_some_and(|node| node.as_sequence().is_some());
    if is_json {
        // kustomize reads the first document only.
        let nodes = nodes(patch, loader, Dialect::Kustomization)?;
        return jsonpatch::read(&nodes[0]).map(Content::Json);
    }
    // kustomize passes over empty patches since 5.7.
    Ok(Content::Merge(objects(found, &loader.schemas)?))
}

/// A patch whose target says what it is for: what it is called itself says nothing.
fn without_identity(mut patch: Node) -> Node {
    if let Some(object) = patch.as_mapping_mut() {
        object.remove("metadata");
    }
    patch
}

fn merge_target(resources: &[Resource], patch: &Resource) -> Result<usize, RenderError> {
    let wanted = patch.original_id();
    let mut found = resources.iter().enumerate().filter(|(_, resource)| resource.has_been(&wanted));
    let span = patch.node.find(&["metadata", "name"]).unwrap_or(&patch.node).origin.span;
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some((_, first)), Some((_, second))) => {
            Err(RenderError::at(span, format!("the patch for {wanted} matches several objects"))
                .help("give the patch a `target` that says which")
                .related(first.node.origin.span, "one")
                .related(second.node.origin.span, "another"))
        }
        (None, _) => {
            let of_kind = resources.iter().filter(|resource| resource.gvk() == wanted.gvk);
            let names: Vec<String> = of_kind.map(|resource| resource.original_id().name).collect();
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let error = RenderError::at(span, format!("the patch for {wanted} matches no object")).unmatched();
            Err(match nearest(&wanted.name, &known) {
                Some(near) if near != wanted.name => error.help(format!("did you mean `{near}`?")),
                _ if known.is_empty() => error.help(format!(
                    "nothing of kind `{}` (`{}`) is built here",
                    wanted.gvk.kind,
                    wanted.gvk.api_version()
                )),
                _ => error.help(format!("this is built here: {}", known.join(", "))),
            })
        }
    }
}

fn merge_into_its_object(resources: &mut [Resource], patch: &Resource, schemas: &Schemas) -> Result<(), RenderError> {
    let at = merge_target(resources, patch)?;
    let retargeted = retargeted(patch, &resources[at]);
    merge_keeping_identity(&mut resources[at], &retargeted, (false, false), schemas)
}

fn merge_into(
    resource: &mut Resource,
    content: &Resource,
    patch: &Patch,
    schemas: &Schemas,
) -> Result<(), RenderError> {
    merge_keeping_identity(resource, content, (patch.allow_name_change, patch.allow_kind_change), schemas)
}

/// Merges, then puts name, namespace and kind back unless the patch may change them.
fn merge_keeping_identity(
    resource: &mut Resource,
    patch: &Resource,
    (name_may_change, kind_may_change): (bool, bool),
    schemas: &Schemas,
) -> Result<(), RenderError> {
    let field = |node: &Node, path: &[&str]| node.find(path).cloned();
    let kept = [
        (&["kind"][..], !kind_may_change),
        (&["metadata", "name"][..], !name_may_change),
        (&["metadata", "namespace"][..], true),
    ];
    let kept = kept.map(|(path, keep)| (path, keep.then(|| field(&resource.node, path))));
    if name_may_change || kind_may_change {
        resource.remember_id();
    }
    let place = resource.node.origin.span;
    let old = resource.node.clone();
    let merged =
        merge(old, &patch.node, schemas).map_err(|error| error.related(place, "the object that is patched"))?;
    let Some(merged) = merged else {
        resource.node.value = Value::Mapping(Arc::default());
        return Ok(());
    };
    resource.node = merged;
    for (path, value) in kept {
        let (Some(value), Some((last, above))) = (value, path.split_last()) else { continue };
        let holder = above.iter().try_fold(&mut resource.node, |node, key| node.as_mapping_mut()?.get_mut(key));
        let Some(holder) = holder.and_then(Node::as_mapping_mut) else { continue };
        match value {
            Some(value) => holder.set(last, value),
            None => {
                holder.remove(last);
            }
        }
    }
    if takes_annotations_away(&patch.node) {
        resource.forget_past();
    }
    resource.propagate_shared();
    Ok(())
}

/// kustomize notes earlier names in annotations, so that who replaces all of them makes it forget.
fn takes_annotations_away(patch: &Node) -> bool {
    let is_replaced = |node: &Node| {
        let directive = node.get("$patch").and_then(Node::as_text);
        node.is_null() || matches!(directive, Some("replace" | "delete"))
    };
    patch.get("metadata").is_some_and(is_replaced) || patch.find(&["metadata", "annotations"]).is_some_and(is_replaced)
}

/// A patch with a target is first made to look like the object: its `apiVersion` becomes the object's, and its labels
/// and annotations become strings, which is why a null in them cannot delete anything.
fn retargeted(patch: &Resource, resource: &Resource) -> Resource {
    let mut patch = patch.clone();
    if let Some(object) = patch.node.as_mapping_mut() {
        if let Some(api_version) = resource.node.get("apiVersion") {
            object.set("apiVersion", api_version.clone());
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Node::as_mapping_mut) {
            for field in ["labels", "annotations"] {
                let emptied = metadata.get(field).is_some_and(|node| node.as_mapping().is_none_or(Mapping::is_empty));
                if emptied {
                    metadata.remove(field);
                }
                let mapping = metadata.get_mut(field).and_then(Node::as_mapping_mut);
                for (_, node) in mapping.into_iter().flat_map(Mapping::iter_mut) {
                    let text = node.as_scalar().map(|scalar| scalar.text.to_string()).unwrap_or_default();
                    node.value = Value::Scalar(Scalar::string(&text));
                }
            }
        }
    }
    patch
}
