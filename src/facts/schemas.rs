//! What the Kubernetes API would refuse of an overlay's objects.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles, Target};
use crate::finding::Object;
use crate::kustomize::ParsedFiles;
use crate::model::schema::{CustomKind, Fault, FaultKind, Schemas, Verdict, Versions};
use crate::model::{Case, Overlay, describe};
use crate::sided::Sided;
use crate::sources::{RepoPath, Tree};
use crate::span::Span;
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// A place of an object that the API would refuse.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaFault {
    /// Who wrote it; where something is missing, who wrote what lacks it.
    pub at: Handle,
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The object's API version.
    pub api_version: String,
    /// The field, such as `spec.containers[0].image`.
    pub field: String,
    /// `unknown` (no such field), `missing`, `value` (a wrong one), or `kind` (no such kind in this API version).
    pub fault: &'static str,
    /// What the value is, such as `a string`; empty where its type is right.
    pub found: &'static str,
    /// What the value must be.
    pub expected: String,
    /// The field that was probably meant; empty where that is not clear.
    pub near: String,
    /// What to do about a value or a kind; empty where that is not clear.
    pub fix: String,
    /// The fields that are known beside an unknown one.
    pub known: Vec<String>,
    /// The version of Kubernetes that has an unknown field; empty where none has it.
    pub elsewhere: String,
    /// What it was held against, such as `Kubernetes 1.37`.
    pub against: String,
    /// Whether the environment has it already on the same line, in an overlay of the app or in one that the change takes away.
    pub existing: bool,
}

impl SchemaFault {
    /// Those of one side of a case. Kinds of which nothing is known are noted.
    pub fn of(context: &Context<'_>, case: &Case<'_>, side: Side, handles: &mut Handles) -> Vec<Self> {
        let (rendered, defined) = match side {
            Side::Base => (&case.rendered.base, &context.definitions().base),
            Side::Head => (&case.rendered.head, &context.definitions().head),
        };
        let objects = rendered.rendering.as_ref().map(|rendering| rendering.objects.as_slice()).unwrap_or_default();
        let mut found = faults(context, objects, defined);
        if side == Side::Head && !found.is_empty() {
            let before = written_before(context, case);
            for fault in &mut found {
                let mark = fault.mark(context);
                fault.existing = before.iter().any(|marks| marks.contains(&mark));
            }
        }
        found.into_iter().map(|fault| fault.told(handles)).collect()
    }
}

/// The sides of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the change.
    Base,
    /// After it.
    Head,
}

/// A fault of an object.
struct Found {
    fault: Fault,
    object: Object,
    against: String,
    existing: bool,
}

/// How many faults of an overlay are told of; a rule shows fewer.
const MOST_FAULTS: usize = 400;

/// A fault as it is written: the file's text, the place in it, the object's kind, and the field without positions in lists.
pub(super) type Mark = (Arc<str>, u32, String, String);

/// The faults of rendered objects.
fn faults(context: &Context<'_>, objects: &[Node], defined: &Definitions<'_>) -> Vec<Found> {
    let versions = Versions::of(context.config.kubernetes.as_deref());
    let own: Vec<Arc<CustomKind>> = objects.iter().flat_map(CustomKind::read).map(Arc::new).collect();
    let custom = |api_version: &str, kind: &str| {
        let is_it = |custom: &&Arc<CustomKind>| custom.api_version == api_version && custom.kind == kind;
        let own: Vec<Arc<CustomKind>> = own.iter().filter(is_it).cloned().collect();
        if own.is_empty() { defined.of(context.files, api_version, kind) } else { own }
    };
    let schemas = Schemas::new(&versions, &custom);
    let mut found = Vec::new();
    for node in objects {
        if found.len() >= MOST_FAULTS {
            break;
        }
        let object = describe(node);
        match schemas.judge(node) {
            Verdict::Held { against, faults } => found.extend(faults.into_iter().map(|fault| Found {
                fault,
                object: object.clone(),
                against: against.clone(),
                existing: false,
            })),
            Verdict::Unknown => {
                context.on_demand.unknown_kinds.lock().insert((object.kind, object.api_version));
            }
        }
    }
    found
}

/// Faults that the environment has already on the same lines: in an overlay of the app, under whatever name of the object, or in one
/// that is not there any more after the change.
fn written_before(context: &Context<'_>, case: &Case<'_>) -> Vec<Arc<HashSet<Mark>>> {
    let Sided { base, head } = context.overlays;
    let is_before = |other: &&Overlay| {
        other.environment == case.overlay.environment
            && (other.app == case.overlay.app || head.at(&other.path).is_none())
    };
    base.all.iter().filter(is_before).map(|other| marks(context, &other.path)).collect()
}

