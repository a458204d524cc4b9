//! The `# METADATA` comment of a rule: everything that is said about it elsewhere comes from there.

use serde::Deserialize;

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
    pub needs: Vec<String>,
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
    default: String,
    protected: Option<String>,
    lowest: Option<String>,
}

impl Severities {
    /// The severity in an environment that is protected or the lowest one, or neither.
    #[must_use]
    pub fn of(&self, is_protected: bool, is_lowest: bool) -> Severity {
        let name = match (&self.protected, &self.lowest) {
            (Some(name), _) if is_protected => name,
            (_, Some(name)) if is_lowest => name,
            _ => &self.default,
        };
        Severity::parse(name).unwrap_or(Severity::Error)
    }

    /// Tells the severities in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = self.default.clone();
        for (kind, name) in [("protected environments", &self.protected), ("the lowest environment", &self.lowest)] {
            if let Some(name) = name {
                text.push_str(&format!("; {name} in {kind}"));
            }
        }
        text
    }
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
        assert_eq!(metadata.custom.severity.of(false, true), Severity::Off);
        assert_eq!(metadata.custom.severity.of(false, false), Severity::Error);
        assert_eq!(metadata.custom.scope, [Scope::Overlay]);
        assert!(Metadata::read(&text.replace("help", "hlep")).is_err());
        assert!(Metadata::read("package x\n").is_err());
    }
}
