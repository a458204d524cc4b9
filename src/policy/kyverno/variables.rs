//! Variables `{{ … }}` (<https://kyverno.io/docs/policy-types/cluster-policy/variables/>).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::pattern::plain_key;
use crate::policy::jmespath::{Expression, Failed};
use crate::yaml::pointer_token;

/// What variables are looked up in.
pub(super) struct Variables<'a> {
    /// `request`, `images`, `element` and what `context` declares.
    pub(super) document: &'a Json,
}

/// `{{ … }}` with nothing of the kind inside.
static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\\])(\{\{(?:\{[^{}]*\}|[^{}])*\}\})").ok());

/// How often what has been put in is looked at again.
const MOST_ROUNDS: usize = 64;
/// How long a text may become.
const MOST_BYTES: usize = 1 << 20;

/// The variables of a text, the innermost of each.
pub(super) fn found_in(text: &str) -> Vec<&str> {
    let Some(regex) = VARIABLE.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(captures) = regex.captures_at(text, at)
        && let Some(variable) = captures.get(1)
    {
        found.push(variable.as_str());
        at = variable.end();
    }
    found
}

/// What stands between the braces, and whether what it comes to is not looked at again.
pub(super) fn inside(variable: &str) -> (&str, bool) {
    let inner = variable.trim_start_matches("{{").trim_end_matches("}}").trim();
    inner.strip_prefix('-').map_or((inner, false), |inner| (inner.trim(), true))
}

impl Variables<'_> {
    /// A value with the variables in it replaced.
    ///
    /// # Errors
    /// When one comes to nothing.
    pub(super) fn substituted(&self, value: &Json) -> Result<Json, Failed> {
        self.substituted_at(value, "")
    }

    fn substituted_at(&self, value: &Json, path: &str) -> Result<Json, Failed> {
        Ok(match value {
            Json::String(text) => self.text(text, path)?,
            Json::Array(items) => {
                let items =
                    items.iter().enumerate().map(|(at, item)| self.substituted_at(item, &format!("{path}/{at}")));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Json::Object(fields) => {
                let mut replaced = Map::new();
                for (key, value) in fields {
                    let key = match self.text(key, path)? {
                        Json::String(key) => key,
                        other => other.to_string(),
                    };
                    let path = format!("{path}/{}", pointer_token(plain_key(&key)));
                    let value = self.substituted_at(value, &path)?;
                    replaced.insert(key, value);
                }
                Json::Object(replaced)
            }
            other => other.clone(),
        })
    }

    /// A text with its variables replaced. One that is the whole text keeps its type.
    fn text(&self, text: &str, path: &str) -> Result<Json, Failed> {
        if !text.contains("{{") {
            return Ok(Json::String(text.to_owned()));
        }
        let mut text = text.to_owned();
        for _ in 0..MOST_ROUNDS {
            let variables: Vec<String> = found_in(&text).into_iter().map(str::to_owned).collect();
            if variables.is_empty() {
                break;
            }
            let whole = text.clone();
            let mut is_last = false;
            for variable in variables {
                let (expression, is_shallow) = inside(&variable);
                let value = if expression == "@" {
                    self.document.pointer(&format!("/request/object{path}")).cloned().unwrap_or(Json::Null)
                } else {
                    self.evaluate(expression)?
                };
                if whole == variable {
                    return Ok(value);
                }
                let mut put_in = match value {
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                if is_shallow {
                    put_in = put_in.replace("{{", "\\{{");
                }
                is_last |= is_shallow;
                text = text.replacen(&variable, &put_in, 1);
                if text.len() > MOST_BYTES {
                    return Err(Failed::Unanswered("a text with variables becomes too long".to_owned()));
                }
            }
            if is_last {
                break;
            }
        }
        Ok(Json::String(text.replace("\\{{", "{{")))
    }

    /// What an expression comes to.
    pub(super) fn evaluate(&self, expression: &str) -> Result<Json, Failed> {
        // What a variable is built of is only known here, and so is what it uses that is not available.
        Expression::read(expression).map_err(Failed::Unanswered)?.evaluate(self.document)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_replaced() {
        let document = json!({"request": {"object": {"metadata": {"name": "api", "labels": {"tier": "{{ request.name }}"}},
                              "spec": {"n": 3, "list": ["a"]}}, "name": "x"}, "element": {"key": "name"}});
        let variables = Variables { document: &document };
        for (text, expected) in [
            ("{{ request.object.spec.n }}", json!(3)),
            ("n={{request.object.spec.n}}!", json!("n=3!")),
            ("{{ request.object.metadata.labels.tier }}-{{ request.name }}", json!("x-x")),
            ("{{- request.object.metadata.labels.tier }} ", json!("{{ request.name }} ")),
            ("{{ request.object.metadata.{{element.key}} }}", json!("api")),
            ("\\{{ request.name }}", json!("{{ request.name }}")),
            ("{{ request.object.spec.list }} of", json!("[\"a\"] of")),
            ("{{ {a: request.name}.a }}", json!("x")),
            ("none", json!("none")),
        ] {
            assert_eq!(variables.substituted(&json!(text)), Ok(expected), "{text}");
        }
        let nested = json!({"(key-{{request.name}})": [{"v": "{{request.name}}"}]});
        assert_eq!(variables.substituted(&nested), Ok(json!({"(key-x)": [{"v": "x"}]})));
        let own = json!({"metadata": {"=(name)": "{{@}}"}});
        assert_eq!(variables.substituted(&own), Ok(json!({"metadata": {"=(name)": "api"}})));
        assert!(matches!(variables.substituted(&json!("{{ request.none }}")), Err(Failed::NotFound(_))));
        let looping = json!({"a": "{{ a }}{{ a }}"});
        let looping = Variables { document: &looping };
        assert!(matches!(looping.substituted(&json!("x{{ a }}")), Err(Failed::Unanswered(_))));
    }
}
