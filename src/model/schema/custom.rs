use std::collections::HashSet;

use super::kubernetes::Kubernetes;
use super::types::{Field, Limits, Record, Type};
use crate::yaml::{Kind, Mapping, Node};

/// How deep a `CustomResourceDefinition` is read.
const DEEPEST: usize = 64;

/// A kind that a `CustomResourceDefinition` defines, in one of its versions.
#[derive(Clone, Debug)]
pub struct CustomKind {
    /// The API version, such as `example.com/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The name of the definition.
    pub definition: String,
    pub(super) of: Type,
}

impl CustomKind {
    /// What a `CustomResourceDefinition` defines; nothing where the node is another object. Definitions of `v1beta1` may keep
    /// unknown fields, and define nothing here.
    #[must_use]
    pub fn read(node: &Node) -> Vec<Self> {
        let text = |path: &[&str]| node.find(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        if text(&["kind"]) != "CustomResourceDefinition" || text(&["apiVersion"]) != "apiextensions.k8s.io/v1" {
            return Vec::new();
        }
        let (group, kind) = (text(&["spec", "group"]), text(&["spec", "names", "kind"]));
        let versions = node.find(&["spec", "versions"]).and_then(Node::as_sequence).unwrap_or_default();
        let defined = versions.iter().filter_map(|version| {
            let schema = version.find(&["schema", "openAPIV3Schema"])?;
            Some(Self {
                api_version: format!("{group}/{}", version.get("name")?.as_text()?),
                kind: kind.clone(),
                definition: text(&["metadata", "name"]),
                of: whole(schema),
            })
        });
        defined.collect()
    }
}

fn is_true(schema: &Node, name: &str) -> bool {
    let scalar = schema.get(name).and_then(Node::as_scalar);
    scalar.is_some_and(|scalar| scalar.kind == Kind::Bool(true))
}

/// An object as a whole: what every object has is there, whatever the schema says of it.
fn whole(schema: &Node) -> Type {
    let mut of = read(schema, 0);
    if let Type::Record(record) = &mut of {
        let every = [("apiVersion", Type::Text), ("kind", Type::Text), ("metadata", Kubernetes::get().metadata())];
        for (name, of) in every {
            record.fields.insert(name.into(), Field { of, is_required: false, is_nullable: false });
        }
    }
    of
}

/// A structural schema
/// (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>).
/// What `allOf`, `anyOf`, `oneOf`, `not` and expressions say is not looked at.
fn read(schema: &Node, depth: usize) -> Type {
    if depth > DEEPEST {
        return Type::Any;
    }
    if is_true(schema, "x-kubernetes-int-or-string") {
        return Type::Int64OrString;
    }
    if is_true(schema, "x-kubernetes-embedded-resource") {
        return Type::Object;
    }
    let of = match schema.get("type").and_then(Node::as_text) {
        Some("object") => object(schema, depth),
        Some("array") => {
            let items = schema.get("items").map_or(Type::Any, |items| read(items, depth + 1));
            Type::List(Box::new(items))
        }
        Some("string") => words(schema).map_or(Type::Text, Type::OneOf),
        Some("integer") => Type::Int64,
        Some("number") => Type::Number,
        Some("boolean") => Type::Bool,
        _ => return Type::Any,
    };
    match limits(schema) {
        Some(limits) => Type::Limited(Box::new(of), limits),
        None => of,
    }
}

fn object(schema: &Node, depth: usize) -> Type {
    let keeps = is_true(schema, "x-kubernetes-preserve-unknown-fields");
    let properties = schema.get("properties").and_then(Node::as_mapping);
    match (schema.get("additionalProperties"), properties) {
        (Some(of), None) if of.as_mapping().is_some() => Type::Map(Box::new(read(of, depth + 1))),
        (Some(of), None) if of.as_scalar().is_none_or(|of| of.kind != Kind::Bool(false)) => Type::Object,
        (_, None) if keeps => Type::Object,
        (_, properties) => {
            let required = schema.get("required").and_then(Node::as_sequence).unwrap_or_default();
            let required: HashSet<&str> = required.iter().filter_map(Node::as_text).collect();
            let fields = properties.into_iter().flat_map(Mapping::iter).map(|(name, of)| {
                // What has a default need not be written.
                let is_required = required.contains(&*name.text) && of.get("default").is_none();
                (
                    Box::from(&*name.text),
                    Field { of: read(of, depth + 1), is_required, is_nullable: is_true(of, "nullable") },
                )
            });
            Type::Record(Record { fields: fields.collect(), is_open: keeps })
        }
    }
}

fn limits(schema: &Node) -> Option<Limits> {
    let number = |name: &str| schema.get(name).and_then(Node::as_text)?.parse::<f64>().ok();
    let length = |name: &str, other: &str| {
        schema.get(name).or_else(|| schema.get(other)).and_then(Node::as_text)?.parse::<u64>().ok()
    };
    let limits = Limits {
        pattern: schema.get("pattern").and_then(Node::as_text).map(Box::from),
        least: number("minimum"),
        most: number("maximum"),
        shortest: length("minLength", "minItems"),
        longest: length("maxLength", "maxItems"),
    };
    let has_numbers = limits.least.is_some() || limits.most.is_some();
    let has_lengths = limits.shortest.is_some() || limits.longest.is_some();
    (limits.pattern.is_some() || has_numbers || has_lengths).then_some(limits)
}

/// The texts that a value may be.
fn words(schema: &Node) -> Option<Vec<Box<str>>> {
    let words = schema.get("enum")?.as_sequence()?;
    Some(words.iter().filter_map(Node::as_text).map(Box::from).collect())
}
