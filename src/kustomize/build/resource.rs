use std::sync::Arc;

use super::id::{Gvk, ResourceId};
use crate::kustomize::known::schema::Schemas;
use crate::span::Span;
use crate::yaml::{Mapping, Node, Origin, Scalar, Step, Value, same};

/// One object on its way through the build, with what kustomize remembers about its earlier names.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The object; null once a patch has deleted it.
    pub node: Node,
    /// Earlier identities, oldest first.
    previous: Vec<Previous>,
    /// Name prefixes that were added, oldest first.
    pub prefixes: Vec<Arc<str>>,
    /// Name suffixes that were added, oldest first.
    pub suffixes: Vec<Arc<str>>,
    /// Whether a generator made it.
    pub is_generated: bool,
    /// Whether the name gets a hash of the content.
    pub needs_hash: bool,
    /// What a generator asked for when an object with its name exists.
    pub behavior: Behavior,
    /// The vars that read from it.
    pub vars: Vec<Arc<str>>,
    /// The present values of what stands in several places, by [`Origin::shared`] less one.
    shared: Vec<Node>,
    /// Whether a schema of the user says that its kind stands outside of namespaces.
    is_cluster_scoped_by_schema: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Previous {
    namespace: String,
    name: String,
    kind: String,
}

const NOTES: &str = "internal.config.kubernetes.io/";

/// Whether kustomize keeps notes of its own under this annotation while it builds, and so removes it from objects of
/// users too (`api/resource/resource.go`).
fn is_own_note(key: &str) -> bool {
    let noted = |name: &str| {
        matches!(
            name,
            "previousKinds"
                | "previousNames"
                | "previousNamespaces"
                | "prefixes"
                | "suffixes"
                | "refBy"
                | "allowNameChange"
                | "allowKindChange"
                | "generatorBehavior"
                | "needsHashSuffix"
                | "path"
                | "index"
                | "seqindent"
                | "id"
                | "helm-generated"
                | "annotations-migration-resource-id"
        )
    };
    key.strip_prefix(NOTES).is_some_and(noted)
        || matches!(key, "config.kubernetes.io/path" | "config.kubernetes.io/index" | "config.k8s.io/id")
}

fn has_shared(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(_) => node.origin.shared != 0,
        Value::Sequence(items) => items.iter().any(has_shared),
        Value::Mapping(mapping) => mapping.iter().any(|(_, node)| has_shared(node)),
    }
}

fn is_as_written(one: &Node, other: &Node) -> bool {
    one.origin.span == other.origin.span && one.origin.step == other.origin.step && same(one, other)
}

/// Finds the values that differ from what is known; of several the last one in the order in
/// which kustomize merges, which is that of the keys.
fn collect_changed(node: &Node, known: &[Node], changed: &mut [Option<Node>]) {
    match &node.value {
        Value::Scalar(_) => {
            let Some(at) = usize::from(node.origin.shared).checked_sub(1) else { return };
            if known.get(at).is_some_and(|known| !is_as_written(known, node)) {
                changed[at] = Some(node.clone());
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| collect_changed(item, known, changed)),
        Value::Mapping(mapping) => {
            let mut fields: Vec<_> = mapping.iter().filter(|(_, node)| has_shared(node)).collect();
            fields.sort_by_key(|(key, _)| Arc::clone(&key.text));
            for (_, node) in fields {
                collect_changed(node, known, changed);
            }
        }
    }
}

fn write_shared(node: &mut Node, changed: &[Option<Node>]) {
    if !has_shared(node) {
        return;
    }
    if let Some(items) = node.as_sequence_mut() {
        return items.iter_mut().for_each(|item| write_shared(item, changed));
    }
    if let Some(mapping) = node.as_mapping_mut() {
        return mapping.iter_mut().for_each(|(_, node)| write_shared(node, changed));
    }
    let at = usize::from(node.origin.shared).checked_sub(1);
    if let Some(Some(value)) = at
        .and_then(|at| changed.get(at))
        .filter(|value| value.as_ref().is_some_and(|value| !is_as_written(value, node)))
    {
        let before = std::mem::replace(node, value.clone());
        node.remember(before);
    }
}

fn metadata_of(node: &mut Node) -> Option<&mut Mapping> {
    node.as_mapping_mut()?.get_mut("metadata")?.as_mapping_mut()
}

/// What a generator does where an object with its name exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    /// It must not exist.
    #[default]
    Create,
    /// It is replaced.
    Replace,
    /// Its data is merged.
    Merge,
}

