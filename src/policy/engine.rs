//! Evaluates rules. One engine is prepared and cloned for every document; every document is checked before any rule runs.

use serde::Deserialize;
use serde_json::Value as Json;

use super::catalog::{LIBRARIES, Rule};
use super::input::{Document, Handle};

/// The published form of the document.
const SCHEMA: &str = include_str!("../../policies/input.schema.json");

/// What one rule says about one document.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Raised {
    /// The line to edit.
    pub at: Handle,
    /// What is wrong.
    pub message: String,
    /// What exactly it is about, where the object and the path of `at` alone would not tell two faults apart.
    #[serde(default)]
    pub subject: Option<String>,
    /// What is to be seen on the line.
    #[serde(default)]
    pub label: Option<String>,
    /// What to do, where the rule's own help is not enough.
    #[serde(default)]
    pub help: Option<String>,
    /// What is known besides.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Other places.
    #[serde(default)]
    pub related: Vec<Related>,
}

/// A place that explains a finding.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Related {
    /// The place.
    pub at: Handle,
    /// What is to be seen there.
    pub message: String,
}

/// A rule or its input is broken, so that the gate cannot decide. Our own fault, or that of whoever wrote the rule.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum PolicyError {
    /// A rule cannot be loaded.
    #[error("the rule `{rule}` cannot be loaded: {why}")]
    #[diagnostic(help("this is a mistake in Tollgate itself; please report it"))]
    Load {
        /// The rule or library.
        rule: String,
        /// What the engine said.
        why: String,
    },
    /// The input document is not of its published form.
    #[error("the rules' input is not of its published form at `{place}`: {why}")]
    #[diagnostic(help("this is a mistake in Tollgate itself; please report it with the output of `tollgate facts`"))]
    Input {
        /// JSON pointer.
        place: String,
        /// What does not fit.
        why: String,
    },
    /// A rule failed.
    #[error("the rule `{rule}` failed on `{overlay}`: {why}")]
    #[diagnostic(help(
        "what it would have found is not known, so the gate does not pass; `tollgate facts` prints the rule's input"
    ))]
    Evaluate {
        /// The rule.
        rule: String,
        /// The overlay that it was asked about.
        overlay: String,
        /// What the engine said.
        why: String,
    },
}

/// The prepared rules.
pub struct Engine {
    prepared: regorus::Engine,
    schema: jsonschema::Validator,
}

impl Engine {
    /// Loads rules and what they share.
    ///
    /// # Errors
    /// When a rule does not compile.
    pub fn new(rules: &[Rule]) -> Result<Self, PolicyError> {
        let mut prepared = regorus::Engine::new();
        let modules = LIBRARIES.iter().copied().chain(rules.iter().map(|rule| (rule.id, rule.policy)));
        for (name, text) in modules {
            prepared
                .add_policy(format!("{name}.rego"), text.to_owned())
                .map_err(|error| PolicyError::Load { rule: name.to_owned(), why: error.to_string() })?;
        }
        let broken = |why: String| PolicyError::Load { rule: "input.schema.json".to_owned(), why };
        let schema: Json = serde_json::from_str(SCHEMA).map_err(|error| broken(error.to_string()))?;
        let schema = jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))?;
        Ok(Self { prepared, schema })
    }

    /// Checks a document and hands it to the rules.
    ///
    /// # Errors
    /// When the document is not of its published form.
    pub fn ask(&self, document: &Document) -> Result<Asked, PolicyError> {
        let broken = |place: String, why: String| PolicyError::Input { place, why };
        let input = serde_json::to_value(document).map_err(|error| broken(String::new(), error.to_string()))?;
        if let Err(error) = self.schema.validate(&input) {
            return Err(broken(error.instance_path().to_string(), error.to_string()));
        }
        let mut engine = self.prepared.clone();
        engine.set_input_json(&input.to_string()).map_err(|error| broken(String::new(), error.to_string()))?;
        let overlay = document.overlay.as_ref().map_or("the change", |overlay| &overlay.path).to_owned();
        Ok(Asked { engine, overlay })
    }
}

/// Rules with a document before them.
pub struct Asked {
    engine: regorus::Engine,
    overlay: String,
}

impl Asked {
    /// What a rule says, in a stable order.
    ///
    /// # Errors
    /// When the rule fails, or says something that is no finding.
    pub fn evaluate(&mut self, rule: &Rule) -> Result<Vec<Raised>, PolicyError> {
        let broken =
            |why: String| PolicyError::Evaluate { rule: rule.id.to_owned(), overlay: self.overlay.clone(), why };
        let value = self.engine.eval_rule(rule.deny_path()).map_err(|error| broken(error.to_string()))?;
        let text = value.to_json_str().map_err(|error| broken(error.to_string()))?;
        let mut raised: Vec<Raised> =
            serde_json::from_str(&text).map_err(|error| broken(format!("{error} in {text}")))?;
        raised.sort_by(|one, other| (one.at, &one.message).cmp(&(other.at, &other.message)));
        Ok(raised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::catalog;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    /// The tests beside the rules, and whether they reach every line of the rules.
    #[test]
    fn rules_pass_their_own_tests() {
        let rules = catalog().unwrap();
        let mut engine = Engine::new(rules).unwrap().prepared;
        let mut tests = Vec::new();
        for rule in rules {
            let path = format!("{ROOT}/policies/{}_test.rego", rule.id);
            #[expect(clippy::disallowed_methods, reason = "tests are not embedded")]
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            engine.add_policy(path, text.clone()).unwrap_or_else(|error| panic!("{error}"));
            let package = format!("data.tollgate.{}_test", rule.id.replace('/', "."));
            let names = text.lines().filter(|line| line.starts_with("test_")).filter_map(|line| line.split(' ').next());
            tests.extend(names.map(|name| format!("{package}.{name}")));
        }
        engine.set_enable_coverage(true);
        assert!(tests.len() >= 2 * rules.len());
        for test in tests {
            let value = engine.eval_rule(test.clone()).unwrap_or_else(|error| panic!("{test}: {error}"));
            assert_eq!(value, regorus::Value::from(true), "{test}");
        }
        let report = engine.get_coverage_report().unwrap();
        let of_rules: Vec<_> = report.files.iter().filter(|file| !file.path.contains("_test")).collect();
        assert_eq!(of_rules.len(), rules.len() + LIBRARIES.len());
        for file in of_rules {
            let missed: Vec<_> = file.not_covered.iter().collect();
            assert!(missed.is_empty(), "{}: no test reaches lines {missed:?}", file.path);
        }
    }

    #[test]
    fn a_document_of_another_form_is_refused_before_any_rule_runs() {
        let engine = Engine::new(catalog().unwrap()).unwrap();
        let empty = serde_json::json!({"schema": "tollgate.input/1"});
        assert!(engine.schema.validate(&empty).is_err());
    }
}
