//! Findings: what the gate says about a change.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::span::Span;
use crate::words;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not reported.
    Off,
    /// Shown; the gate stays open.
    Warning,
    /// Closes the gate.
    Error,
}

impl Severity {
    /// The name that configuration and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Off, Self::Warning, Self::Error].into_iter().find(|severity| severity.name() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A place and what it has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// The object that a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty where it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The overlay that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The application.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub overlay: String,
}

/// One place where the change breaks one rule.
///
/// A finding is a result, never an `Err`: see [`crate::gate::GateError`] for what stops a run.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule's id, such as `image/unpinned`.
    pub rule: String,
    /// How much it weighs here.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The line to edit.
    pub primary: Label,
    /// What explains it, in reading order.
    pub related: Vec<Label>,
    /// What is known besides.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The overlay in which it was found; `None` for a finding about the change as a whole.
    pub place: Option<Place>,
    /// The object, where it is about one.
    pub object: Option<Object>,
    /// The JSON pointer into the object, where it is about a field.
    pub path: Option<String>,
    /// What exactly it is about, where object and path alone would not tell two faults apart.
    pub subject: Option<String>,
    /// Whether the base has the same finding, so that it does not close the gate unless `is_strict`.
    pub existing: bool,
    /// Whether it closes the gate although the base has it.
    pub is_strict: bool,
    /// Who has allowed it for a while, so that it does not close the gate.
    pub waived: Option<Waived>,
    /// Whether the rule could not find out what it asks, so that the gate cannot decide.
    pub undecided: bool,
}

/// What a waiver says of a finding.
#[derive(Clone, Debug)]
pub struct Waived {
    /// Why.
    pub reason: String,
    /// Who has allowed it.
    pub approved_by: String,
    /// When the waiver has expired.
    pub expires: DateTime<Utc>,
    /// Where it is written.
    pub span: Span,
}

impl Waived {
    /// What there is to say of it.
    #[must_use]
    pub fn in_words(&self) -> String {
        let until = words::moment(self.expires.timestamp());
        format!("waived until {until} by {}: {}", self.approved_by, self.reason)
    }
}

/// What identifies a finding from run to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The rule's id.
    pub rule: String,
    /// The overlay's folder.
    pub overlay: Option<String>,
    /// The object.
    pub object: Option<Object>,
    /// The subject, else the path, else the message.
    pub about: String,
}

impl Finding {
    /// What identifies a finding from run to run: rule, overlay, object, and the subject, else the path, else the
    /// message. No line, and no position in a list where the rule names what it is about.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let about = self.subject.as_ref().or(self.path.as_ref()).unwrap_or(&self.message);
        Identity {
            rule: self.rule.clone(),
            overlay: self.place.as_ref().map(|place| place.overlay.clone()),
            object: self.object.clone(),
            about: about.clone(),
        }
    }

    /// Whether it closes the gate.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.severity == Severity::Error && (self.is_strict || !self.existing) && self.waived.is_none()
    }
}
