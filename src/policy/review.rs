//! What policies are asked about: an object, what it was before, and what is beside it.

use std::cell::OnceCell;

use serde_json::{Value as Json, json};

use super::cel::Scope;
use crate::kustomize::is_cluster_scoped;

/// An object of a policy folder, and where it is written.
#[derive(Clone, Debug)]
pub struct PolicyObject {
    /// The object.
    pub json: Json,
    /// The file.
    pub path: String,
    /// The line of its kind, from 1.
    pub line: u32,
}

/// An object as an admission controller is asked about it.
pub struct Review<'a> {
    /// The object.
    pub object: &'a Json,
    /// What it was before, where it was there.
    pub old: Option<&'a Json>,
    /// All objects beside it.
    pub all: &'a [Json],
    /// What was there before the change, where that is asked about.
    pub(super) base: Option<&'a [Json]>,
    /// Whether there was no overlay before.
    is_new: bool,
    operation: &'a str,
    scope: OnceCell<Scope<'static>>,
}

impl<'a> Review<'a> {
    /// A review of an object.
    #[must_use]
    pub fn new(object: &'a Json, old: Option<&'a Json>, all: &'a [Json]) -> Self {
        let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
        Self { object, old, all, base: None, is_new: false, operation, scope: OnceCell::new() }
    }

    /// The same beside what was there before: a change cannot loosen a policy by what it renders beside the object.
    #[must_use]
    pub fn with_base(self, base: Option<&'a [Json]>, is_new: bool) -> Self {
        Self { base, is_new, ..self }
    }

    /// The same with another operation.
    pub(super) fn with_operation(self, operation: &'a str) -> Self {
        Self { operation, ..self }
    }

    /// What is done to the object.
    pub(super) fn operation(&self) -> &'a str {
        self.operation
    }

    /// The names that expressions see, once for all policies.
    ///
    /// # Errors
    /// When there is no environment for them, which is a mistake in this program.
    pub(super) fn scope(&self) -> Result<&Scope<'static>, String> {
        if let Some(scope) = self.scope.get() {
            return Ok(scope);
        }
        let mut scope = Scope::new()?;
        let (group, version) = group_and_version(text(self.object, "/apiVersion"));
        let kind = text(self.object, "/kind");
        scope.set("object", self.object);
        scope.set("oldObject", self.old.unwrap_or(&Json::Null));
        scope.set(
            "request",
            &json!({
                "kind": {"group": group, "version": version, "kind": kind},
                "resource": {"group": group, "version": version, "resource": plural(kind)},
                "requestKind": {"group": group, "version": version, "kind": kind},
                "name": text(self.object, "/metadata/name"),
                "namespace": namespace(self.object),
                "operation": self.operation(),
                "dryRun": false,
            }),
        );
        match self.namespace_object() {
            Some(namespace) => scope.set("namespaceObject", &namespace),
            None if is_cluster_scoped(group, version, kind) => scope.set("namespaceObject", &Json::Null),
            None => {
                let name = namespace(self.object);
                if !name.is_empty() {
                    scope.set("namespaceObject.metadata.name", &Json::from(name));
                }
                scope.set_unknown(
                    "namespaceObject",
                    "the Namespace is not rendered beside the object, or the change makes it another one".to_owned(),
                );
            }
        }
        Ok(self.scope.get_or_init(|| scope))
    }

    /// The Namespace that the object is in, or that it is, as it was and as it will be. `None` where it is not known: it is not rendered,
    /// or only the change brings it to a namespace that is in use already.
    pub(super) fn namespaces(&self) -> Option<Vec<Json>> {
        let is_namespace = |object: &&Json| text(object, "/apiVersion") == "v1" && text(object, "/kind") == "Namespace";
        let found: Vec<&Json> = if is_namespace(&self.object) {
            self.old.into_iter().chain([self.object]).collect()
        } else {
            let wanted = namespace(self.object);
            let is_it = |object: &&Json| is_namespace(object) && text(object, "/metadata/name") == wanted;
            let before: Vec<&Json> = self.base.into_iter().flatten().filter(is_it).collect();
            let is_used = self.base.into_iter().flatten().any(|object| namespace(object) == wanted);
            let is_unknown = self.base.is_some_and(|base| is_used || base.is_empty() && !self.is_new);
            if is_unknown && before.is_empty() {
                return None;
            }
            before.into_iter().chain(self.all.iter().filter(is_it)).collect()
        };
        let mut with_name: Vec<Json> = found.into_iter().map(with_name_label).collect();
        with_name.dedup();
        Some(with_name).filter(|found| !found.is_empty())
    }

    /// The Namespace, where there is one answer.
    pub(super) fn namespace_object(&self) -> Option<Json> {
        self.namespaces().filter(|found| found.len() == 1)?.pop()
    }

    /// Whether a selector fits the Namespace. What asks for more (`Unknown::Fits`) is fulfilled by how it was or how it will be, what
    /// loosens only by both. `outside` is what is said of objects that stand outside of namespaces.
    pub(super) fn fits_namespace(
        &self,
        selector: &Json,
        unknown: Unknown,
        outside: bool,
        selects: impl Fn(&Json, Option<&Json>) -> bool,
    ) -> bool {
        let (group, version) = group_and_version(text(self.object, "/apiVersion"));
        let kind = text(self.object, "/kind");
        let fits = |namespace: &Json| selects(selector, namespace.pointer("/metadata/labels"));
        match self.namespaces() {
            Some(found) if unknown == Unknown::Fits => found.iter().any(fits),
            Some(found) => found.iter().all(fits),
            None if is_cluster_scoped(group, version, kind) => outside,
            // Where only its name is asked for, that is known.
            None if asks_only_the_name(selector) && !namespace(self.object).is_empty() => {
                fits(&with_name_label(&json!({"metadata": {"name": namespace(self.object)}})))
            }
            None => unknown == Unknown::Fits,
        }
    }

    /// The object that a policy looks up: in its own folder, else in what was there before the change.
    ///
    /// # Errors
    /// When it is in neither.
    pub(super) fn look_up<'b>(
        &'b self,
        own: &'b [Json],
        what: &str,
        is_it: impl Fn(&Json) -> bool,
    ) -> Result<Vec<&'b Json>, String> {
        let within = |objects: &'b [Json]| objects.iter().filter(|object| is_it(object)).collect::<Vec<&Json>>();
        let found = [within(own), within(self.base.unwrap_or(self.all))];
        let first = found.into_iter().find(|found| !found.is_empty());
        first.ok_or_else(|| {
            let is_new = !within(self.all).is_empty();
            let place = if is_new {
                "only in the change"
            } else {
                "neither in the folder of the policies nor rendered beside the object"
            };
            format!("{what} is {place}")
        })
    }
}

