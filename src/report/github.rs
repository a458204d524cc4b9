//! `--format github`: annotations, as GitHub Actions reads workflow commands from a step's output.
//!
//! A step may show ten errors and ten warnings
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>); what is past that is counted
//! in the last one, so that nothing is lost silently.

use std::io::{self, Write};

use super::{Report, count, printable};
use crate::finding::Finding;
use crate::span::Files;

/// How many annotations of one level GitHub shows for a step.
const MOST: usize = 10;

/// Writes one workflow command for each finding, within the forge's limits, and one line for the job's log.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    for level in ["error", "warning"] {
        let of_level: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.closes() == (level == "error")).collect();
        let shown = if of_level.len() > MOST { MOST - 1 } else { of_level.len() };
        for finding in &of_level[..shown] {
            annotation(finding, level, files, out)?;
        }
        if shown < of_level.len() {
            let rest = count(of_level.len() - shown, &format!("more {level}"));
            writeln!(out, "::{level} title=tollgate::{rest}; the job's log has them all")?;
        }
    }
    let verdict = if report.passes() { "allowed" } else { "refused" };
    let closing = report.findings.iter().filter(|finding| finding.closes()).count();
    writeln!(
        out,
        "tollgate: {verdict}, {}, {} of {} overlays affected",
        count(closing, "error"),
        report.affected.len(),
        report.overlays
    )
}

fn annotation(finding: &Finding, level: &str, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let place = files.location(finding.primary.span);
    let mut message = data(&finding.message);
    for note in &finding.notes {
        message.push_str(&format!("%0Anote: {}", data(note)));
    }
    if let Some(help) = &finding.help {
        message.push_str(&format!("%0Ahelp: {}", data(help)));
    }
    let mut title = format!("tollgate {}", finding.rule);
    if finding.existing {
        title.push_str(" (already in the base)");
    }
    writeln!(
        out,
        "::{level} file={},line={},endLine={},col={},title={}::{}",
        property(&place.path.to_string()),
        place.line,
        place.end_line,
        place.column,
        property(&title),
        message
    )
}

/// Escapes a message: a percent sign would garble the command, and a line break, which is not printable, end it.
fn data(text: &str) -> String {
    printable(text).replace('%', "%25")
}

/// Escapes a property, in which colons and commas separate.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_the_repository_cannot_write_commands() {
        assert_eq!(data("a%\n::error::b\u{1b}[31m"), "a%25\u{fffd}::error::b\u{fffd}[31m");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