impl Resource {
    /// An object as a file or a generator has it.
    #[must_use]
    pub(crate) fn new(node: Node, schemas: &Schemas) -> Self {
        let is_cluster_scoped_by_schema = schemas.is_cluster_scoped(&Gvk::of(&node));
        let mut resource = Self {
            vars: Vec::new(),
            shared: Vec::new(),
            is_cluster_scoped_by_schema,
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            is_generated: false,
            needs_hash: false,
            behavior: Behavior::Create,
        };
        resource.read_notes();
        resource
    }

    /// Annotations by which kustomize notes things count also where a user has written them.
    fn read_notes(&mut self) {
        let Some(annotations) = self.node.find(&["metadata", "annotations"]).and_then(Node::as_mapping) else { return };
        if !annotations.iter().any(|(key, _)| key.text.starts_with(NOTES)) {
            return;
        }
        let list = |name: &str| -> Vec<String> {
            let text = annotations.get(&format!("{NOTES}{name}")).and_then(Node::as_text);
            text.map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
        };
        let shared = |name: &str| list(name).into_iter().map(Arc::from).collect();
        let (names, namespaces, kinds) = (list("previousNames"), list("previousNamespaces"), list("previousKinds"));
        let previous = names.into_iter().zip(namespaces).zip(kinds);
        let (prefixes, suffixes) = (shared("prefixes"), shared("suffixes"));
        let needs_hash = list("needsHashSuffix") == ["enabled"];
        self.previous = previous.map(|((name, namespace), kind)| Previous { namespace, name, kind }).collect();
        (self.prefixes, self.suffixes, self.needs_hash) = (prefixes, suffixes, needs_hash);
    }

    /// Whether a Helm chart's output says that Helm has put it into its namespace.
    #[must_use]
    pub fn is_of_helm(&self) -> bool {
        let mark = self.node.find(&["metadata", "annotations", "internal.config.kubernetes.io/helm-generated"]);
        mark.and_then(Node::as_text) == Some("true")
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::of(&self.node)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.node.get("kind").and_then(Node::as_scalar).map_or("", |scalar| &scalar.text)
    }

    fn has_no_namespace(&self, gvk: &Gvk) -> bool {
        self.is_cluster_scoped_by_schema || gvk.is_cluster_scoped()
    }

    fn metadata(&self, field: &str) -> &str {
        self.node.find(&["metadata", field]).and_then(Node::as_text).unwrap_or_default()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata("name")
    }

