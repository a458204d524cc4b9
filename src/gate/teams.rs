//! Policies of the repository itself: reads them from the side that is trusted, and asks them about what is rendered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::GateError;
use crate::config::PolicySource;
use crate::finding::{Finding, Label, Object, Place, Severity};
use crate::kustomize::{ParsedFiles, Rendering, secrets_in};
use crate::model::{RenderedOverlay, describe};
use crate::policy::{Conftest, Gatekeeper, Module, PolicyObject, Reached, Review, TeamFinding, Tested, run_tests};
use crate::sources::{Entry, RepoPath, Tree, list_below};
use crate::span::{FileId, Span};
use crate::words;
use crate::yaml::{Dialect, Node, Origin, Source, Step, Value, parse, pointer_token, to_json};

/// The policies that the configuration names.
#[derive(Default)]
pub(super) struct TeamPolicies {
    conftest: Vec<Conftest>,
    gatekeeper: Vec<Gatekeeper>,
    /// Their files, by path.
    files: BTreeMap<String, FileId>,
}

impl TeamPolicies {
    /// Their files, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, FileId)> {
        self.files.iter().map(|(path, file)| (path.as_str(), *file))
    }

    /// Reads the policies of a tree.
    ///
    /// # Errors
    /// When a file cannot be read, or is no policy.
    pub(super) fn read(tree: &dyn Tree, sources: &[PolicySource], files: &ParsedFiles) -> Result<Self, GateError> {
        let mut read = Self::default();
        for source in sources {
            let broken = |why: String| GateError::Policies { folder: source.folder.to_string(), why };
            let mut texts = Vec::new();
            let mut gatekeeper = Gatekeeper::default();
            for path in files_of(tree, &source.folder)? {
                let is_data = source.data.iter().any(|folder| path.is_within(folder));
                let is_rego = path.ending() == "rego" && !path.file_name().ends_with("_test.rego");
                let is_yaml = matches!(path.ending(), "yaml" | "yml" | "json") && !is_data;
                if !is_rego && !is_yaml {
                    continue;
                }
                let Some((id, content)) = tree.read(&path)? else { continue };
                let text = std::str::from_utf8(&content).map_err(|_| broken(format!("`{path}` is not UTF-8")))?;
                let file = files.files.add(&path, id, text);
                read.files.insert(path.to_string(), file);
                if is_rego {
                    texts.push((path.to_string(), text.to_owned()));
                } else {
                    add_objects(&mut gatekeeper, &path, file, files).map_err(broken)?;
                }
            }
            gatekeeper.complete().map_err(broken)?;
            if texts.is_empty() && gatekeeper.ids().next().is_none() {
                return Err(broken("there is no Rego and no constraint in it".to_owned()));
            }
            let data = data_of(source, tree, files)?;
            if !texts.is_empty() {
                let modules: Vec<Module<'_>> = texts.iter().map(|(path, text)| Module { path, text }).collect();
                let policies = Conftest::new(&modules, &data, &source.namespaces, source.combine);
                read.conftest.push(policies.map_err(broken)?);
            }
            read.gatekeeper.push(gatekeeper);
        }
        Ok(read)
    }

    /// Whether there is a rule of this name.
    pub(super) fn has(&self, rule: &str) -> bool {
        let mut ids =
            self.conftest.iter().flat_map(Conftest::ids).chain(self.gatekeeper.iter().flat_map(Gatekeeper::ids));
        ids.any(|id| id == rule)
    }

    /// What the policies find in a rendering; with `only`, the findings of one rule. `before` is what was there before the change,
    /// where that is asked about.
    pub(super) fn judge(
        &self,
        side: &RenderedOverlay,
        before: Option<&RenderedOverlay>,
        asked: &Asked<'_>,
        only: Option<&str>,
    ) -> Result<Vec<Finding>, GateError> {
        let is_asked_at_all = only.is_none_or(|only| self.has(only)) && !self.is_empty();
        let Some(rendering) = side.rendering.as_ref().filter(|_| side.renders() && is_asked_at_all) else {
            return Ok(Vec::new());
        };
        let secrets = secrets_of(rendering, before);
        let failed =
            |why: String| GateError::PolicyFailed { overlay: asked.place.overlay.clone(), why: without(&secrets, why) };
        let mut findings = Vec::new();
        let all: Vec<Json> = rendering.objects.iter().map(to_json).collect();
        for policies in self.conftest.iter().filter(|it| is_asked(only, it.ids())) {
            if policies.combines {
                let item = |(node, json): (&Node, &Json)| {
                    let path = asked.files.files.get(node.origin.span.file).path.to_string();
                    serde_json::json!({"path": path, "contents": json})
                };
                let together: Json = rendering.objects.iter().zip(&all).map(item).collect();
                let found = policies.judge(&together).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, None, asked)));
                continue;
            }
            for (node, json) in rendering.objects.iter().zip(&all) {
                let found = policies.judge(json).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, Some(node), asked)));
            }
        }
        let old: HashMap<Object, Json> = before
            .and_then(|before| before.rendering.as_ref())
            .map(|before| before.objects.iter().map(|node| (identity(node), to_json(node))).collect())
            .unwrap_or_default();
        for policies in self.gatekeeper.iter().filter(|it| is_asked(only, it.ids())) {
            for (node, json) in rendering.objects.iter().zip(&all) {
                let review = Review { object: json, old: old.get(&identity(node)), all: &all };
                let found = policies.judge(&review).map_err(failed)?;
                findings.extend(found.into_iter().map(|found| self.finding(found, Some(node), asked)));
            }
        }
        findings.retain(|finding| only.is_none_or(|only| finding.rule == only));
        for finding in &mut findings {
            finding.message = without(&secrets, std::mem::take(&mut finding.message));
            finding.subject = finding.subject.take().map(|subject| without(&secrets, subject));
        }
        Ok(findings)
    }

    fn is_empty(&self) -> bool {
        self.conftest.is_empty() && self.gatekeeper.is_empty()
    }

    fn finding(&self, found: TeamFinding, node: Option<&Node>, asked: &Asked<'_>) -> Finding {
        let Asked { place, own, files } = *asked;
        let field = node.zip(found.field.as_deref()).and_then(|(node, field)| resolved(node, field));
        // Another value of the same field is another fault.
        let subject = match &field {
            Some(Resolved { name, value, .. }) => {
                let digest = words::hexadecimal(&Sha256::digest(to_json(value).to_string()));
                format!("{} {name} {}", found.message, &digest[..16])
            }
            None => found.message.clone(),
        };
        let (span, path) = match (&field, node) {
            (Some(Resolved { origin, pointer, .. }), _) => (origin.span, Some(pointer.clone())),
            (None, Some(node)) => (node.get("kind").map_or(node.origin.span, |kind| kind.origin.span), None),
            (None, None) => (own, None),
        };
        let declared = found.declared.as_ref();
        let file = declared.and_then(|rule| Some((*self.files.get(&rule.path)?, rule.line)));
        let help = declared.map(|rule| format!("see what the policy asks for: `{}`, line {}", rule.path, rule.line));
        Finding {
            rule: found.rule,
            severity: if found.is_warning { Severity::Warning } else { Severity::Error },
            subject: Some(subject),
            message: found.message,
            primary: Label { span, text: "the policy is about this".to_owned() },
            related: file
                .map(|(file, line)| Label { span: line_of(files, file, line), text: "the policy".to_owned() })
                .into_iter()
                .collect(),
            notes: Vec::new(),
            help,
            place: Some(place.clone()),
            object: node.map(describe),
            path,
            existing: false,
            is_strict: false,
            waived: None,
            undecided: false,
        }
    }
}

