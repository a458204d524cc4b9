//! YAML values that remember who wrote them.
//!
//! Reads with a pure-Rust event parser into nodes with byte spans; scalars resolve as go-yaml v3 resolves them for
//! kustomize. The emitter writes what `sigs.k8s.io/yaml` writes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::span::Span;

pub use emit::{Writer, emit_document, emit_noting, key_order};
pub use json::{JsonLayout, LargeIntegers, go_json, number_text, through_json, to_json};
pub use parse::{Dialect, Source, YamlError, begins_with_tab, parse};
pub use resolve::{Kind, resolve, resolve_yaml11};

mod emit;
mod json;
mod parse;
mod resolve;

/// A key as a JSON pointer has it (RFC 6901).
#[must_use]
pub fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a token of a JSON pointer stands for (RFC 6901, section 4).
#[must_use]
pub fn pointer_key(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Shows every mapping of a value, the outer before the inner, with its JSON pointer below `path`.
pub fn each_mapping(node: &Node, path: &mut String, visit: &mut dyn FnMut(&Mapping, &str)) {
    let length = path.len();
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("/{at}"));
                each_mapping(item, path, visit);
                path.truncate(length);
            }
        }
        Value::Mapping(mapping) => {
            visit(mapping, path);
            for (key, inner) in mapping.iter() {
                path.push('/');
                path.push_str(&pointer_token(&key.text));
                each_mapping(inner, path, visit);
                path.truncate(length);
            }
        }
    }
}

/// A YAML value that remembers who wrote it. Cheap to clone: collections are shared until changed.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Who wrote it, and what stood there before.
    pub origin: Origin,
}

/// A scalar or a collection.
#[derive(Clone, Debug)]
pub enum Value {
    /// Null, a bool, a number or a string.
    Scalar(Scalar),
    /// A list.
    Sequence(Arc<Vec<Node>>),
    /// An object.
    Mapping(Arc<Mapping>),
}

/// A scalar: its text and what the text means.
///
/// The text stays beside the meaning because kustomize compares merge keys and writes annotations by it (`0644` is
/// the number 420, but the annotation `"0644"`).
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text as written, after escapes and folding.
    pub text: Arc<str>,
    /// What it means.
    pub kind: Kind,
    /// Whether it stood without quotes and not in a block. kustomize keeps that when it writes another value there.
    pub plain: bool,
    /// Whether it stood in a folded block that kustomize reads once more if it goes through JSON: in an annotation.
    pub folded: bool,
}

/// Who wrote a value. Newest writer first: `before` is the node that stood there, with its own origin.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Where the value, or the instruction that made it, is written.
    pub span: Span,
    /// What kind of step wrote it.
    pub step: Step,
    /// What it replaced.
    pub before: Option<Arc<Node>>,
    /// Which values of the same object change together with this one; 0 for none. kustomize puts one and the same
    /// label into several places.
    pub shared: u16,
}

/// What kind of step wrote a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A resource file.
    File,
    /// A strategic-merge patch.
    Patch,
    /// A JSON 6902 patch.
    JsonPatch,
    /// A `ConfigMap` or Secret generator.
    Generator,
    /// `namespace`.
    Namespace,
    /// `namePrefix` or `nameSuffix`.
    Name,
    /// The hash of generated content.
    NameHash,
    /// A reference that follows a renamed object.
    NameReference,
    /// `labels` or `commonLabels`.
    Label,
    /// `commonAnnotations`.
    Annotation,
    /// `replicas`.
    Replica,
    /// `images`.
    Image,
    /// `replacements`.
    Replacement,
    /// `vars`.
    Var,
    /// The plugin `ValueAddTransformer`.
    ValueAdd,
    /// `buildMetadata`, or the flag that asks for the same.
    BuildMetadata,
}

impl Step {
    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Patch => "patch",
            Self::JsonPatch => "jsonPatch",
            Self::Generator => "generator",
            Self::Namespace => "namespace",
            Self::Name => "name",
            Self::NameHash => "nameHash",
            Self::NameReference => "nameReference",
            Self::Label => "label",
            Self::Annotation => "annotation",
            Self::Replica => "replica",
            Self::Image => "image",
            Self::Replacement => "replacement",
            Self::Var => "var",
            Self::ValueAdd => "valueAdd",
            Self::BuildMetadata => "buildMetadata",
        }
    }
}

impl Origin {
    /// Written at `span` by `step`, with nothing before it.
    #[must_use]
    pub fn new(span: Span, step: Step) -> Self {
        Self { span, step, before: None, shared: 0 }
    }
}

/// A mapping key with its own place.
#[derive(Clone, Debug)]
pub struct Key {
    /// The text.
    pub text: Arc<str>,
    /// Where it is written.
    pub span: Span,
    /// Whether it resolves to a string; nested keys of other kinds cannot be rendered.
    pub is_string: bool,
}

impl Key {
    /// The key as JSON has it, whose keys are strings, where YAML 1.1 was read: `y` is `true`, and `0x10` is `16`.
    #[must_use]
    pub fn in_json(&self) -> Arc<str> {
        match resolve_yaml11(&self.text) {
            _ if self.is_string => Arc::clone(&self.text),
            Kind::Bool(value) => Arc::from(value.to_string()),
            kind => number_text(kind).map_or_else(|| Arc::clone(&self.text), Arc::from),
        }
    }

