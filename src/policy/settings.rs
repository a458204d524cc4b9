//! What the configuration says about rules, checked against what the rules know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::catalog::Rule;
use super::metadata::Rank;
use super::team_finding::is_team_rule;
use crate::config::{Config, ConfigError, Environment};
use crate::finding::Severity;
use crate::kustomize::nearest;
use crate::yaml::to_json;

/// Severities and parameters of every rule.
#[derive(Clone, Debug)]
pub struct Settings {
    severities: BTreeMap<String, Vec<(Option<String>, Severity)>>,
    /// Rules whose findings close the gate although the base has them already.
    strict: BTreeSet<String>,
    /// Parameters by rule and name.
    pub parameters: Json,
}

impl Settings {
    /// Whether findings of a rule close the gate although the base has them already.
    #[must_use]
    pub fn is_strict(&self, rule: &str) -> bool {
        self.strict.contains(rule)
    }

    /// What the configuration says of the weight of a rule in an environment, or of all others.
    #[must_use]
    pub fn configured(&self, rule: &str, environment: Option<&str>) -> Option<Severity> {
        let rows = self.severities.get(rule)?;
        let find = |name: Option<&str>| rows.iter().find(|(known, _)| known.as_deref() == name);
        environment.and_then(|name| find(Some(name))).or_else(|| find(None)).map(|(_, severity)| *severity)
    }

    /// The rules of teams that are off everywhere.
    #[must_use]
    pub fn teams_off(&self) -> BTreeSet<String> {
        let is_off = |rows: &[(Option<String>, Severity)]| {
            rows.iter().any(|(environment, _)| environment.is_none()) && rows.iter().all(|(_, it)| *it == Severity::Off)
        };
        let off = self.severities.iter().filter(|(rule, rows)| is_team_rule(rule) && is_off(rows));
        off.map(|(rule, _)| rule.clone()).collect()
    }

    /// How much a rule weighs in an environment; `None` stands for the change as a whole.
    #[must_use]
    pub fn severity(&self, rule: &Rule, config: &Config, environment: Option<&Environment>) -> Severity {
        let named = environment.map(|environment| environment.name.as_str());
        if let Some(severity) = self.configured(rule.id, named) {
            return severity;
        }
        let lowest = config.environments.first().map(|lowest| lowest.name.as_str());
        let rank = match environment {
            Some(environment) if environment.protected => Rank::Protected,
            Some(_) if config.environments.len() > 1 && named == lowest => Rank::Lowest,
            _ => Rank::Ordinary,
        };
        rule.metadata.custom.severity.of(rank)
    }
}

/// Checks the configuration's `rules` and puts the rules' own values behind them.
///
/// # Errors
/// Every unknown rule or parameter, and every parameter of the wrong shape.
pub fn settings(config: &Config, rules: &[Rule]) -> Result<Settings, Vec<ConfigError>> {
    let mut problems = Vec::new();
    let mut severities = BTreeMap::new();
    let mut strict = BTreeSet::new();
    let mut parameters: serde_json::Map<String, Json> =
        rules.iter().map(|rule| (rule.id.to_owned(), Json::Object(rule.metadata.custom.parameters.clone()))).collect();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
    let named = config.waivers.iter().map(|waiver| (&waiver.rule, waiver.span));
    let is_known = |name: &str| ids.contains(&name) || is_team_rule(name);
    for (name, span) in named.filter(|(name, _)| !is_known(name)) {
        let help = nearest(name, &ids)
            .map_or_else(|| "`tollgate rules` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        problems.push(ConfigError { message: format!("there is no rule `{name}`"), span, help: Some(help) });
    }
    for setting in &config.rules {
        let built_in = rules.iter().find(|rule| rule.id == setting.rule);
        if built_in.is_some() || is_team_rule(&setting.rule) {
            severities.insert(setting.rule.clone(), setting.severities.clone());
            if setting.existing == Some(Severity::Error) {
                strict.insert(setting.rule.clone());
            }
        }
        if built_in.is_none() && is_team_rule(&setting.rule) {
            problems.extend(setting.parameters.iter().map(|(name, node)| ConfigError {
                message: format!("`{}` has no setting `{name}`", setting.rule),
                span: node.origin.span,
                help: Some("a rule of your own policies has: severity, existing".to_owned()),
            }));
            continue;
        }
        let Some(rule) = built_in else {
            let help = nearest(&setting.rule, &ids)
                .map_or_else(|| "`tollgate rules` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.push(ConfigError {
                message: format!("there is no rule `{}`", setting.rule),
                span: setting.span,
                help: Some(help),
            });
            continue;
        };
        let known = &rule.metadata.custom.parameters;
        for (name, node) in &setting.parameters {
            let value = to_json(node);
            let span = node.origin.span;
            match known.get(name) {
                None => {
                    let names: Vec<&str> = known.keys().map(String::as_str).chain(["severity", "existing"]).collect();
                    let help = format!("it has: {}", names.join(", "));
                    problems.push(ConfigError {
                        message: format!("`{}` has no setting `{name}`", rule.id),
                        span,
                        help: Some(help),
                    });
                }
                Some(usual) if std::mem::discriminant(usual) != std::mem::discriminant(&value) => {
                    let help = format!("its default is `{usual}`");
                    problems.push(ConfigError {
                        message: format!("`{name}` of `{}` has the wrong type", rule.id),
                        span,
                        help: Some(help),
                    });
                }
                Some(_) => {
                    if let Some(Json::Object(own)) = parameters.get_mut(rule.id) {
                        own.insert(name.clone(), value);
                    }
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(Settings { severities, strict, parameters: Json::Object(parameters) })
    } else {
        Err(problems)
    }
}