/// What no message may tell: contents of rendered Secrets, also decoded. What is shorter than this is in many texts.
fn secrets_of(rendering: &Rendering, before: Option<&RenderedOverlay>) -> Vec<String> {
    const SHORTEST: usize = 4;
    let before =
        before.and_then(|before| before.rendering.as_ref()).map(|it| it.objects.as_slice()).unwrap_or_default();
    let mut secrets = Vec::new();
    for object in rendering.objects.iter().chain(before) {
        secrets_in(object, &mut |node| {
            let Some(text) = node.as_text() else { return };
            let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            secrets.extend([Some(text.to_owned()), decoded].into_iter().flatten().filter(|it| it.len() >= SHORTEST));
        });
    }
    // A longer one may hold a shorter one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

fn without(secrets: &[String], text: String) -> String {
    secrets
        .iter()
        .fold(text, |text, secret| if text.contains(secret) { text.replace(secret, "********") } else { text })
}

fn is_asked(only: Option<&str>, mut ids: impl Iterator<Item = String>) -> bool {
    only.is_none_or(|only| ids.any(|id| id == only))
}

/// An object whatever version of its API it is written for.
fn identity(node: &Node) -> Object {
    let object = describe(node);
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
    Object { api_version: group, ..object }
}

/// Takes up the objects of a file that are policies.
fn add_objects(gatekeeper: &mut Gatekeeper, path: &RepoPath, file: FileId, files: &ParsedFiles) -> Result<(), String> {
    let text = Arc::clone(&files.files.get(file).text);
    let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource);
    let mut pending: Vec<Node> = documents.map_err(|error| format!("`{path}`: {}", error.message))?;
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
        let object = PolicyObject { json: to_json(&node), path: path.to_string(), line };
        let is_other = described.api_version.contains("kyverno.io/")
            || described.kind.starts_with("ValidatingAdmissionPolicy")
            || described.kind.starts_with("MutatingAdmissionPolicy");
        if !gatekeeper.add(&object)? && is_other {
            return Err(format!(
                "{path}:{line}: policies of the kind `{}` ({}) are not evaluated",
                described.kind, described.api_version
            ));
        }
    }
    Ok(())
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) place: &'a Place,
    /// The line that stands for the overlay as a whole.
    pub(super) own: Span,
    pub(super) files: &'a ParsedFiles,
}

