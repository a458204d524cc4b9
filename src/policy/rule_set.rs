//! The built-in rules, and those of the same style that a repository has of its own.

use regex::Regex;
use serde_json::Value as Json;

use super::catalog::{LIBRARIES, Rule, catalog};
use super::engine::{Engine, Module, PolicyError, check_module};
use super::metadata::Metadata;
use super::team_finding::is_team_rule;

/// What the package of a rule, or of what rules share, begins with.
const PACKAGE: &str = "tollgate.";
/// What the package of what rules share begins with.
const LIBRARY: &str = "tollgate.lib.";

/// Rules that are asked together.
#[derive(Clone)]
pub struct RuleSet {
    /// The rules.
    pub rules: &'static [Rule],
    /// What the repository's own rules share, by path.
    libraries: Vec<(String, String)>,
}

/// Whether a module is in Tollgate's own style: its package begins with `tollgate.`.
#[must_use]
pub fn is_own_style(text: &str) -> bool {
    package(text).is_some_and(|package| package.starts_with(PACKAGE))
}

fn package(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("package "))?;
    line.split(['#', ' ']).find(|word| !word.is_empty())
}

impl RuleSet {
    /// The built-in rules.
    ///
    /// # Errors
    /// When they are broken, which is a mistake in this program.
    pub fn built_in() -> Result<Self, PolicyError> {
        let rules = catalog().map_err(|why| PolicyError::Load { rule: "the catalog".to_owned(), why })?;
        Ok(Self { rules, libraries: Vec::new() })
    }

    /// The same with further rules.
    ///
    /// # Errors
    /// What is wrong with the first module that is no such rule.
    pub fn with(&self, modules: &[Module<'_>]) -> Result<Self, String> {
        if modules.is_empty() {
            return Ok(self.clone());
        }
        let mut set = self.clone();
        let mut rules = self.rules.to_vec();
        for module in modules {
            let wrong = |why: String| format!("{}: {why}", module.path);
            check_module(module).map_err(wrong)?;
            let package = package(module.text).unwrap_or_default();
            if package.starts_with(LIBRARY) {
                set.libraries.push((module.path.to_owned(), module.text.to_owned()));
                continue;
            }
            let rule = own_rule(module, package).map_err(wrong)?;
            if rules.iter().any(|known| known.id == rule.id) {
                return Err(wrong(format!("there is already a rule `{}`", rule.id)));
            }
            rules.push(rule);
        }
        // Rules live as long as the program, as the built-in ones do.
        set.rules = Vec::leak(rules);
        Engine::new(&set).map_err(|error| error.to_string())?;
        Ok(set)
    }

    /// Every module, by its name.
    pub(super) fn modules(&self) -> impl Iterator<Item = (String, &str)> {
        let built_in = LIBRARIES.iter().map(|(name, text)| (format!("{name}.rego"), *text));
        let own = self.libraries.iter().map(|(path, text)| (path.clone(), text.as_str()));
        let rules = self.rules.iter().map(|rule| (rule.path(), rule.policy));
        built_in.chain(own).chain(rules)
    }
}

fn own_rule(module: &Module<'_>, package: &str) -> Result<Rule, String> {
    let id = package.strip_prefix(PACKAGE).unwrap_or_default().replace('.', "/");
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() != 2 || !parts.iter().all(|part| is_name(part)) || is_team_rule(&id) {
        return Err(format!(
            "the package `{package}` is not of the form `tollgate.GROUP.NAME`, which makes the rule `GROUP/NAME`"
        ));
    }
    let metadata = Metadata::read(module.text).map_err(|why| {
        format!("{why}; a rule begins with `# METADATA`: title, description, custom: {{severity, help}}")
    })?;
    if !module.text.lines().any(|line| line.starts_with("deny ") || line.starts_with("deny[")) {
        return Err("it has no `deny`, which is what such a rule is asked: `deny contains finding if { … }`".to_owned());
    }
    check_input(module.text)?;
    let keep = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    Ok(Rule { id: keep(&id), policy: keep(module.text), example: "", file: Some(keep(module.path)), metadata })
}

/// The published form of the input.
const INPUT: &str = include_str!("../../policies/input.schema.json");

/// Refuses a path into the input that does not exist: it would be undefined, and what is undefined is no finding.
fn check_input(text: &str) -> Result<(), String> {
    let schema: Json = serde_json::from_str(INPUT).map_err(|error| error.to_string())?;
    let path = Regex::new(r"\binput((?:\.[A-Za-z_][A-Za-z0-9_]*)+)").map_err(|error| error.to_string())?;
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    for (whole, steps) in code.flat_map(|line| path.captures_iter(line).map(|it| it.extract::<1>())) {
        let mut here = &schema;
        for step in steps[0].split('.').skip(1) {
            let referred = here.pointer("/$ref").or_else(|| here.pointer("/anyOf/0/$ref")).and_then(Json::as_str);
            here = referred.and_then(|path| schema.pointer(path.strip_prefix('#')?)).unwrap_or(here);
            let Some(fields) = here.get("properties").and_then(Json::as_object) else { break };
            here = fields.get(step).ok_or_else(|| {
                let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                format!("there is no `{whole}` in the input: in the place of `{step}` it has {}", known.join(", "))
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "# METADATA\n# title: T\n# description: D\n# custom:\n#   severity: {default: error}\n#   help: H\npackage \
                        tollgate.team.x\nimport rego.v1\nimport data.tollgate.lib.team.shared\ndeny contains \"x\" if shared.yes\n";
    const SHARED: &str = "package tollgate.lib.team.shared\nimport rego.v1\nyes if true\n";

    fn with(modules: &[(&str, &str)]) -> Result<RuleSet, String> {
        let modules: Vec<Module<'_>> = modules.iter().map(|(path, text)| Module { path, text }).collect();
        RuleSet::built_in().unwrap().with(&modules)
    }

    #[test]
    fn rules_of_a_repository_stand_beside_the_built_in_ones() {
        assert!(is_own_style(RULE) && is_own_style(SHARED) && !is_own_style("package main\n"));
        let set = with(&[("policy/x.rego", RULE), ("policy/shared.rego", SHARED)]).unwrap();
        let rule = set.rules.iter().find(|rule| rule.id == "team/x").unwrap();
        for fine in ["input.head.images", "input.overlay.app", "input.parameters", "input.environment.soak.seconds"] {
            assert!(check_input(&format!("deny if {fine}[0]")).is_ok(), "{fine}");
        }
        assert_eq!((rule.path().as_str(), rule.deny_path().as_str()), ("policy/x.rego", "data.tollgate.team.x.deny"));
        for (text, why) in [
            (RULE.replace("team.x", "image.unpinned"), "already a rule `image/unpinned`"),
            (RULE.replace("team.x", "x"), "tollgate.GROUP.NAME"),
            (RULE.replace("deny contains", "warn contains"), "no `deny`"),
            (RULE.replace("shared.yes", "input.haed.images"), "`input.haed.images`"),
            (RULE.replace("shared.yes", "input.head.imagse"), "`input.head.imagse`"),
            (RULE.replace("team.x", "kyverno.x"), "tollgate.GROUP.NAME"),
            (RULE.replace("# METADATA", "#"), "`# METADATA`"),
            (RULE.replace("if shared.yes", "if {"), "policy/x.rego"),
            (RULE.replace("shared.yes", &"[".repeat(500)), "deep"),
        ] {
            let refused = with(&[("policy/x.rego", &text), ("policy/shared.rego", SHARED)]).err();
            assert!(refused.as_ref().is_some_and(|told| told.contains(why)), "{why}: {refused:?}");
        }
    }
}
