//! `--format sarif`: SARIF 2.1.0, for code scanning.
//!
//! GitHub shows a result at its first location, tells results apart by `primaryLocationLineHash`, takes no empty texts, and no more
//! than 25,000 results (<https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning>).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, MultiformatMessageString, PhysicalLocation, PropertyBag, Region,
    ReportingConfiguration, ReportingDescriptor, Result as Found, ResultLevel, Run, Sarif, Suppression, Tool,
    ToolComponent,
};

use super::Report;
use super::json::fingerprint;
use crate::finding::{Finding, Label, Severity};
use crate::policy::{self, Rule};
use crate::span::{Files, Span};
use crate::words::count;

/// How many results GitHub takes.
const MOST: usize = 25_000;

/// What does not stand for itself in the path of a URI (RFC 3986).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let rules = policy::catalog().map_err(io::Error::other)?;
    let findings = report.worst_first();
    let of_team =
        findings.iter().map(|finding| finding.rule.as_str()).filter(|id| rules.iter().all(|rule| rule.id != *id));
    let of_team: BTreeSet<&str> = of_team.collect();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id).chain(of_team.iter().copied()).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut results: Vec<Found> = Vec::new();
    for finding in findings.iter().take(MOST) {
        let own = fingerprint(finding);
        // Two faults of one line and subject are two results.
        let times = seen.entry(own.clone()).or_default();
        *times += 1;
        results.push(result(finding, &format!("{own}:{times}"), &ids, files));
    }
    let driver = ToolComponent::builder()
        .name("tollgate")
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .rules(rules.iter().map(descriptor).chain(of_team.into_iter().map(team_descriptor)).collect::<Vec<_>>())
        .build();
    let mut properties: BTreeMap<String, serde_json::Value> = BTreeMap::from([
        ("verdict".to_owned(), json!(report.verdict().name())),
        ("base".to_owned(), json!(report.base)),
        ("notJudged".to_owned(), json!(report.not_judged)),
    ]);
    if findings.len() > MOST {
        let rest = format!("{} are left out", count(findings.len() - MOST, "more finding"));
        properties.insert("leftOut".to_owned(), json!(rest));
    }
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .column_kind(json!("unicodeCodePoints"))
        .results(results)
        .properties(PropertyBag::builder().additional_properties(properties).build())
        .build();
    let document = Sarif::builder()
        .schema("https://json.schemastore.org/sarif-2.1.0.json")
        .version(json!("2.1.0"))
        .runs(vec![run])
        .build();
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

fn descriptor(rule: &Rule) -> ReportingDescriptor {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let metadata = &rule.metadata;
    let level = if metadata.custom.severity.gravest() == Severity::Error { "error" } else { "warning" };
    ReportingDescriptor::builder()
        .id(rule.id)
        .name(rule.id)
        .short_description(text(&metadata.title))
        .full_description(text(&metadata.description))
        .help(text(&format!("{}\n\n{}", metadata.description, metadata.custom.help)))
        .default_configuration(ReportingConfiguration::builder().level(json!(level)).build())
        .build()
}

/// A rule of the repository itself, of which nothing is known but its name.
fn team_descriptor(id: &str) -> ReportingDescriptor {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let help = "This rule is a policy of the repository itself; the finding names its file and line.";
    ReportingDescriptor::builder()
        .id(id)
        .name(id)
        .short_description(text("Policy of the repository"))
        .full_description(text(help))
        .help(text(help))
        .build()
}

fn result(finding: &Finding, fingerprint: &str, ids: &[&str], files: &Files) -> Found {
    let mut text = finding.message.clone();
    for note in &finding.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    if let Some(help) = &finding.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    let level = if finding.closes() { ResultLevel::Error } else { ResultLevel::Warning };
    let index = ids.iter().position(|id| *id == finding.rule);
    // -1: none of the rules.
    let index = index.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1);
    let mut properties = BTreeMap::from([("existing".to_owned(), json!(finding.existing))]);
    if let Some(place) = &finding.place {
        properties.insert("app".to_owned(), json!(place.app));
        properties.insert("environment".to_owned(), json!(place.environment));
        properties.insert("overlay".to_owned(), json!(place.overlay));
    }
    let related = finding.related.iter().enumerate().map(|(at, label)| related(at, label, files));
    let suppressions = finding
        .waived
        .iter()
        .map(|waived| Suppression::builder().kind(json!("external")).justification(waived.in_words()).build());
    Found::builder()
        .suppressions(suppressions.collect::<Vec<_>>())
        .rule_id(finding.rule.as_str())
        .rule_index(index)
        .level(level)
        .message(Message::builder().text(text).build())
        .locations(vec![Location::builder().physical_location(physical(finding.primary.span, files)).build()])
        .related_locations(related.collect::<Vec<_>>())
        .partial_fingerprints(BTreeMap::from([
            ("primaryLocationLineHash".to_owned(), fingerprint.to_owned()),
            ("tollgate/v1".to_owned(), fingerprint.to_owned()),
        ]))
        .baseline_state(json!(if finding.existing { "unchanged" } else { "new" }))
        .properties(PropertyBag::builder().additional_properties(properties).build())
        .build()
}

fn related(at: usize, label: &Label, files: &Files) -> Location {
    let text = if label.text.is_empty() { "see also" } else { &label.text };
    Location::builder()
        .id(i64::try_from(at).unwrap_or(i64::MAX))
        .physical_location(physical(label.span, files))
        .message(Message::builder().text(text).build())
        .build()
}

fn physical(span: Span, files: &Files) -> PhysicalLocation {
    let place = files.location(span);
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let region = Region::builder()
        .start_line(number(place.line))
        .start_column(number(place.column))
        .end_line(number(place.end_line))
        .end_column(number(place.end_column))
        .build();
    let uri = utf8_percent_encode(place.path.as_str(), PATH).to_string();
    PhysicalLocation::builder().artifact_location(ArtifactLocation::builder().uri(uri).build()).region(region).build()
}
