use super::kubernetes::Kubernetes;
use super::types::{Field, Limits, Record, Type};
use crate::yaml::{Kind, Mapping, Node};

/// How deep a `CustomResourceDefinition` is read.
const DEEPEST: usize = 64;
/// How many patterns of one definition are looked at, and how large each may become in memory; the largest public definitions have
/// some two hundred.
const MOST_PATTERNS: usize = 1_000;
const LARGEST_PATTERN: usize = 1 << 18;

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
        let mut reader = Reader { patterns: 0 };
        let defined = versions.iter().filter_map(|version| {
            let schema = version.find(&["schema", "openAPIV3Schema"])?;
            Some(Self {
                api_version: format!("{group}/{}", version.get("name")?.as_text()?),
                kind: kind.clone(),
                definition: text(&["metadata", "name"]),
                of: reader.whole(schema),
            })
        });
        defined.collect()
    }
}

fn is_true(schema: &Node, name: &str) -> bool {
    let scalar = schema.get(name).and_then(Node::as_scalar);
    scalar.is_some_and(|scalar| scalar.kind == Kind::Bool(true))
}

/// Reads structural schemas
/// (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>).
/// What `allOf`, `anyOf`, `oneOf`, `not` and expressions say is not looked at.
struct Reader {
    /// How many patterns were read.
    patterns: usize,
}

impl Reader {
    /// An object as a whole: what every object has is there, whatever the schema says of it.
    fn whole(&mut self, schema: &Node) -> Type {
        let mut of = self.read(schema, 0);
        if let Type::Record(record) = &mut of {
            let every = [("apiVersion", Type::Text), ("kind", Type::Text), ("metadata", Kubernetes::get().metadata())];
            for (name, of) in every {
                record.fields.insert(name.into(), Field { of, is_required: false });
            }
        }
        of
    }

    fn read(&mut self, schema: &Node, depth: usize) -> Type {
        if depth > DEEPEST {
            return Type::Any;
        }
        if is_true(schema, "x-kubernetes-int-or-string") {
            return Type::IntOrString;
        }
        if is_true(schema, "x-kubernetes-embedded-resource") {
            return Type::Object;
        }
        let of = match schema.get("type").and_then(Node::as_text) {
            Some("object") => self.object(schema, depth),
            Some("array") => {
                let items = schema.get("items").map_or(Type::Any, |items| self.read(items, depth + 1));
                Type::List(Box::new(items))
            }
            Some("string") => words(schema).map_or(Type::Text, Type::OneOf),
            Some("integer") => Type::Int64,
            Some("number") => Type::Number,
            Some("boolean") => Type::Bool,
            _ => return Type::Any,
        };
        match self.limits(schema) {
            Some(limits) => Type::Limited(Box::new(of), limits),
            None => of,
        }
    }

    fn object(&mut self, schema: &Node, depth: usize) -> Type {
        let keeps = is_true(schema, "x-kubernetes-preserve-unknown-fields");
        let properties = schema.get("properties").and_then(Node::as_mapping);
        match (schema.get("additionalProperties"), properties) {
            (Some(of), None) if of.as_mapping().is_some() => Type::Map(Box::new(self.read(of, depth + 1))),
            (Some(of), None) if of.as_scalar().is_none_or(|of| of.kind != Kind::Bool(false)) => Type::Object,
            (_, None) if keeps => Type::Object,
            (_, properties) => {
                let required = schema.get("required").and_then(Node::as_sequence).unwrap_or_default();
                let required: Vec<&str> = required.iter().filter_map(Node::as_text).collect();
                let fields = properties.into_iter().flat_map(Mapping::iter).map(|(name, of)| {
                    // What has a default need not be written.
                    let is_required = required.contains(&&*name.text) && of.get("default").is_none();
                    (Box::from(&*name.text), Field { of: self.read(of, depth + 1), is_required })
                });
                Type::Record(Record { fields: fields.collect(), is_open: keeps })
            }
        }
    }

    fn limits(&mut self, schema: &Node) -> Option<Limits> {
        let number = |name: &str| schema.get(name).and_then(Node::as_text)?.parse::<f64>().ok();
        let length = |name: &str, other: &str| {
            schema.get(name).or_else(|| schema.get(other)).and_then(Node::as_text)?.parse::<u64>().ok()
        };
        let limits = Limits {
            pattern: schema.get("pattern").and_then(Node::as_text).and_then(|text| self.pattern(text)),
            least: number("minimum"),
            most: number("maximum"),
            shortest: length("minLength", "minItems"),
            longest: length("maxLength", "maxItems"),
        };
        let has_numbers = limits.least.is_some() || limits.most.is_some();
        let has_lengths = limits.shortest.is_some() || limits.longest.is_some();
        (limits.pattern.is_some() || has_numbers || has_lengths).then_some(limits)
    }

    fn pattern(&mut self, text: &str) -> Option<regex::Regex> {
        self.patterns += 1;
        if self.patterns > MOST_PATTERNS {
            return None;
        }
        regex::RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build().ok()
    }
}

/// The texts that a value may be.
fn words(schema: &Node) -> Option<Vec<Box<str>>> {
    let words = schema.get("enum")?.as_sequence()?;
    Some(words.iter().filter_map(Node::as_text).map(Box::from).collect())
}