    /// Whether it means null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        !self.is_string && resolve(&self.text) == Kind::Null
    }

    /// A key that is written without quotes, whatever it then means: so kustomize adds keys.
    #[must_use]
    pub fn plain(text: &str, span: Span) -> Self {
        Self { text: Arc::from(text), span, is_string: resolve(text) == Kind::String }
    }
}

/// Entries in file order. Large ones are looked up by an index, made when it is first needed.
#[derive(Debug, Default)]
pub struct Mapping {
    entries: Vec<(Key, Node)>,
    index: OnceLock<HashMap<Arc<str>, usize>>,
    /// Keys that a step took away, and where it says so.
    removed: Option<Box<Removals>>,
}

/// Keys that were taken away, and where.
type Removals = Vec<(Arc<str>, Span)>;

/// How many entries are looked through one by one.
const SMALL: usize = 32;

impl Clone for Mapping {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), index: OnceLock::new(), removed: self.removed.clone() }
    }
}

impl Mapping {
    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= SMALL {
            return self.entries.iter().position(|(known, _)| &*known.text == key);
        }
        let number = || self.entries.iter().enumerate().map(|(at, (key, _))| (Arc::clone(&key.text), at)).collect();
        self.index.get_or_init(number).get(key).copied()
    }

    /// Looks an entry up by its key's text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// Looks an entry up to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.position(key).map(|at| &mut self.entries[at].1)
    }

    /// The key itself, with its place.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.position(key).map(|at| &self.entries[at].0)
    }

    /// Sets an entry: replaced in place, or added at the end with the node's own span as the key's place.
    pub fn set(&mut self, key: &str, node: Node) {
        let span = node.origin.span;
        match self.get_mut(key) {
            Some(slot) => *slot = node,
            None => self.push(Key { text: Arc::from(key), span, is_string: true }, node),
        }
    }

    /// Adds an entry whose key is known to be absent.
    pub fn push(&mut self, key: Key, node: Node) {
        if let Some(index) = self.index.get_mut() {
            index.insert(Arc::clone(&key.text), self.entries.len());
        }
        self.entries.push((key, node));
    }

    /// Removes an entry and hands it back.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.position(key)?;
        self.index = OnceLock::new();
        Some(self.entries.remove(at).1)
    }

    /// Notes that a step took an entry away, and where it says so.
    pub fn note_removal(&mut self, key: &str, span: Span) {
        let removed = self.removed.get_or_insert_default();
        removed.retain(|(known, _)| &**known != key);
        removed.push((Arc::from(key), span));
    }

    /// Where a step says that it takes an entry away which is not there any more.
    #[must_use]
    pub fn removal(&self, key: &str) -> Option<Span> {
        let removed = self.removed.as_ref().filter(|_| self.get(key).is_none())?;
        removed.iter().find(|(known, _)| &**known == key).map(|(_, span)| *span)
    }

    /// Takes over what was taken away from another mapping.
    pub fn remember_removals(&mut self, other: &Self) {
        self.removed.clone_from(&other.removed);
    }

    /// Keeps the entries with these keys.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.entries.retain(|(key, _)| keeps(&key.text));
        self.index = OnceLock::new();
    }

    /// The entries in file order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Node)> {
        self.entries.iter().map(|(key, node)| (key, node))
    }

    /// The entries in file order, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Node)> {
        self.entries.iter_mut().map(|(key, node)| (&*key, node))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(Key, Node)> for Mapping {
    fn from_iter<T: IntoIterator<Item = (Key, Node)>>(entries: T) -> Self {
        Self { entries: entries.into_iter().collect(), index: OnceLock::new(), removed: None }
    }
}

impl Scalar {
    /// A string, in quotes only where it would be read as something else without them.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self { text: Arc::from(text), kind: Kind::String, plain: reads_as_string(text), folded: false }
    }

    /// Whether this is a value that was left out inside of `{}` or `[]`: null, but written out again as an empty string.
    #[must_use]
    pub fn is_blank_in_flow(&self) -> bool {
        self.kind == Kind::Null && !self.plain && self.text.is_empty()
    }

    /// Another text in the place of this one, which stays in quotes where it is, and otherwise means what it says.
    #[must_use]
    pub fn rewritten(&self, text: &str) -> Self {
        if self.plain { Self::plain(text) } else { Self { plain: false, ..Self::string(text) } }
    }

    /// What a plain scalar with this text means to kustomize.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { text: Arc::from(text), kind: resolve(text), plain: true, folded: false }
    }
}

