//! `--format gitlab`: a Code Quality report (<https://docs.gitlab.com/ci/testing/code_quality/>).

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::json::fingerprint;
use crate::span::Files;

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    /// No two may be the same: GitLab shows only one of them.
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let issues = report.worst_first().into_iter().map(|finding| {
        let place = files.location(finding.primary.span);
        let own = fingerprint(finding);
        let times = seen.entry(own.clone()).or_default();
        *times += 1;
        let mut description = finding.message.clone();
        if let Some(help) = &finding.help {
            description.push_str(&format!(" ({help})"));
        }
        Issue {
            description,
            check_name: finding.rule.clone(),
            fingerprint: if *times == 1 { own } else { format!("{own}-{times}") },
            severity: match (finding.closes(), finding.existing) {
                (true, _) => "blocker",
                (false, true) => "info",
                (false, false) => "minor",
            },
            location: Place { path: place.path.to_string(), lines: Lines { begin: place.line } },
        }
    });
    serde_json::to_writer(&mut *out, &issues.collect::<Vec<_>>())?;
    writeln!(out)
}
