//! `--format github`: annotations, as GitHub Actions reads workflow commands from a step's output.
//!
//! A step may show ten errors and ten warnings
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>); what is past that is counted
//! in the last one, so that nothing is lost silently.

use std::io::{self, Write};

use chrono::SecondsFormat;

use super::Report;
use crate::finding::{Finding, Waived};
use crate::report::escape::{workflow_data, workflow_property};
use crate::span::Files;
use crate::words::count;

/// How many annotations of one level GitHub shows for a step.
const MOST: usize = 10;

/// The title of the notice that says until when the verdict holds. `tollgate recheck` finds it on the check.
pub const VALID_UNTIL: &str = "tollgate holds until";

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
    if let Some(time) = report.valid_until {
        let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        writeln!(out, "::notice title={VALID_UNTIL}::{time} (unless the repository changes)")?;
    }
    let verdict = report.verdict().words();
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
    let mut message = workflow_data(&finding.message);
    for note in finding.notes.iter().cloned().chain(finding.waived.as_ref().map(Waived::in_words)) {
        message.push_str(&format!("%0Anote: {}", workflow_data(&note)));
    }
    if let Some(help) = &finding.help {
        message.push_str(&format!("%0Ahelp: {}", workflow_data(help)));
    }
    let mut title = format!("tollgate {}", finding.rule);
    if finding.existing {
        title.push_str(" (already in the base)");
    }
    writeln!(
        out,
        "::{level} file={},line={},endLine={},col={},title={}::{}",
        workflow_property(&place.path.to_string()),
        place.line,
        place.end_line,
        place.column,
        workflow_property(&title),
        message
    )
}
