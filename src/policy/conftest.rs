//! Policies that were written for conftest (<https://www.conftest.dev>), on rendered objects.

use serde_json::Value as Json;

use super::engine::{DeclaredRule, Module, TeamEngine};
use super::team_finding::{NO_LIST, TeamFinding, TeamRule};

/// What the ids of these rules begin with.
pub(super) const PREFIX: &str = "conftest/";

/// The policies of one entry of `policies`.
pub struct Conftest {
    engine: TeamEngine,
    rules: Vec<Asked>,
    /// Whether all objects are one input.
    pub combines: bool,
}

/// A rule of a namespace that is asked.
struct Asked {
    declared: DeclaredRule,
    is_warning: bool,
    /// What stands behind `deny_`, by which exceptions name it.
    suffix: String,
    has_exceptions: bool,
}

impl Conftest {
    /// Reads the modules of a folder.
    ///
    /// # Errors
    /// What is wrong with the first module that cannot be read, or that nothing in the namespaces is a rule.
    pub fn new(modules: &[Module<'_>], data: &Json, namespaces: &[String], combines: bool) -> Result<Self, String> {
        let mut engine = TeamEngine::new(modules, data)?;
        let declared = engine.rules();
        let is_asked =
            |rule: &&DeclaredRule| namespaces.iter().any(|name| crate::config::glob_matches(name, &rule.package));
        let asked = declared.iter().filter(is_asked).filter_map(|rule| {
            let (kind, suffix) = rule.name.split_once('_').unwrap_or((&rule.name, ""));
            let is_warning = match kind {
                "deny" | "violation" => false,
                "warn" => true,
                _ => return None,
            };
            let is_exception = |other: &DeclaredRule| other.package == rule.package && other.name == "exception";
            let has_exceptions = declared.iter().any(is_exception);
            Some(Asked { suffix: suffix.to_owned(), declared: rule.clone(), is_warning, has_exceptions })
        });
        let rules: Vec<Asked> = asked.collect();
        if rules.is_empty() {
            return Err(format!("no rule `deny`, `violation` or `warn` in the namespace {}", namespaces.join(", ")));
        }
        let policies = Self { engine, rules, combines };
        // regorus looks for functions only when they are called, and a head without `contains` is only seen in its value.
        let tried = policies.judge(&Json::Object(serde_json::Map::new()));
        match tried {
            Err(why) if ["could not find function", NO_LIST].iter().any(|known| why.contains(known)) => Err(why),
            _ => Ok(policies),
        }
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = TeamRule> {
        self.rules.iter().map(|rule| TeamRule { id: rule.id(), declared: rule.declared.clone(), judges: true })
    }

    /// The ids of all rules.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.rules.iter().map(Asked::id)
    }

    /// What the rules find in an input.
    ///
    /// # Errors
    /// When a rule fails, or hands back something other than messages.
    pub fn judge(&self, input: &Json) -> Result<Vec<TeamFinding>, String> {
        let mut question = self.engine.ask(input);
        let mut found = Vec::new();
        for rule in &self.rules {
            let DeclaredRule { package, name, path, line } = &rule.declared;
            let failed = |why: String| format!("{path}:{line}: `{package}.{name}` failed: {why}");
            let value = question.value(package, name).map_err(failed)?;
            let items = super::team_finding::items(&value, name).map_err(failed)?;
            if items.is_empty() {
                continue;
            }
            if rule.has_exceptions {
                let exceptions = question.value(package, "exception").map_err(failed)?;
                let is_named =
                    |list: &Json| list.as_array().is_some_and(|names| names.iter().any(|it| *it == rule.suffix));
                if exceptions.as_array().is_some_and(|lists| lists.iter().any(is_named)) {
                    continue;
                }
            }
            for item in items {
                let told = TeamFinding::read(item).map_err(failed)?;
                let declared = rule.declared.clone();
                found.push(TeamFinding {
                    rule: rule.id(),
                    is_warning: rule.is_warning,
                    declared: Some(declared),
                    ..told
                });
            }
        }
        Ok(found)
    }
}

impl Asked {
    fn id(&self) -> String {
        format!("{PREFIX}{}.{}", self.declared.package, self.declared.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POLICY: &str = "package main\nimport rego.v1\n\ndeny_root contains msg if {\n  input.kind == \"Deployment\"\n  not \
                          input.spec.template.spec.securityContext.runAsNonRoot\n  msg := sprintf(\"%s runs as root\", \
                          [input.metadata.name])\n}\n\nwarn contains {\"msg\": \"old\", \"path\": \"metadata.name\"} if \
                          input.metadata.name == \"old\"\n\nviolation contains {\"msg\": \"many\", \"details\": {\"path\": \
                          \"/spec/replicas\"}} if input.spec.replicas > data.limits.replicas\n\nexception contains rules if {\n  \
                          input.metadata.name == \"ops\"\n  rules := [\"root\"]\n}\n";

    fn judged(object: &Json) -> Vec<(String, bool, String, Option<String>)> {
        let modules = [Module { path: "policy/a.rego", text: POLICY }];
        let data = json!({"limits": {"replicas": 3}});
        let policies = Conftest::new(&modules, &data, &["main".to_owned()], false).unwrap();
        let found = policies.judge(object).unwrap();
        found.into_iter().map(|it| (it.rule, it.is_warning, it.message, it.field)).collect()
    }

    #[test]
    fn rules_are_asked_as_conftest_asks_them() {
        let object = |name: &str, replicas: u64| json!({"kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": replicas}});
        let root = |name: &str| ("conftest/main.deny_root".to_owned(), false, format!("{name} runs as root"), None);
        assert_eq!(judged(&object("api", 3)), [root("api")]);
        let many = ("conftest/main.violation".to_owned(), false, "many".to_owned(), Some("/spec/replicas".to_owned()));
        assert_eq!(judged(&object("ops", 4)), [many]);
        let old = ("conftest/main.warn".to_owned(), true, "old".to_owned(), Some("metadata.name".to_owned()));
        assert_eq!(judged(&object("old", 1)), [root("old"), old]);
        assert!(judged(&json!({"kind": "Service", "metadata": {"name": "x"}})).is_empty());
    }

    #[test]
    fn what_asks_nothing_is_an_error() {
        let new = |text: &str| {
            Conftest::new(&[Module { path: "a.rego", text }], &json!({}), &["main".to_owned()], false).err()
        };
        assert!(
            new("package other\nimport rego.v1\ndeny contains 1 if true\n")
                .is_some_and(|why| why.contains("namespace main"))
        );
        let odd = Conftest::new(
            &[Module { path: "a.rego", text: "package main\nimport rego.v1\ndeny contains 1 if true\n" }],
            &json!({}),
            &["main".to_owned()],
            false,
        );
        let why = odd.unwrap().judge(&json!({})).unwrap_err();
        assert!(why.contains("a.rego:3") && why.contains("no message"), "{why}");
    }
}
