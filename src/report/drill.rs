//! What a drill found, as a table or as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::printable;
use crate::span::Location;
use crate::words::count;

/// One change that must be refused, and what became of it.
pub struct Attempt {
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub overlay: String,
    /// What the change does.
    pub change: &'static str,
    /// What the gate says.
    pub answer: Answer,
}

/// What the gate says of a change.
pub enum Answer {
    /// A rule refuses it, on a line.
    Refused {
        /// The rule's id.
        rule: String,
        /// The line.
        place: Location,
    },
    /// The gate cannot decide, and so does not let it through.
    Undecided(String),
    /// It would be merged.
    LetThrough(String),
    /// The configuration does not ask for it to be refused.
    NotAsked(String),
    /// The change cannot be made here.
    Impossible(String),
}

/// Whether anything was let through.
#[must_use]
pub fn is_open(attempts: &[Attempt]) -> bool {
    attempts.iter().any(|attempt| matches!(attempt.answer, Answer::LetThrough(_)))
}

fn told(answer: &Answer) -> (&'static str, String) {
    match answer {
        Answer::Refused { rule, place } => ("refused", format!("{rule} at {}:{}", place.path, place.line)),
        Answer::Undecided(why) => ("refused", format!("the gate cannot decide: {why}")),
        Answer::LetThrough(why) => ("LET THROUGH", format!("because {why}")),
        Answer::NotAsked(why) => ("not asked", why.clone()),
        Answer::Impossible(why) => ("not tried", why.clone()),
    }
}

/// Writes a table for each overlay, and a summary.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(attempts: &[Attempt], out: &mut dyn Write) -> io::Result<()> {
    let width = attempts.iter().map(|attempt| attempt.change.len()).max().unwrap_or_default();
    let mut overlay = None;
    for attempt in attempts {
        if overlay != Some(&attempt.overlay) {
            let gap = if overlay.is_some() { "\n" } else { "" };
            writeln!(out, "{gap}{} in {}", printable(&attempt.overlay), printable(&attempt.environment))?;
            overlay = Some(&attempt.overlay);
        }
        let (word, why) = told(&attempt.answer);
        writeln!(out, "  {:width$}  {word:11}  {}", attempt.change, printable(&why))?;
    }
    let open = attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::LetThrough(_))).count();
    let refused = attempts.iter().filter(|attempt| told(&attempt.answer).0 == "refused").count();
    writeln!(out, "\n{} tried: {refused} refused, {open} let through", count(refused + open, "change"))
}

#[derive(Serialize)]
struct DrillJson<'a> {
    schema: &'static str,
    attempts: Vec<AttemptJson<'a>>,
}

#[derive(Serialize)]
struct AttemptJson<'a> {
    environment: &'a str,
    overlay: &'a str,
    change: &'a str,
    answer: &'static str,
    why: String,
}

/// Writes the attempts as `tollgate.drill/1`.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(attempts: &[Attempt], out: &mut dyn Write) -> io::Result<()> {
    let attempt = |attempt: &'_ Attempt| {
        let answer = match attempt.answer {
            Answer::Refused { .. } => "refused",
            Answer::Undecided(_) => "undecided",
            Answer::LetThrough(_) => "letThrough",
            Answer::NotAsked(_) => "notAsked",
            Answer::Impossible(_) => "impossible",
        };
        (answer, told(&attempt.answer).1)
    };
    let attempts = attempts.iter().map(|one| {
        let (answer, why) = attempt(one);
        AttemptJson { environment: &one.environment, overlay: &one.overlay, change: one.change, answer, why }
    });
    let document = DrillJson { schema: "tollgate.drill/1", attempts: attempts.collect() };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
