//! `--format json`: frozen structures with a version, never a dump of ours.

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Report;
use crate::finding::{Finding, Identity, Place, Severity};
use crate::span::{Files, Span};
use crate::words;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportJson<'a> {
    schema: &'static str,
    verdict: &'static str,
    base: &'a str,
    head: Option<&'a str>,
    now: String,
    valid_until: Option<String>,
    overlays: Overlays,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
    not_judged: &'a [String],
    findings: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Shard {
    index: u32,
    count: u32,
}

#[derive(Serialize)]
struct Overlays {
    total: usize,
    affected: usize,
    judged: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    rule: &'a str,
    severity: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    notes: &'a [String],
    app: Option<&'a str>,
    environment: Option<&'a str>,
    overlay: Option<&'a str>,
    resource: Option<Resource<'a>>,
    path: Option<&'a str>,
    location: Location,
    related: Vec<Related<'a>>,
    existing: bool,
    waiver: Option<Waiver<'a>>,
    fingerprint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiver<'a> {
    reason: &'a str,
    approved_by: &'a str,
    expires: String,
    location: Location,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Location {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
struct Related<'a> {
    location: Location,
    message: &'a str,
}

pub(crate) fn location(files: &Files, span: Span) -> Location {
    let place = files.location(span);
    Location {
        file: place.path.to_string(),
        line: place.line,
        column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
    }
}

/// What identifies a finding from run to run; it holds no line number, so it survives unrelated edits.
#[must_use]
pub fn fingerprint(finding: &Finding) -> String {
    let Identity { rule, overlay, object, about } = finding.identity();
    let object =
        object.map(|object| format!("{}/{}/{}/{}", object.api_version, object.kind, object.namespace, object.name));
    let text = [rule, overlay.unwrap_or_default(), object.unwrap_or_default(), about].join("\0");
    words::hexadecimal(&Sha256::digest(text.as_bytes())[..16])
}

/// Writes the report as `tollgate.report/1`.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let findings = report.findings.iter().map(|finding| Item {
        rule: &finding.rule,
        severity: if finding.closes() { Severity::Error } else { finding.severity.min(Severity::Warning) }.name(),
        message: &finding.message,
        help: finding.help.as_deref(),
        notes: &finding.notes,
        app: in_place(finding, |place| &place.app),
        environment: in_place(finding, |place| &place.environment),
        overlay: in_place(finding, |place| &place.overlay),
        resource: finding.object.as_ref().map(|object| Resource {
            api_version: &object.api_version,
            kind: &object.kind,
            namespace: &object.namespace,
            name: &object.name,
        }),
        path: finding.path.as_deref(),
        location: location(files, finding.primary.span),
        related: finding
            .related
            .iter()
            .map(|label| Related { location: location(files, label.span), message: &label.text })
            .collect(),
        existing: finding.existing,
        waiver: finding.waived.as_ref().map(|waived| Waiver {
            reason: &waived.reason,
            approved_by: &waived.approved_by,
            expires: words::rfc3339(waived.expires.timestamp()),
            location: location(files, waived.span),
        }),
        fingerprint: fingerprint(finding),
    });
    let time = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let document = ReportJson {
        schema: "tollgate.report/1",
        verdict: report.verdict().name(),
        base: &report.base,
        head: report.head.as_deref(),
        now: time(report.now),
        valid_until: report.valid_until.map(time),
        overlays: Overlays { total: report.overlays, affected: report.affected.len(), judged: report.judged },
        shard: report.shard.map(|(index, count)| Shard { index, count }),
        not_judged: &report.not_judged,
        findings: findings.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn in_place(finding: &Finding, part: impl Fn(&Place) -> &String) -> Option<&str> {
    finding.place.as_ref().map(|place| part(place).as_str())
}
