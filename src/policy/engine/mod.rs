//! Evaluates rules. One engine is prepared and cloned for every document.

pub use team::{DeclaredRule, Module, Reached, Tested, run_tests};

pub(super) use opa::check_module;
pub(super) use team::TeamEngine;

use serde::Deserialize;

use super::catalog::Rule;
use super::input::RuleInput;
use super::rule_set::RuleSet;
use crate::facts::Handle;
use crate::finding::Severity;

mod bounded;
mod calls;
mod go_format;
mod opa;
mod team;

/// One finding of a rule, as the rule hands it back.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RuleFinding {
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
    /// How much it weighs, where that is less than the rule does.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Whether the rule could not find out what it asks.
    #[serde(default)]
    pub undecided: bool,
    /// Whether the base has it already, where the rule knows better than by what identifies a finding.
    #[serde(default)]
    pub existing: bool,
    /// What to do, where the rule's own help is not enough.
    #[serde(default)]
    pub help: Option<String>,
    /// What is known besides.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Other places.
    #[serde(default)]
    pub related: Vec<RelatedPlace>,
}

/// A place that explains a finding.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RelatedPlace {
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
    /// The engine does not take the input.
    #[error("the engine does not take the rules' input: {why}")]
    #[diagnostic(help("this is a mistake in Tollgate itself; please report it with the output of `tollgate facts`"))]
    Input {
        /// What the engine said.
        why: String,
    },
    /// A rule failed.
    #[error("the rule `{rule}` failed on `{overlay}`: {why}")]
    #[diagnostic(help(
        "what it would have found is unknown, so the gate does not pass; `tollgate facts` prints the rule's input"
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
}

impl Engine {
    /// Loads rules and what they share.
    ///
    /// # Errors
    /// When a rule does not compile.
    pub fn new(set: &RuleSet) -> Result<Self, PolicyError> {
        let mut prepared = regorus::Engine::new();
        prepared.set_execution_timer_config(team::timer());
        let broken = |why: String| PolicyError::Load { rule: "the built-ins".to_owned(), why };
        bounded::supply(&mut prepared).map_err(broken)?;
        for (name, text) in set.modules() {
            prepared
                .add_policy(name.clone(), text.to_owned())
                .map_err(|error| PolicyError::Load { rule: name, why: error.to_string() })?;
        }
        let rules = set.rules;
        // The engine analyses its rules at the first evaluation; copies of it need not do that again. What the rule says
        // of an empty input is of no interest, not even that it fails.
        if let Some(rule) = rules.first() {
            prepared.set_input(regorus::Value::new_object());
            let _ = prepared.eval_rule(rule.deny_path());
        }
        Ok(Self { prepared })
    }

    /// Hands a document to the rules.
    ///
    /// # Errors
    /// When the engine does not take it.
    pub fn load(&self, input: &RuleInput) -> Result<Evaluation, PolicyError> {
        let broken = |why: String| PolicyError::Input { why };
        let text = serde_json::to_string(input).map_err(|error| broken(error.to_string()))?;
        let mut engine = self.prepared.clone();
        engine.set_input_json(&text).map_err(|error| broken(error.to_string()))?;
        let overlay = input.overlay.as_ref().map_or("the change", |overlay| &overlay.path).to_owned();
        Ok(Evaluation { engine, overlay })
    }
}

/// The rules with one document before them.
pub struct Evaluation {
    engine: regorus::Engine,
    overlay: String,
}

impl Evaluation {
    /// What a rule finds, in a stable order.
    ///
    /// # Errors
    /// When the rule fails, or hands back something other than findings.
    pub fn run(&mut self, rule: &Rule) -> Result<Vec<RuleFinding>, PolicyError> {
        let broken =
            |why: String| PolicyError::Evaluate { rule: rule.id.to_owned(), overlay: self.overlay.clone(), why };
        bounded::begin();
        let value = self.engine.eval_rule(rule.deny_path()).map_err(|error| broken(error.to_string()))?;
        let text = value.to_json_str().map_err(|error| broken(error.to_string()))?;
        let mut found: Vec<RuleFinding> =
            serde_json::from_str(&text).map_err(|error| broken(format!("{error} in {text}")))?;
        found.sort_by(|one, other| (one.at, &one.message).cmp(&(other.at, &other.message)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::catalog::{LIBRARIES, catalog};

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    /// The tests beside the rules, and whether they reach every line of the rules.
    #[test]
    fn rules_pass_their_own_tests() {
        let rules = catalog().unwrap();
        let mut engine = Engine::new(&RuleSet::built_in().unwrap()).unwrap().prepared;
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
}
