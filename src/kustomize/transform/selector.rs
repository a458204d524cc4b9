//! Patch targets (`api/types/selector.go`, label selectors of `k8s.io/apimachinery`).

use regex::Regex;

use super::go_regex;
use crate::kustomize::build::id::{Gvk, ResourceId};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Fields;
use crate::span::Span;
use crate::yaml::Node;

/// A pattern that must match a whole text; empty matches all.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Nothing was asked for.
    Any,
    /// A text without special characters.
    Literal(String),
    /// A regular expression, anchored at both ends.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a pattern as written at `span`.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn new(text: &str, span: Span) -> Result<Self, RenderError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte)) {
            return Ok(Self::Literal(text.to_owned()));
        }
        go_regex::compile(text, ["^(?:", ")$"], span).map(Self::Regex).map_err(|error| {
            error.help("the fields of a target are regular expressions that must match the whole name")
        })
    }

    /// Whether the text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// What a patch applies to.
#[derive(Clone, Debug)]
pub struct Selector {
    /// The API group.
    pub group: Pattern,
    /// The API version.
    pub version: Pattern,
    /// The kind.
    pub kind: Pattern,
    /// The name, original or present.
    pub name: Pattern,
    /// The namespace, original or present.
    pub namespace: Pattern,
    /// Requirements on labels.
    pub labels: Vec<Requirement>,
    /// Requirements on annotations.
    pub annotations: Vec<Requirement>,
    /// Where the kind and the name are written.
    pub spans: TargetSpans,
}

/// Where a selector's fields are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetSpans {
    /// The kind.
    pub kind: Option<Span>,
    /// The name.
    pub name: Option<Span>,
}

impl Selector {
    /// The fields of a selector.
    pub(crate) const FIELDS: [&'static str; 7] =
        ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];

    /// Reads the fields of a selector.
    ///
    /// # Errors
    /// When one of them is no string, no regular expression or no label selector.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, RenderError> {
        let pattern = |name| {
            let text = fields.text(name)?;
            text.map_or(Ok(Pattern::Any), |text| Pattern::new(&text.value, text.span))
        };
        let span = |name| Ok(fields.text(name)?.map(|text| text.span));
        let requirements = |name| {
            let text = fields.text(name)?;
            text.map_or(Ok(Vec::new()), |text| Requirement::parse_all(&text.value, text.span))
        };
        Ok(Self {
            group: pattern("group")?,
            version: pattern("version")?,
            kind: pattern("kind")?,
            name: pattern("name")?,
            namespace: pattern("namespace")?,
            labels: requirements("labelSelector")?,
            annotations: requirements("annotationSelector")?,
            spans: TargetSpans { kind: span("kind")?, name: span("name")? },
        })
    }

    /// Whether it asks for an identity at all.
    #[must_use]
    pub(crate) fn names_something(&self) -> bool {
        let patterns = [&self.group, &self.version, &self.kind, &self.name, &self.namespace];
        patterns.into_iter().any(|pattern| !matches!(pattern, Pattern::Any))
    }

    /// Whether it asks for a name.
    #[must_use]
    pub(crate) fn names_a_name(&self) -> bool {
        !matches!(self.name, Pattern::Any)
    }

    /// Whether it asks for labels or annotations.
    #[must_use]
    pub(crate) fn names_labels_or_annotations(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Whether the labels and annotations of an object are what is asked for.
    #[must_use]
    pub(crate) fn fits_labels_and_annotations(&self, object: &Node) -> bool {
        let holds = |wanted: &[Requirement], field| {
            let found = object.find(&["metadata", field]);
            wanted.iter().all(|wanted| wanted.holds(found))
        };
        holds(&self.labels, "labels") && holds(&self.annotations, "annotations")
    }

    /// Whether one identity is what is asked for.
    #[must_use]
    pub(crate) fn fits_id(&self, id: &ResourceId) -> bool {
        self.fits_kind(&id.gvk) && self.name.matches(&id.name) && self.namespace.matches(&id.namespace)
    }

    fn fits_kind(&self, gvk: &Gvk) -> bool {
        self.group.matches(&gvk.group) && self.version.matches(&gvk.version) && self.kind.matches(&gvk.kind)
    }

    /// Whether the selector picks this object.
    #[must_use]
    pub fn selects(&self, resource: &Resource) -> bool {
        if !self.fits_kind(&resource.gvk()) {
            return false;
        }
        let (id, original) = (resource.id(), resource.original_id());
        let either = |pattern: &Pattern, one: &str, other: &str| pattern.matches(one) || pattern.matches(other);
        either(&self.namespace, original.effective_namespace(), id.effective_namespace())
            && either(&self.name, &original.name, &id.name)
            && self.fits_labels_and_annotations(&resource.node)
    }
}