/// A line of a file, from 1, without what is blank before it.
fn line_of(files: &ParsedFiles, file: FileId, line: u32) -> Span {
    let source = files.files.get(file);
    let (start, end) = source.line_range(line.saturating_sub(1) as usize);
    Span { file, start, end }
}

/// A field of an object.
struct Resolved<'a> {
    /// Who wrote it.
    origin: Origin,
    pointer: String,
    /// Its place with the names of list items, which stay where others are added.
    name: String,
    value: &'a Node,
}

/// The steps of a field as policies write them: a JSON pointer, or `spec.containers[0].image`, also with keys in quotes.
fn steps(field: &str) -> Vec<String> {
    if let Some(pointer) = field.strip_prefix('/') {
        return pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    }
    let field = ["$.", "input.review.object.", "review.object.", "input.", "object."]
        .iter()
        .find_map(|prefix| field.strip_prefix(prefix))
        .unwrap_or(field);
    let mut steps = vec![String::new()];
    let mut quote = None;
    for character in field.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '.' | '[' | ']') => steps.push(String::new()),
            _ => steps.last_mut().into_iter().for_each(|step| step.push(character)),
        }
    }
    let plain = |step: String| step.strip_prefix("name=").map_or(step.clone(), str::to_owned);
    steps.into_iter().filter(|step| !step.is_empty()).map(plain).collect()
}

/// The field of an object that a policy names, as far down as it is there.
fn resolved<'a>(node: &'a Node, field: &str) -> Option<Resolved<'a>> {
    let (mut here, mut origin, mut pointer, mut name) = (node, None, String::new(), String::new());
    for step in steps(field) {
        let (token, label, next) = match &here.value {
            Value::Mapping(mapping) => (pointer_token(&step), step.clone(), mapping.get(&step)),
            Value::Sequence(items) => {
                let is_named = |item: &Node| item.get("name").and_then(Node::as_text) == Some(&step);
                let at = step.parse::<usize>().ok().or_else(|| items.iter().position(is_named));
                let item = at.and_then(|at| items.get(at));
                let label = item.and_then(|item| item.get("name")?.as_text()).unwrap_or(&step).to_owned();
                (at.unwrap_or_default().to_string(), label, item)
            }
            Value::Scalar(_) => break,
        };
        let Some(next) = next else { break };
        pointer.push_str(&format!("/{token}"));
        name.push_str(&format!("/{label}"));
        origin = Some(match here.as_mapping().and_then(|mapping| mapping.key(&step)) {
            // What is put together is shown by its key.
            Some(key) if next.as_scalar().is_none() => Origin::new(key.span, next.origin.step),
            _ => next.origin.clone(),
        });
        here = next;
    }
    Some(Resolved { origin: origin?, pointer, name, value: here })
}