/// The faults of an overlay of the base, found once.
fn marks(context: &Context<'_>, path: &RepoPath) -> Arc<HashSet<Mark>> {
    if let Some(known) = context.on_demand.schema_marks.lock().get(path) {
        return Arc::clone(known);
    }
    let rendering = context.renderers.base.render_any(path).ok();
    let objects = rendering.as_ref().map(|rendering| rendering.objects.as_slice()).unwrap_or_default();
    let found = faults(context, objects, &context.definitions().base);
    let marks: Arc<HashSet<Mark>> = Arc::new(found.iter().map(|found| found.mark(context)).collect());
    Arc::clone(context.on_demand.schema_marks.lock().entry(path.clone()).or_insert(marks))
}

impl Found {
    fn mark(&self, context: &Context<'_>) -> Mark {
        let Span { file, start, .. } = self.fault.origin.span;
        let field: String =
            self.fault.field.split('[').map(|part| part.rsplit(']').next().unwrap_or_default()).collect();
        (Arc::clone(&context.files.files.get(file).text), start, self.object.kind.clone(), field)
    }

    fn told(self, handles: &mut Handles) -> SchemaFault {
        let Self { fault, object, against, existing } = self;
        let mut told = SchemaFault {
            at: handles.add(Target::of_value(&fault.origin, &object, &fault.pointer)),
            kind: object.kind,
            name: object.name,
            api_version: object.api_version,
            field: fault.field,
            fault: "missing",
            found: "",
            expected: String::new(),
            near: String::new(),
            fix: String::new(),
            known: Vec::new(),
            elsewhere: String::new(),
            against,
            existing,
        };
        match fault.kind {
            FaultKind::Missing => {}
            FaultKind::Unknown { near, known, elsewhere } => {
                (told.fault, told.near, told.known) = ("unknown", near.unwrap_or_default(), known);
                told.elsewhere = elsewhere.unwrap_or_default();
            }
            FaultKind::Value { found, expected, fix } => {
                (told.fault, told.found, told.expected, told.fix) = ("value", found, expected, fix);
            }
            FaultKind::Kind { fix } => (told.fault, told.fix) = ("kind", fix.unwrap_or_default()),
        }
        told
    }
}

/// The `CustomResourceDefinition`s in the files of a tree, read as kinds are asked for.
pub struct Definitions<'a> {
    tree: &'a dyn Tree,
    files: &'a [RepoPath],
    trusted: &'a [RepoPath],
    /// By the words that may name a kind: the positions of the files that have them.
    words: OnceLock<HashMap<String, Vec<usize>>>,
    /// What each file defines.
    read: Vec<OnceLock<Vec<Arc<CustomKind>>>>,
}

impl<'a> Definitions<'a> {
    /// `files` are those that may hold any. Of a kind that a file of `trusted` defines, only those count: another one beside them,
    /// which nobody deploys, must not say what the kind is.
    pub fn new(tree: &'a dyn Tree, files: &'a [RepoPath], trusted: &'a [RepoPath]) -> Self {
        let read = files.iter().map(|_| OnceLock::new()).collect();
        Self { tree, files, trusted, words: OnceLock::new(), read }
    }

    /// The definitions of a kind. A file that cannot be read defines nothing.
    fn of(&self, parsed: &ParsedFiles, api_version: &str, kind: &str) -> Vec<Arc<CustomKind>> {
        let files = self.words.get_or_init(|| self.words()).get(kind).map(Vec::as_slice).unwrap_or_default();
        let is_it = |custom: &&Arc<CustomKind>| custom.api_version == api_version && custom.kind == kind;
        let of_files = |is_trusted: bool| -> Vec<Arc<CustomKind>> {
            let files = files.iter().filter(|at| self.trusted.contains(&self.files[**at]) == is_trusted);
            let all = files.flat_map(|at| self.read[*at].get_or_init(|| self.read(parsed, &self.files[*at])));
            all.filter(is_it).cloned().collect()
        };
        let trusted = of_files(true);
        if trusted.is_empty() { of_files(false) } else { trusted }
    }

    fn read(&self, parsed: &ParsedFiles, path: &RepoPath) -> Vec<Arc<CustomKind>> {
        let Ok(Some((id, content))) = self.tree.read(path) else { return Vec::new() };
        let Ok(text) = std::str::from_utf8(&content) else { return Vec::new() };
        let file = parsed.files.add(path, id, text);
        let documents = parse(&Source::file(file, text), Step::File, Dialect::Resource).unwrap_or_default();
        documents.iter().flat_map(CustomKind::read).map(Arc::new).collect()
    }

    /// What stands behind `kind:` in each file.
    fn words(&self) -> HashMap<String, Vec<usize>> {
        let mut words: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, path) in self.files.iter().enumerate() {
            let Ok(Some((_, content))) = self.tree.read(path) else { continue };
            let text = String::from_utf8_lossy(&content);
            for (place, mark) in text.match_indices("kind:") {
                let rest = text[place + mark.len()..].trim_start_matches([' ', '"', '\'']);
                let end = rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
                let files = words.entry(rest[..end].to_owned()).or_default();
                if files.last() != Some(&at) {
                    files.push(at);
                }
            }
        }
        words
    }
}