/// What is said of something that is not known.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unknown {
    Fits,
    Differs,
}

/// The label that every Namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn asks_only_the_name(selector: &Json) -> bool {
    let labels = selector.get("matchLabels").and_then(Json::as_object);
    let expressions = selector.get("matchExpressions").and_then(Json::as_array);
    labels.is_none_or(|labels| labels.keys().all(|key| key == NAME_LABEL))
        && expressions.is_none_or(|all| all.iter().all(|it| text(it, "/key") == NAME_LABEL))
}

fn with_name_label(namespace: &Json) -> Json {
    let mut namespace = namespace.clone();
    let name = namespace.pointer("/metadata/name").cloned().unwrap_or_default();
    if !namespace["metadata"]["labels"].is_object() {
        namespace["metadata"]["labels"] = json!({});
    }
    namespace["metadata"]["labels"][NAME_LABEL] = name;
    namespace
}

/// The resource of a kind, as Kubernetes guesses it.
pub(super) fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind == "endpoints" {
        return kind;
    }
    let stem = kind.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with(['s', 'x', 'z']) || kind.ends_with("ch") || kind.ends_with("sh") => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

pub(super) fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

pub(super) fn namespace(object: &Json) -> &str {
    text(object, "/metadata/namespace")
}

pub(super) fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Kubernetes' label selectors (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
pub(super) fn selects(selector: &Json, labels: Option<&Json>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    let wanted = selector.get("matchLabels").and_then(Json::as_object);
    let has_all = wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| label(key) == value.as_str()));
    let expressions = selector.get("matchExpressions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    has_all
        && expressions.iter().all(|expression| {
            let found = label(text(expression, "/key"));
            let values = expression.get("values").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let is_one = found.is_some_and(|found| values.iter().any(|value| *value == found));
            match text(expression, "/operator") {
                "In" => is_one,
                "NotIn" => !is_one,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}