    /// The namespace; empty where none is written.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata("namespace")
    }

    /// The identity at this point of the build.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        let gvk = self.gvk();
        let is_cluster_scoped = self.has_no_namespace(&gvk);
        let (name, namespace) = (self.name().to_owned(), self.namespace().to_owned());
        ResourceId { gvk, name, namespace, is_cluster_scoped }
    }

    /// The identities that it had, oldest first, without the present one.
    pub fn previous_ids(&self) -> impl Iterator<Item = ResourceId> + '_ {
        let gvk = self.gvk();
        self.previous.iter().map(move |previous| {
            let gvk = Gvk { kind: previous.kind.clone(), ..gvk.clone() };
            let is_cluster_scoped = self.has_no_namespace(&gvk);
            let (name, namespace) = (previous.name.clone(), previous.namespace.clone());
            ResourceId { gvk, name, namespace, is_cluster_scoped }
        })
    }

    /// The names that it had before the present one.
    pub fn previous_names(&self) -> impl Iterator<Item = &str> {
        self.previous.iter().map(|previous| previous.name.as_str())
    }

    /// The identity with which it entered the build.
    #[must_use]
    pub fn original_id(&self) -> ResourceId {
        self.previous_ids().next().unwrap_or_else(|| self.id())
    }

    /// Whether any of its identities, past or present, satisfies `accepts`.
    pub fn any_id(&self, accepts: impl Fn(&ResourceId) -> bool) -> bool {
        self.previous_ids().any(|id| accepts(&id)) || accepts(&self.id())
    }

    /// Whether it is, or was at an earlier point of the build, the object with this identity.
    #[must_use]
    pub fn has_been(&self, wanted: &ResourceId) -> bool {
        let has_name = self.name() == wanted.name || self.previous_names().any(|name| name == wanted.name);
        has_name && self.any_id(|id| id.matches(wanted))
    }

    /// Remembers the present identity before it changes.
    pub fn remember_id(&mut self) {
        let id = self.id();
        let namespace = id.effective_namespace().to_owned();
        self.previous.push(Previous { namespace, name: id.name, kind: id.gvk.kind });
    }

    /// Does work, asked for at `span`, on an object that has `metadata.annotations`. kustomize keeps earlier identities there and what
    /// a generator asked for, so that a JSON patch finds the field on every object with a past.
    ///
    /// # Errors
    /// Those of the work.
    pub fn with_annotations<E>(&mut self, span: Span, work: impl FnOnce(&mut Node) -> Result<(), E>) -> Result<(), E> {
        let has_past = self.is_generated || !self.previous.is_empty();
        let lacking = metadata_of(&mut self.node).filter(|metadata| metadata.get("annotations").is_none());
        let Some(metadata) = lacking.filter(|_| has_past) else { return work(&mut self.node) };
        let value = Value::Mapping(Arc::default());
        metadata.set("annotations", Node { value, origin: Origin::new(span, Step::JsonPatch) });
        work(&mut self.node)?;
        let is_unused = |node: &Node| node.as_mapping().is_some_and(Mapping::is_empty);
        if let Some(metadata) = metadata_of(&mut self.node)
            && metadata.get("annotations").is_some_and(is_unused)
        {
            metadata.remove("annotations");
        }
        Ok(())
    }

    /// The mark for values that will change together; 0 where there are too many already.
    #[must_use]
    pub fn next_shared(&self) -> u16 {
        u16::try_from(self.shared.len() + 1).unwrap_or(0)
    }

    /// Notes that values with the next mark stand in the object.
    pub fn share(&mut self, value: Node) {
        if self.next_shared() != 0 {
            self.shared.push(value);
        }
    }

    /// Carries a change of one value to all that change together with it.
    pub fn propagate_shared(&mut self) {
        if self.shared.is_empty() {
            return;
        }
        let mut changed = vec![None; self.shared.len()];
        collect_changed(&self.node, &self.shared, &mut changed);
        if changed.iter().all(Option::is_none) {
            return;
        }
        write_shared(&mut self.node, &changed);
        for (known, changed) in self.shared.iter_mut().zip(changed) {
            if let Some(changed) = changed {
                *known = changed;
            }
        }
    }

    /// Whether both have gone through the same changes of name, which kustomize notes in annotations.
    #[must_use]
    pub fn has_past_of(&self, other: &Self) -> bool {
        self.previous == other.previous && self.prefixes == other.prefixes && self.suffixes == other.suffixes
    }

    /// Forgets all earlier names, and that the name wants a hash.
    pub fn forget_past(&mut self) {
        self.previous.clear();
        self.prefixes.clear();
        self.suffixes.clear();
        self.needs_hash = false;
    }

    /// Takes over the past of the object that this one replaces.
    pub fn inherit(&mut self, other: &Self) {
        self.previous.clone_from(&other.previous);
        self.prefixes.clone_from(&other.prefixes);
        self.suffixes.clone_from(&other.suffixes);
        self.needs_hash &= other.needs_hash;
        self.behavior = other.behavior;
        self.vars.clone_from(&other.vars);
    }

    /// Whether a patch has deleted it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.node.as_mapping().is_none_or(crate::yaml::Mapping::is_empty)
    }

    /// Writes annotations as kustomize leaves them at the end of every build: all values strings, none of its own
    /// notes, no empty map.
    pub fn settle_annotations(&mut self) {
        let settled = |annotations: &Node| {
            annotations.as_mapping().is_some_and(|mapping| {
                let is_string =
                    |node: &Node| node.as_scalar().is_some_and(|scalar| scalar.kind == crate::yaml::Kind::String);
                !mapping.is_empty() && mapping.iter().all(|(key, node)| is_string(node) && !is_own_note(&key.text))
            })
        };
        if self.node.find(&["metadata", "annotations"]).is_none_or(settled) {
            return;
        }
        let Some(metadata) = self.node.as_mapping_mut().and_then(|object| object.get_mut("metadata")) else { return };
        let Some(metadata) = metadata.as_mapping_mut() else { return };
        let Some(annotations) = metadata.get_mut("annotations") else { return };
        if let Some(mapping) = annotations.as_mapping_mut() {
            mapping.retain(|key| !is_own_note(key));
        }
        match annotations.as_mapping_mut().filter(|mapping| !mapping.is_empty()) {
            None => {
                metadata.remove("annotations");
            }
            Some(mapping) => {
                for (_, node) in mapping.iter_mut() {
                    let text = node.as_scalar().map(|scalar| Arc::clone(&scalar.text)).unwrap_or_default();
                    node.value = crate::yaml::Value::Scalar(Scalar {
                        text,
                        kind: crate::yaml::Kind::String,
                        plain: false,
                        folded: false,
                    });
                }
            }
        }
    }
}
