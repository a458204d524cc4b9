//! `--format human`: each finding as a story that ends in what to do.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{AffectedOverlay, Report};
use crate::finding::{Finding, Severity, Waived};
use crate::report::escape::printable;
use crate::report::story::{Story, Style, Teller};
use crate::span::Files;
use crate::words::count;

/// How many findings are told with their lines.
const MOST_TOLD: usize = 1_000;

/// Writes the whole report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut teller = Teller::new(files, style);
    for finding in report.findings.iter().take(MOST_TOLD) {
        teller.tell(&story_of(finding), out)?;
    }
    if report.findings.len() > MOST_TOLD {
        let more = count(report.findings.len() - MOST_TOLD, "more finding");
        writeln!(out, "{more}; `--format json` has all of them\n")?;
    }
    summary(report, out)
}

fn story_of(finding: &Finding) -> Story<'_> {
    let mut notes = finding.notes.clone();
    if finding.existing && !finding.is_strict {
        notes.push("the base already has this, so it does not close the gate".to_owned());
    }
    if finding.existing && finding.is_strict {
        notes.push("the base already has this; the configuration says that it closes the gate nevertheless".to_owned());
    }
    notes.extend(finding.waived.as_ref().map(Waived::in_words));
    Story {
        is_error: finding.closes(),
        code: Some(finding.rule.clone()),
        message: &finding.message,
        primary: Some(finding.primary.clone()),
        related: &finding.related,
        notes,
        help: finding.help.as_deref(),
    }
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let errors = report.findings.iter().filter(|finding| finding.closes()).count();
    let open = || report.findings.iter().filter(|it| it.severity == Severity::Error && !it.closes());
    let waived = open().filter(|finding| finding.waived.is_some()).count();
    let existing = open().count() - waived;
    let warnings = report.findings.len() - errors - existing - waived;
    let verdict = report.verdict().words();
    let mut text = format!("{verdict}: {}, {}", count(errors, "error"), count(warnings, "warning"));
    if existing > 0 {
        text.push_str(&format!(", {existing} already in the base"));
    }
    if waived > 0 {
        text.push_str(&format!(", {waived} waived"));
    }
    text.push_str(&format!(" · {} of {} overlays affected", report.affected.len(), report.overlays));
    if !report.affected.is_empty() {
        text.push_str(&format!(" ({})", described(&report.affected)));
    }
    if report.judged > report.affected.len() {
        text.push_str(&format!(" · {} judged", report.judged));
    }
    text.push_str(&format!(" · {} · {}", count(report.images, "image"), count(report.rules, "rule")));
    let short = report.base.get(..7).unwrap_or(&report.base);
    text.push_str(&format!(" · base {short}, head {}", report.head_name));
    writeln!(out, "{text}")?;
    for left_out in &report.not_judged {
        writeln!(out, "not judged: {}", printable(left_out))?;
    }
    if let Some(time) = report.valid_until {
        writeln!(
            out,
            "this verdict is valid until {}, unless the repository changes",
            time.format("%Y-%m-%d %H:%M UTC")
        )?;
    }
    Ok(())
}

/// Affected overlays, app by app: `api: production, staging; web: dev`; only the first few of many.
fn described(affected: &[AffectedOverlay]) -> String {
    let mut apps: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for AffectedOverlay { app, environment, .. } in affected {
        let environments = apps.entry(app).or_default();
        if !environments.contains(&environment.as_str()) {
            environments.push(environment);
        }
    }
    let shown: Vec<String> =
        apps.iter().take(4).map(|(app, environments)| format!("{app}: {}", environments.join(", "))).collect();
    let mut text = printable(&shown.join("; "));
    if apps.len() > shown.len() {
        text.push_str(&format!("; and {}", count(apps.len() - shown.len(), "more app")));
    }
    text
}
