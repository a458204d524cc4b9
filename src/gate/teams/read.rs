//! Reads the files of policies and of their data.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::config::PolicySource;
use crate::gate::GateError;
use crate::kustomize::ParsedFiles;
use crate::model::describe;
use crate::policy::PolicyObject;
use crate::sources::{ContentId, Entry, RepoPath, Tree, list_below};
use crate::span::FileId;
use crate::yaml::{Dialect, Node, Source, Step, parse, to_json};

/// The data of an entry of `policies`: its YAML and JSON files put together, as `conftest --data` does: by content, not by name.
pub(super) fn data_of(source: &PolicySource, tree: &dyn Tree, files: &ParsedFiles) -> Result<Json, GateError> {
    let broken = |why: String| GateError::Policies { folder: source.folder.to_string(), why };
    let mut data = Map::new();
    for folder in &source.data {
        let mut is_empty = true;
        for path in files_of(tree, folder)? {
            if !matches!(path.ending(), "yaml" | "yml" | "json") {
                continue;
            }
            let (id, text) = text_of(tree, &path, &source.folder)?;
            let file = files.files.add(&path, id, &text);
            let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource);
            for document in documents.map_err(|error| broken(format!("`{path}`: {}", error.message)))? {
                let Json::Object(fields) = to_json(&document) else {
                    return Err(broken(format!("`{path}` is not a mapping, so that it is no data")));
                };
                merge(&mut data, fields);
                is_empty = false;
            }
        }
        if is_empty {
            return Err(broken(format!("there is no data in `{folder}`")));
        }
    }
    Ok(Json::Object(data))
}

/// The files of a folder with policies or data. Behind a link something else would judge.
pub(super) fn files_of(tree: &dyn Tree, folder: &RepoPath) -> Result<Vec<RepoPath>, GateError> {
    let broken = |why: String| GateError::Policies { folder: folder.to_string(), why };
    match tree.entry(folder)? {
        Some(Entry::Folder(_)) => {}
        None => return Err(broken("there is no such folder".to_owned())),
        Some(_) => return Err(broken("it is not a folder".to_owned())),
    }
    let listing = list_below(tree, std::slice::from_ref(folder))?;
    match listing.others.first() {
        Some(other) => Err(broken(format!("`{other}` is a link or a submodule; policies and data are regular files"))),
        None => Ok(listing.files),
    }
}

/// The text of a file with policies or data.
pub(super) fn text_of(tree: &dyn Tree, path: &RepoPath, folder: &RepoPath) -> Result<(ContentId, String), GateError> {
    let broken = |why: String| GateError::Policies { folder: folder.to_string(), why };
    let (id, content) = tree.read(path)?.ok_or_else(|| broken(format!("`{path}` is listed, but cannot be read")))?;
    match std::str::from_utf8(&content) {
        Ok(text) => Ok((id, text.to_owned())),
        Err(_) => Err(broken(format!("`{path}` is not UTF-8"))),
    }
}

fn merge(into: &mut Map<String, Json>, from: Map<String, Json>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(known)), Json::Object(more)) => merge(known, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Whether a file is in a folder whose name begins with a dot, below that of the policies: there are tests, and what they need.
pub(super) fn is_test_material(path: &RepoPath, folder: &RepoPath) -> bool {
    let depth = folder.segments().count();
    path.segments().skip(depth).any(|segment| segment.starts_with('.'))
}

/// The objects of a file, also those in lists.
pub(super) fn objects_of(path: &RepoPath, file: FileId, files: &ParsedFiles) -> Result<Vec<PolicyObject>, String> {
    let text = Arc::clone(&files.files.get(file).text);
    let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource);
    let mut pending: Vec<Node> = documents.map_err(|error| format!("`{path}`: {}", error.message))?;
    let mut objects = Vec::new();
    pending.reverse();
    while let Some(node) = pending.pop() {
        let described = describe(&node);
        if described.kind.ends_with("List")
            && let Some(items) = node.get("items").and_then(Node::as_sequence)
        {
            pending.extend(items.iter().rev().cloned());
            continue;
        }
        let line = node.get("kind").map_or(1, |kind| files.files.location(kind.origin.span).line);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        objects.push(PolicyObject { json: to_json(&node), path: path.to_string(), line });
    }
    Ok(objects)
}
