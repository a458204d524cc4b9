//! `--format junit`: a test suite for each overlay, a failed test for each finding that closes the gate.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Report, Verdict};
use crate::finding::{Finding, Waived};
use crate::span::Files;

/// Writes the report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report, files: &Files, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: BTreeMap<String, Vec<TestCase>> = BTreeMap::new();
    for overlay in &report.affected {
        suites.entry(format!("{} in {}: {}", overlay.app, overlay.environment, overlay.path)).or_default();
    }
    for finding in &report.findings {
        let name = finding.place.as_ref().map_or_else(
            || "the change".to_owned(),
            |place| format!("{} in {}: {}", place.app, place.environment, place.overlay),
        );
        suites.entry(name).or_default().push(case(finding, files));
    }
    // An empty report would say that nothing was asked.
    if suites.is_empty() {
        suites.insert("the change".to_owned(), Vec::new());
    }
    let mut document = Document::new("tollgate");
    document.set_timestamp(report.now);
    for (name, mut cases) in suites {
        let mut suite = TestSuite::new(name);
        if cases.is_empty() {
            let mut judged = TestCase::new("nothing found", TestCaseStatus::success());
            judged.set_classname("tollgate");
            cases.push(judged);
        }
        suite.add_test_cases(cases);
        document.add_test_suite(suite);
    }
    if report.verdict() == Verdict::Undecided {
        let mut suite = TestSuite::new("tollgate");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("could not decide: the gate stays closed");
        suite.add_test_case(TestCase::new("verdict", status));
        document.add_test_suite(suite);
    }
    document.serialize(&mut *out).map_err(io::Error::other)
}

fn case(finding: &Finding, files: &Files) -> TestCase {
    let place = files.location(finding.primary.span);
    let mut text = format!("{}:{}:{}\n{}", place.path, place.line, place.column, finding.message);
    for note in finding.notes.iter().cloned().chain(finding.waived.as_ref().map(Waived::in_words)) {
        text.push_str(&format!("\nnote: {note}"));
    }
    if let Some(help) = &finding.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    let mut status =
        if finding.closes() { TestCaseStatus::non_success(NonSuccessKind::Failure) } else { TestCaseStatus::success() };
    if finding.closes() {
        status.set_message(&*finding.message);
        status.set_type(&*finding.rule);
        status.set_description(&*text);
    }
    let mut case = TestCase::new(format!("{} ({}:{})", finding.rule, place.path, place.line), status);
    case.set_classname(&*finding.rule);
    if !finding.closes() {
        case.set_system_out(format!("warning: {text}"));
    }
    case
}