/// Whether a text without quotes is a string to YAML 1.1 (`IsYaml1_1NonString` in kyaml), to which `yes` is a bool and `a: b` a
/// mapping. What is empty, or goes over several lines, is one to kustomize.
#[must_use]
pub fn reads_as_string(text: &str) -> bool {
    // Most texts can be nothing else: the longest word has five letters.
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.len() > 5;
    if text.is_empty() || is_name && !text.contains(':') || text.contains('\n') {
        return true;
    }
    if resolve_yaml11(text) != Kind::String {
        return false;
    }
    let begins = |character: char| "[{-?:#!&*|>%@`\"'".contains(character);
    if !text.starts_with(begins) && !text.contains(": ") && !text.ends_with(':') {
        return true;
    }
    let Ok(documents) = parse(&Source::nowhere(text), Step::File, Dialect::Configuration) else { return true };
    documents.first().is_some_and(|node| node.as_scalar().is_some_and(|scalar| scalar.kind == Kind::String))
}

impl Node {
    /// A string written at `span` by `step`.
    #[must_use]
    pub fn string(text: &str, span: Span, step: Step) -> Self {
        Self { value: Value::Scalar(Scalar::string(text)), origin: Origin::new(span, step) }
    }

    /// An empty mapping.
    #[must_use]
    pub fn mapping(span: Span, step: Step) -> Self {
        Self { value: Value::Mapping(Arc::default()), origin: Origin::new(span, step) }
    }

    /// The entries, where this is a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&Mapping> {
        if let Value::Mapping(mapping) = &self.value { Some(mapping) } else { None }
    }

    /// The entries to change, where this is a mapping; unshared first.
    pub fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        if let Value::Mapping(mapping) = &mut self.value { Some(Arc::make_mut(mapping)) } else { None }
    }

    /// The items, where this is a sequence.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Node]> {
        if let Value::Sequence(items) = &self.value { Some(items) } else { None }
    }

    /// The items to change, where this is a sequence; unshared first.
    pub fn as_sequence_mut(&mut self) -> Option<&mut Vec<Node>> {
        if let Value::Sequence(items) = &mut self.value { Some(Arc::make_mut(items)) } else { None }
    }

    /// The scalar, where this is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    /// The text, where this is a scalar of any kind but null.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| scalar.kind != Kind::Null).map(|scalar| &*scalar.text)
    }

    /// Whether this is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| scalar.kind == Kind::Null)
    }

    /// The entry under `key`, where this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    /// Follows keys from here down through mappings.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Puts a scalar here, which is remembered as the work of `step` at `span`.
    pub fn replace_scalar(&mut self, scalar: Scalar, span: Span, step: Step) {
        let node = Self { value: Value::Scalar(scalar), origin: Origin::new(span, step) };
        let before = std::mem::replace(self, node);
        self.remember(before);
    }

    /// Notes that `step` at `span` writes what is here already.
    pub fn claim(&mut self, span: Span, step: Step) {
        let claimed = Self { value: self.value.clone(), origin: Origin::new(span, step) };
        let before = std::mem::replace(self, claimed);
        self.remember(before);
    }

    /// Remembers what this node replaced. The chain is cut at [`LONGEST_CHAIN`]: hostile input could make it endless.
    pub fn remember(&mut self, mut before: Self) {
        let mut length = 1;
        let mut here = &before.origin.before;
        while let Some(older) = here {
            length += 1;
            here = &older.origin.before;
        }
        if length >= LONGEST_CHAIN {
            before.origin.before = None;
        }
        self.origin.shared = before.origin.shared;
        self.origin.before = Some(Arc::new(before));
    }

    /// What kustomize calls the kind of node, for messages.
    #[must_use]
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing",
                Kind::Bool(_) => "a boolean",
                Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => "a number",
                Kind::Timestamp => "a timestamp",
                Kind::String => "a string",
            },
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// How many earlier writers of a value are remembered.
const LONGEST_CHAIN: usize = 16;

/// How deep collections may nest, in files and after patches.
pub const DEEPEST_NESTING: usize = 200;
/// How many nodes one text may have once its aliases are expanded, or one object after patches.
pub const MOST_NODES: usize = 500_000;

/// Whether a value stays within the limits on nesting and size; looks no further than they reach.
#[must_use]
pub fn is_within_limits(node: &Node) -> bool {
    let mut nodes = 0;
    let mut pending = vec![(node, 1)];
    while let Some((node, depth)) = pending.pop() {
        nodes += 1;
        if depth > DEEPEST_NESTING || nodes > MOST_NODES {
            return false;
        }
        match &node.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => pending.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Mapping(mapping) => pending.extend(mapping.iter().map(|(_, node)| (node, depth + 1))),
        }
    }
    true
}

/// Whether two values are the same, whoever wrote them.
#[must_use]
pub fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Scalar(one), Value::Scalar(other)) => match (one.kind, other.kind) {
            (Kind::String, Kind::String) | (Kind::Timestamp, Kind::Timestamp) => one.text == other.text,
            (one, other) => one == other,
        },
        (Value::Sequence(one), Value::Sequence(other)) => {
            Arc::ptr_eq(one, other)
                || one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
        }
        (Value::Mapping(one), Value::Mapping(other)) => {
            Arc::ptr_eq(one, other)
                || one.len() == other.len()
                    && one.iter().all(|(key, node)| other.get(&key.text).is_some_and(|twin| same(node, twin)))
        }
        _ => false,
    }
}
