//! What kinds are known and how their fields merge: kustomize's own description of Kubernetes, or the one that
//! `openapi` names (`kyaml/openapi`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::kinds::{self, MergeRules};
use crate::kustomize::build::id::Gvk;
use crate::kustomize::limits::MOST_REFERENCES;
use crate::yaml::{Node, to_json};

/// The description of all kinds that one build works with.
#[derive(Clone, Debug, Default)]
pub(crate) enum Schemas {
    /// kustomize's own.
    #[default]
    BuiltIn,
    /// A file's.
    Custom(Custom),
}

/// The description of a file. It takes the place of kustomize's own, unless kustomize has looked into that already.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    /// The file's definitions.
    pub definitions: Arc<Definitions>,
    /// Whether kustomize's own definitions count besides.
    pub extends_built_in: bool,
}

/// The definitions of an `OpenAPI` document.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    by_name: HashMap<String, Json>,
    /// Names of definitions by `apiVersion` and kind.
    names: HashMap<(String, String), String>,
    /// Whether a kind stands in namespaces, by `apiVersion` and kind.
    namespaced: BTreeMap<(String, String), bool>,
}

/// How one value merges.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Schema<'a> {
    /// By kustomize's own description.
    BuiltIn(&'static MergeRules),
    /// By a file's.
    Custom(&'a Custom, &'a Json),
}

/// How one field merges.
pub(crate) struct Field<'a> {
    /// The keys by which the items of a list are matched; empty for lists of scalars. `None` where it is no merged list.
    pub merge_keys: Option<Vec<&'a str>>,
    /// How the field's value, or each item of the list, merges in turn.
    pub schema: Option<Schema<'a>>,
}

fn kinds_of(definition: &Json) -> impl Iterator<Item = (String, String)> {
    let listed = definition.get("x-kubernetes-group-version-kind");
    let entries = listed.into_iter().flat_map(|listed| match listed {
        Json::Array(entries) => entries.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    entries.filter_map(|entry| {
        let text = |key: &str| entry.get(key).and_then(Json::as_str);
        let version = text("version")?;
        let group = text("group").filter(|group| !group.is_empty());
        let api_version = group.map_or_else(|| version.to_owned(), |group| format!("{group}/{version}"));
        Some((api_version, text("kind")?.to_owned()))
    })
}

impl Definitions {
    /// Reads an `OpenAPI` document.
    pub(crate) fn read(document: &Node) -> Self {
        let Json::Object(mut document) = to_json(document) else { return Self::default() };
        let mut definitions = Self::default();
        if let Some(Json::Object(found)) = document.remove("definitions") {
            for (name, definition) in found {
                definitions.names.extend(kinds_of(&definition).map(|kind| (kind, name.clone())));
                definitions.by_name.insert(name, definition);
            }
        }
        for (path, item) in document.get("paths").and_then(Json::as_object).into_iter().flatten() {
            let is_namespaced = path.contains("namespaces/{namespace}");
            for kind in item.get("get").into_iter().flat_map(kinds_of) {
                let known = definitions.namespaced.entry(kind).or_insert(is_namespaced);
                *known |= is_namespaced;
            }
        }
        definitions
    }
}

impl Custom {
    /// Follows references to the definition itself.
    fn resolve<'a>(&'a self, mut schema: &'a Json) -> Option<Schema<'a>> {
        for _ in 0..MOST_REFERENCES {
            let Some(reference) = schema.get("$ref").and_then(Json::as_str) else {
                return Some(Schema::Custom(self, schema));
            };
            let name = reference.strip_prefix("#/definitions/")?;
            match self.definitions.by_name.get(name) {
                Some(found) => schema = found,
                None if self.extends_built_in => return kinds::definition(name).map(Schema::BuiltIn),
                None => return None,
            }
        }
        None
    }
}

impl Schemas {
    /// How objects of a kind merge; `None` for kinds that are not known, whose lists are replaced whole.
    pub(crate) fn of(&self, gvk: &Gvk) -> Option<Schema<'_>> {
        match self {
            Self::BuiltIn => kinds::merge_rules(gvk).map(Schema::BuiltIn),
            Self::Custom(custom) => {
                let name = custom.definitions.names.get(&(gvk.api_version(), gvk.kind.clone()));
                match name.and_then(|name| custom.definitions.by_name.get(name)) {
                    Some(definition) => custom.resolve(definition),
                    None if custom.extends_built_in => kinds::merge_rules(gvk).map(Schema::BuiltIn),
                    None => None,
                }
            }
        }
    }

    /// Whether only a custom description says that a kind stands outside of namespaces.
    pub(crate) fn is_cluster_scoped(&self, gvk: &Gvk) -> bool {
        match self {
            Self::BuiltIn => false,
            Self::Custom(custom) => {
                !kinds::is_known(gvk)
                    && custom.definitions.namespaced.get(&(gvk.api_version(), gvk.kind.clone())) == Some(&false)
            }
        }
    }
}

impl<'a> Schema<'a> {
    /// How a field merges; `None` where nothing is known of it.
    pub(crate) fn field(self, name: &str) -> Option<Field<'a>> {
        match self {
            Self::BuiltIn(rules) => {
                let field = rules.field(name)?;
                let merge_keys = field.merge_keys.map(<[&str]>::to_vec);
                Some(Field { merge_keys, schema: field.rules.map(Schema::BuiltIn) })
            }
            Self::Custom(custom, schema) => {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                let property = property.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object()));
                match custom.resolve(property?)? {
                    Schema::Custom(custom, list) if is_list(list) => {
                        let schema = list.get("items").and_then(|items| custom.resolve(items));
                        Some(Field { merge_keys: merge_keys(list), schema })
                    }
                    schema => Some(Field { merge_keys: None, schema: Some(schema) }),
                }
            }
        }
    }
}

fn is_list(schema: &Json) -> bool {
    match schema.get("type") {
        Some(Json::Array(types)) => types.len() == 1 && types[0] == "array",
        other => other.and_then(Json::as_str) == Some("array"),
    }
}

fn merge_keys(list: &Json) -> Option<Vec<&str>> {
    let strategy = list.get("x-kubernetes-patch-strategy").and_then(Json::as_str)?;
    if !strategy.split(',').any(|part| part == "merge") {
        return None;
    }
    if let Some(keys) = list.get("x-kubernetes-list-map-keys").and_then(Json::as_array) {
        return Some(keys.iter().filter_map(Json::as_str).collect());
    }
    Some(list.get("x-kubernetes-patch-merge-key").and_then(Json::as_str).into_iter().collect())
}