/// One requirement of a label selector.
#[derive(Clone, Debug)]
pub struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Requirement {
    /// Parses `a=b,c!=d,e,!f,g in (h,i),j notin (k),l>1,m<2`.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse_all(text: &str, span: Span) -> Result<Vec<Self>, RenderError> {
        let mut requirements = Vec::new();
        let mut depth = 0usize;
        let parts = text.split(|character| {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ',' && depth == 0
        });
        if text.trim().is_empty() {
            return Ok(requirements);
        }
        for part in parts.map(str::trim) {
            let requirement = Self::parse(part).ok_or_else(|| {
                RenderError::at(span, format!("`{part}` is not a requirement of a selector"))
                    .help("write `key=value`, `key!=value`, `key`, `!key`, `key in (a,b)` or `key notin (a,b)`")
            })?;
            requirements.push(requirement);
        }
        Ok(requirements)
    }

    fn parse(text: &str) -> Option<Self> {
        let is_key = |key: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
            !key.is_empty() && key.bytes().all(allowed)
        };
        // Label values of Kubernetes (`k8s.io/apimachinery`, `IsValidLabelValue`).
        let is_value = |value: &String| {
            let (bytes, is_inner) = (value.as_bytes(), |byte: &u8| b"-_.".contains(byte));
            let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || is_inner(byte);
            let ends = [bytes.first(), bytes.last()];
            bytes.len() <= 63 && bytes.iter().all(is_allowed) && !ends.into_iter().flatten().any(is_inner)
        };
        let one = |key: &str, test: Test| {
            let is_valid = match &test {
                Test::In(values) | Test::NotIn(values) => values.iter().all(is_value),
                _ => true,
            };
            (is_valid && is_key(key.trim())).then(|| Self { key: key.trim().to_owned(), test })
        };
        if let Some((key, values)) = text.split_once('(') {
            let values: Vec<String> =
                values.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
            let (key, operator) = key.trim().rsplit_once(char::is_whitespace)?;
            return match operator {
                "in" => one(key, Test::In(values)),
                "notin" => one(key, Test::NotIn(values)),
                _ => None,
            };
        }
        if let Some((key, value)) = text.split_once("!=") {
            return one(key, Test::NotIn(vec![value.trim().to_owned()]));
        }
        if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            return one(key, Test::In(vec![value.trim().to_owned()]));
        }
        if let Some((key, number)) = text.split_once('>') {
            return one(key, Test::Greater(number.trim().parse().ok()?));
        }
        if let Some((key, number)) = text.split_once('<') {
            return one(key, Test::Less(number.trim().parse().ok()?));
        }
        match text.strip_prefix('!') {
            Some(key) => one(key, Test::Absent),
            None => one(text, Test::Exists),
        }
    }

    fn holds(&self, labels: Option<&Node>) -> bool {
        let value =
            labels.and_then(|labels| labels.get(&self.key)).and_then(Node::as_scalar).map(|scalar| &*scalar.text);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Greater(limit) => {
                value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value > *limit)
            }
            Test::Less(limit) => value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < *limit),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|wanted| wanted != value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kustomize::testing::{Row, hold};

    const ROWS: &[Row<'_>] = &[
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {name: c}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            r#"patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {name: "c.*"}
"#,
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {namespace: ns}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {kind: Config}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            r#"patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {kind: "Config.*", name: cc}
"#,
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {labelSelector: app=a}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            r#"patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {labelSelector: "app in (a, b)"}
"#,
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            r#"patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {labelSelector: "!app"}
"#,
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {annotationSelector: k=v}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
data:
  x: true
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
        (
            "patches:
- patch: |-
    - {op: add, path: /data, value: {x: y}}
  target: {version: v2}
",
            "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cc, namespace: ns, labels: {app: a}, annotations: {k: v}}
",
            "apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    k: v
  labels:
    app: a
  name: cc
  namespace: ns
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
",
        ),
    ];

    #[test]
    fn a_selector_is_an_anchored_expression() {
        hold(ROWS);
    }
}
