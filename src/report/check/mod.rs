//! What the gate says about a change.

use chrono::{DateTime, Utc};

use crate::finding::Finding;

pub mod github;
pub mod human;
pub mod json;

/// Everything that a run says.
#[derive(Clone, Debug)]
pub struct Report {
    /// The base's commit.
    pub base: String,
    /// The head's commit; `None` where the change is not committed.
    pub head: Option<String>,
    /// What the head is called, such as `9be0771` or `the working tree`.
    pub head_name: String,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// The next moment at which the clock alone could change the verdict.
    pub valid_until: Option<DateTime<Utc>>,
    /// How many overlays there are.
    pub overlays: usize,
    /// Overlays whose rendered output changes, by app, the highest environment first.
    pub affected: Vec<AffectedOverlay>,
    /// How many overlays were judged; with `--all` more than are affected.
    pub judged: usize,
    /// How many different images the judged overlays run.
    pub images: usize,
    /// How many rules were asked.
    pub rules: usize,
    /// What was left out, and why.
    pub not_judged: Vec<String>,
    /// Sorted by file, line and rule.
    pub findings: Vec<Finding>,
}

/// What the gate says in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The change may land.
    Pass,
    /// It may not.
    Fail,
    /// The gate cannot tell, so that it stays closed.
    Undecided,
}

impl Verdict {
    /// The word that documents use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undecided => "undecided",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "allowed",
            Self::Fail => "refused",
            Self::Undecided => "could not decide",
        }
    }
}

impl Report {
    /// What the gate says in the end.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let closing = || self.findings.iter().filter(|finding| finding.closes());
        match closing().next() {
            None => Verdict::Pass,
            Some(_) if closing().any(|finding| finding.undecided) => Verdict::Undecided,
            Some(_) => Verdict::Fail,
        }
    }
}

/// An overlay whose rendered output changes.
#[derive(Clone, Debug)]
pub struct AffectedOverlay {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub path: String,
}