/// The tests in a folder of policies.
pub struct TestedFolder {
    /// The folder.
    pub folder: RepoPath,
    /// Its tests.
    pub tests: Vec<Tested>,
    /// Which lines of its policies they have reached.
    pub reached: Vec<Reached>,
}

/// Runs the tests of a snapshot's policies: those of the folders that its configuration names, or of one folder.
///
/// # Errors
/// When a policy or its data cannot be read.
pub fn test_policies(
    tree: &dyn Tree,
    folder: Option<&RepoPath>,
    files: &ParsedFiles,
) -> Result<Vec<TestedFolder>, GateError> {
    let mut sources = super::trusted::read_config(tree, files)?.policies;
    if let Some(folder) = folder {
        sources.retain(|source| source.folder == *folder);
        if sources.is_empty() {
            sources.push(PolicySource {
                folder: folder.clone(),
                namespaces: Vec::new(),
                data: Vec::new(),
                combine: false,
            });
        }
    }
    let mut tested = Vec::new();
    for source in &sources {
        let broken = |why: String| GateError::Policies { folder: source.folder.to_string(), why };
        let mut texts = Vec::new();
        for path in files_of(tree, &source.folder)? {
            if path.ending() == "rego"
                && let Some((_, content)) = tree.read(&path)?
            {
                texts.push((path.to_string(), String::from_utf8_lossy(&content).into_owned()));
            }
        }
        let modules: Vec<Module<'_>> = texts.iter().map(|(path, text)| Module { path, text }).collect();
        let (tests, reached) = run_tests(&modules, &data_of(source, tree, files)?).map_err(broken)?;
        tested.push(TestedFolder { folder: source.folder.clone(), tests, reached });
    }
    Ok(tested)
}

/// The data of an entry of `policies`.
fn data_of(source: &PolicySource, tree: &dyn Tree, files: &ParsedFiles) -> Result<Json, GateError> {
    let mut data = Map::new();
    for folder in &source.data {
        read_data(tree, folder, files, &mut data).map_err(|error| match error {
            DataError::Gate(error) => error,
            DataError::Tree(error) => error.into(),
            DataError::Wrong(why) => GateError::Policies { folder: source.folder.to_string(), why },
        })?;
    }
    Ok(Json::Object(data))
}

/// The files of a folder with policies or data. Behind a link something else would judge.
fn files_of(tree: &dyn Tree, folder: &RepoPath) -> Result<Vec<RepoPath>, GateError> {
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

enum DataError {
    Gate(GateError),
    Tree(crate::sources::TreeError),
    Wrong(String),
}

impl From<crate::sources::TreeError> for DataError {
    fn from(error: crate::sources::TreeError) -> Self {
        Self::Tree(error)
    }
}

/// Puts the YAML and JSON files of a folder together, as `conftest --data` does: by content, not by name.
fn read_data(
    tree: &dyn Tree,
    folder: &RepoPath,
    files: &ParsedFiles,
    data: &mut Map<String, Json>,
) -> Result<(), DataError> {
    let mut is_empty = true;
    for path in files_of(tree, folder).map_err(DataError::Gate)? {
        if !matches!(path.ending(), "yaml" | "yml" | "json") {
            continue;
        }
        let Some((id, content)) = tree.read(&path)? else { continue };
        let text = String::from_utf8_lossy(&content).into_owned();
        let file = files.files.add(&path, id, &text);
        let documents = parse(&Source::file(file, &text), Step::File, Dialect::Resource);
        let documents = documents.map_err(|error| DataError::Wrong(format!("`{path}`: {}", error.message)))?;
        for document in &documents {
            let Json::Object(fields) = to_json(document) else {
                return Err(DataError::Wrong(format!("`{path}` is not a mapping, so that it is no data")));
            };
            merge(data, fields);
            is_empty = false;
        }
    }
    if is_empty { Err(DataError::Wrong(format!("there is no data in `{folder}`"))) } else { Ok(()) }
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
