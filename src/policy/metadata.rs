//! The `# METADATA` comment of a rule: everything that is said about it elsewhere comes from there.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::facts::Need;
use crate::finding::Severity;

/// What a rule says about itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// A short name of the fault.
    pub title: String,
    /// What it finds, and why that matters.
    pub description: String,
    /// What OPA leaves to its users.
    pub custom: Custom,
}

/// The part of the metadata that is ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// How much it weighs where nothing is configured.
    pub severity: Severities,
    /// What to do about a finding.
    pub help: String,
    /// Facts that it cannot do without.
    #[serde(default)]
    pub needs: BTreeSet<Need>,
    /// What it is asked about.
    #[serde(default = "overlay_only")]
    pub scope: Vec<Scope>,
    /// Its parameters and their usual values.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
}

/// What a rule is asked about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One overlay at a time.
    Overlay,
    /// The change as a whole.
    Change,
}

fn overlay_only() -> Vec<Scope> {
    vec![Scope::Overlay]
}

/// Severities by what kind of environment it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Severities {
    default: Severity,
    protected: Option<Severity>,
    lowest: Option<Severity>,
}

impl Severities {
    /// The severity in an environment; for the change as a whole that of an environment that is neither protected nor the
    /// lowest.
    #[must_use]
    pub fn of(&self, rank: Rank) -> Severity {
        let special = match rank {
            Rank::Protected => self.protected,
            Rank::Lowest => self.lowest,
            Rank::Ordinary => None,
        };
        special.unwrap_or(self.default)
    }

    /// The highest of them.
    #[must_use]
    pub fn gravest(&self) -> Severity {
        [Some(self.default), self.protected, self.lowest].into_iter().flatten().max().unwrap_or(self.default)
    }

    /// Tells the severities in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = self.default.to_string();
        for (kind, severity) in [("protected environments", self.protected), ("the lowest environment", self.lowest)] {
            if let Some(severity) = severity {
                text.push_str(&format!("; {severity} in {kind}"));
            }
        }
        text
    }
}

/// What an environment is among the others, as far as severities depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It is protected.
    Protected,
    /// It is the lowest of several.
    Lowest,
    /// Neither.
    Ordinary,
}

impl Metadata {
    /// Reads the comment that begins a rule's file.
    ///
    /// # Errors
    /// When there is none, or it is not of this form.
    pub fn read(policy: &str) -> Result<Self, String> {
        let mut lines = policy.lines().skip_while(|line| *line != "# METADATA").skip(1).peekable();
        if lines.peek().is_none() {
            return Err("there is no `# METADATA` comment".to_owned());
        }
        let mut text = String::new();
        for line in lines.map_while(|line| line.strip_prefix('#')) {
            text.push_str(line.strip_prefix(' ').unwrap_or(line));
            text.push('\n');
        }
        serde_yaml::from_str(&text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_strict() {
        let text = "# METADATA\n# title: T\n# description: D\n# custom:\n#   severity: {default: error, lowest: \"off\"}\n#   help: H\npackage x\n";
        let metadata = Metadata::read(text).unwrap();
        assert_eq!(metadata.custom.severity.of(Rank::Lowest), Severity::Off);
        assert_eq!(metadata.custom.severity.of(Rank::Ordinary), Severity::Error);
        for misspelt in ["default: erorr", "lowest: of"] {
            let key = misspelt.split(':').next().unwrap();
            let text = text.replace(if key == "default" { "default: error" } else { "lowest: \"off\"" }, misspelt);
            assert!(Metadata::read(&text).is_err(), "{misspelt}");
        }
        // A misspelt need would leave the rule without its facts, and silent.
        let needy = |need: &str| text.replace("#   help: H", &format!("#   needs: [{need}]\n#   help: H"));
        assert!(Metadata::read(&needy("history")).is_ok());
        assert!(Metadata::read(&needy("histroy")).is_err());
        assert_eq!(metadata.custom.scope, [Scope::Overlay]);
        assert!(Metadata::read(&text.replace("help", "hlep")).is_err());
        assert!(Metadata::read("package x\n").is_err());
    }
}
