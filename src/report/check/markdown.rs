//! `--format markdown`: for a job's summary and for a comment on a pull request.
//!
//! GitHub takes 65,536 characters for a comment, and 1 MiB for a summary; the smaller one counts. What is cut is said.

use std::io::{self, Write};

use super::detail::Detail;
use super::{Entering, Report, Verdict};
use crate::finding::{Finding, Waived};
use crate::report::diff::objects;
use crate::report::escape::{markdown as escaped, markdown_prose as prose, printable};
use crate::span::Files;
use crate::words::{self, count};

/// How many bytes findings may take, and all before the differences, and all.
const FOR_FINDINGS: usize = 30_000;
const FOR_RECORD: usize = 40_000;
const FOR_ALL: usize = 60_000;

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, detail: &Detail, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let mut text = head(report);
    let findings = report.worst_first();
    let closing = findings.iter().filter(|finding| finding.closes()).count();
    let items: Vec<String> = findings.iter().map(|finding| item(finding, report, files)).collect();
    let (errors, warnings) = items.split_at(closing);
    if !errors.is_empty() {
        text.push_str("\n### What to do\n\n");
        add(&mut text, errors, FOR_FINDINGS, "more finding");
    }
    if !warnings.is_empty() {
        text.push_str(&format!("\n<details><summary>{}</summary>\n\n", count(warnings.len(), "warning")));
        add(&mut text, warnings, FOR_FINDINGS, "more warning");
        text.push_str("\n</details>\n");
    }
    if !report.entering.is_empty() {
        text.push_str("\n### What enters\n\n");
        text.push_str("| app | environment | artifact | live below | soak | approvals | freeze |\n|---|---|---|---|---|---|---|\n");
        let rows: Vec<String> = report.entering.iter().map(row).collect();
        add(&mut text, &rows, FOR_RECORD, "more artifact");
    }
    let diffs: Vec<String> = objects(&detail.differences)
        .iter()
        .map(|object| {
            let diff = object.unified();
            // A fence is longer than any that it encloses.
            let fence =
                "`".repeat(diff.split(|character| character != '`').map(str::len).max().unwrap_or_default().max(2) + 1);
            format!("**{} {}**\n\n{fence}diff\n{diff}{fence}\n\n", escaped(&object.app), escaped(&object.object))
        })
        .collect();
    if !diffs.is_empty() {
        text.push_str(&format!(
            "\n<details><summary>Rendered differences ({})</summary>\n\n",
            count(diffs.len(), "object")
        ));
        add(&mut text, &diffs, FOR_ALL, "more object");
        text.push_str("</details>\n");
    }
    text.push('\n');
    for left_out in &report.not_judged {
        text.push_str(&format!("Not judged: {}  \n", prose(left_out)));
    }
    if let Some(time) = report.valid_until {
        text.push_str(&format!(
            "This verdict is valid until {}, unless the repository changes.\n",
            words::moment(time.timestamp())
        ));
    }
    out.write_all(text.as_bytes())
}

fn head(report: &Report) -> String {
    let title = match report.verdict() {
        Verdict::Pass if report.affected.is_empty() && report.judged == 0 => "nothing is affected",
        Verdict::Pass => "allowed",
        Verdict::Fail => "refused",
        Verdict::Undecided => "could not decide",
    };
    let closing = report.findings.iter().filter(|finding| finding.closes()).count();
    let mut text = format!("## Tollgate: {title}\n\n");
    text.push_str(&format!(
        "{}, {} · {} of {} overlays affected · base {}, head {}\n",
        count(closing, "error"),
        count(report.findings.len() - closing, "warning"),
        report.affected.len(),
        report.overlays,
        words::short_commit(&report.base),
        escaped(&report.head_name)
    ));
    text
}

fn item(finding: &Finding, report: &Report, files: &Files) -> String {
    let place = files.location(finding.primary.span);
    let name = format!("{}:{}", place.path, place.line);
    let link = match &report.forge {
        Some(forge) => format!("[{}]({})", escaped(&name), forge.line(place.path.as_str(), place.line)),
        None => escaped(&name),
    };
    let mut text = format!("- **{}** {link}  \n  {}", escaped(&finding.rule), prose(&finding.message));
    if finding.existing {
        text.push_str(" (the base already has this)");
    }
    for note in finding.notes.iter().cloned().chain(finding.waived.as_ref().map(Waived::in_words)) {
        text.push_str(&format!("  \n  note: {}", prose(&note)));
    }
    if let Some(help) = &finding.help {
        text.push_str(&format!("  \n  **help:** {}", prose(help)));
    }
    text.push('\n');
    text
}

fn row(entering: &Entering) -> String {
    format!("| {} |\n", entering.cells().map(|cell| escaped(&cell)).join(" | "))
}

/// Adds as many as there is room for, and says how many are left out.
fn add(text: &mut String, items: &[String], room: usize, noun: &str) {
    let mut left = items.iter();
    for item in left.by_ref() {
        if text.len() + item.len() > room {
            let rest = left.len() + 1;
            text.push_str(&format!("\n{} left out; the job's log has all of them.\n", printable(&count(rest, noun))));
            return;
        }
        text.push_str(item);
    }
}
