//! What a run says, in one file a format. The same report gives the same bytes.

use chrono::{DateTime, Utc};

use crate::finding::Finding;

pub mod diff;
pub mod github;
pub mod history;
pub mod human;
pub mod json;
pub mod origins;
pub mod promotion;
pub mod status;

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
    /// Overlays whose rendered output changes: app, environment and folder, by app, the highest environment first.
    pub affected: Vec<(String, String, String)>,
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

impl Report {
    /// Whether the gate stays open.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.findings.iter().any(Finding::closes)
    }
}

/// A text from the repository on one line, without control characters, which a terminal or a log would obey.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let is_hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|character| if is_hidden(character) { '\u{fffd}' } else { character }).collect()
}

/// A number of things: `1 error`, `2 errors`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
