//! Folder cases of rules: `testdata/GROUP/NAME/CASE/`.
//!
//! `base/` is the first commit of `main`; `base-2/`, `base-3/` … are later ones, with only the files that change; `head/`
//! is the change, again only what differs. `case.yaml` says why the case exists, when the commits were made and when
//! it is judged. `expected.txt` is the exit code by this rule alone and what a person sees of it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollgate::gate::{NamedText, Request, judge, show_facts};
use tollgate::kustomize::ParsedFiles;
use tollgate::report::check::human;
use tollgate::report::story::Style;
use tollgate::sources::{CiVariables, RepoPath, Scope};

use crate::support::{Repository, files_in, root};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Why the case exists.
    why: String,
    /// When each base commit was made, oldest first.
    base: Vec<String>,
    /// When it is judged.
    now: String,
    /// Author of the change.
    #[serde(default = "ana")]
    author: String,
    /// Files that the change removes.
    #[serde(default)]
    removed: Vec<String>,
    /// Review facts; `HEAD` stands for the head commit's id.
    review: Option<String>,
}

fn ana() -> String {
    "Ana <ana@example.com>".to_owned()
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|_| panic!("{text} is no time")).with_timezone(&Utc)
}

/// Case folders: those that hold a `case.yaml`.
fn cases() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for rule in crate::house::rules() {
        let entries =
            fs::read_dir(root().join("testdata").join(&rule)).unwrap_or_else(|_| panic!("no case for {rule}"));
        found.extend(entries.flatten().map(|entry| entry.path()));
    }
    found.sort();
    found
}

/// What the rule says of the case, and whether base against base is quiet.
fn run(folder: &Path, rule: &str) -> String {
    let text = fs::read_to_string(folder.join("case.yaml")).unwrap();
    let case: Case = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!case.why.is_empty(), "{}: a case says why it exists", folder.display());
    let repository = Repository::new();
    let mut files = files_in(&folder.join("base"));
    let mut tip = None;
    for (at, date) in case.base.iter().enumerate() {
        if at > 0 {
            files.extend(files_in(&folder.join(format!("base-{}", at + 1))));
        }
        let parents: Vec<_> = tip.into_iter().collect();
        tip = Some(repository.commit("main", &files, "Ben <ben@example.com>", time(date).timestamp(), &parents));
    }
    files.extend(files_in(&folder.join("head")));
    for path in &case.removed {
        assert!(files.remove(&RepoPath::new(path).unwrap()).is_some(), "{}: {path} is not there", folder.display());
    }
    let parents: Vec<_> = tip.into_iter().collect();
    let head = repository.commit("change", &files, &case.author, time(&case.now).timestamp() - 60, &parents);
    let review = case.review.map(|review| review.replace("HEAD", &head.to_string()));
    let parsed = ParsedFiles::default();
    let opened = tollgate::sources::Repository::discover(repository.path()).unwrap().unwrap();
    let against = |head: &str| {
        let scope = Scope::Revisions { base: Some("main".to_owned()), head: Some(head.to_owned()) };
        opened.comparison(&scope, &CiVariables::new(&|_| None)).unwrap()
    };
    let (unchanged, changed) = (against("main"), against("change"));
    let now = time(&case.now);
    check_documents(&Request::new(&opened, &changed, now), &parsed, folder);
    let quiet = judge(&Request::new(&opened, &unchanged, now), &parsed).unwrap();
    assert!(quiet.findings.is_empty() && quiet.affected.is_empty(), "{}: base against base", folder.display());
    let review = review.as_deref().map(|text| NamedText { name: "review.json", text });
    let report = judge(&Request { review, ..Request::new(&opened, &changed, now) }, &parsed);
    let mut report = report.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    report.findings.retain(|finding| finding.rule == rule);
    let mut told = Vec::new();
    human::write(&report, &parsed.files, Style::Plain, &mut told).unwrap();
    let told = String::from_utf8(told).unwrap();
    // The summary counts what other rules had to say; only this rule's findings belong to the case.
    let findings = told.split("\nallowed: ").next().unwrap().split("\nrefused: ").next().unwrap();
    let findings = if report.findings.is_empty() { "nothing to say\n" } else { findings };
    format!("exit code {}\n\n{findings}", i32::from(!report.passes()))
}

/// Holds every document that the rules see against its published schema.
fn check_documents(request: &Request<'_>, files: &ParsedFiles, folder: &Path) {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let text = fs::read_to_string(root().join("policies/input.schema.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    });
    let mut documents = 0;
    show_facts(request, files, &mut |input| {
        let document = serde_json::to_value(input).unwrap();
        let errors: Vec<String> =
            SCHEMA.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", folder.display());
        documents += 1;
    })
    .unwrap();
    assert!(documents > 0, "{}: no document was checked", folder.display());
}

#[test]
fn every_case_says_what_it_said_before() {
    let update = std::env::var("UPDATE").is_ok();
    let mut differences = String::new();
    let cases = cases();
    assert!(cases.len() >= crate::house::rules().len());
    for folder in cases {
        let rule = folder.parent().unwrap().strip_prefix(root().join("testdata")).unwrap();
        let said = run(&folder, rule.to_str().unwrap());
        let file = folder.join("expected.txt");
        if update {
            fs::write(&file, &said).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected != said {
            write!(differences, "\n{}:\n--- expected\n{expected}\n--- said\n{said}", folder.display()).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}\n`UPDATE=1 cargo test` writes what is said now");
}
