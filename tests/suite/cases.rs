//! Cases of rules, one file each: `testdata/GROUP/NAME/CASE.txt`.
//!
//! A case begins with YAML (see [`Case`]), then come sections, each a line `//- NAME` and its content. `base/PATH` is a file of
//! the first commit of `main`, `base-2/PATH`, `base-3/PATH` … of later ones, with only the files that change; `head/PATH` is one
//! of the change, again only what differs, and `passed/PATH` one that a commit of the change has before its last one. The first commit also has the files of `testdata/shared`, as far as the case does
//! not have them itself. `expected` is the exit code by this rule alone and what a person sees of it.

use std::collections::BTreeMap;
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

use crate::support::{self, Files, Repository, root};

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
    /// Which files of `testdata/shared` it begins with.
    #[serde(default = "api")]
    shared: Vec<String>,
    /// Files of these that it does not have.
    #[serde(default)]
    without: Vec<String>,
}

fn api() -> Vec<String> {
    vec!["api".to_owned()]
}

fn ana() -> String {
    "Ana <ana@example.com>".to_owned()
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|_| panic!("{text} is no time")).with_timezone(&Utc)
}

/// The files of all cases, with their rules.
fn cases() -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for rule in crate::house::rules() {
        let entries =
            fs::read_dir(root().join("testdata").join(&rule)).unwrap_or_else(|_| panic!("no case for {rule}"));
        found.extend(entries.flatten().map(|entry| (rule.clone(), entry.path())));
    }
    found.sort();
    found
}

/// The sections whose names begin with a folder, as files in it.
fn files_below(sections: &BTreeMap<String, String>, folder: &str) -> Files {
    let prefix = format!("{folder}/");
    let below = sections.iter().filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?, text)));
    below.map(|(path, text)| (RepoPath::new(path).unwrap(), text.clone())).collect()
}

/// The files of the first commit.
fn first_files(case: &Case, sections: &BTreeMap<String, String>) -> Files {
    let mut files = Files::new();
    for shared in &case.shared {
        let text = fs::read_to_string(root().join(format!("testdata/shared/{shared}.txt"))).unwrap();
        let (_, shared) = support::sections(&text);
        files.extend(shared.into_iter().map(|(path, text)| (RepoPath::new(&path).unwrap(), text)));
    }
    for path in &case.without {
        assert!(files.remove(&RepoPath::new(path).unwrap()).is_some(), "{path} is not shared");
    }
    files.extend(files_below(sections, "base"));
    files
}

/// What the rule says of the case, and whether base against base is quiet.
fn run(path: &Path, text: &str, rule: &str) -> String {
    let place = path.display();
    let (header, sections) = support::sections(text);
    let case: Case = serde_yaml::from_str(&header).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(!case.why.is_empty(), "{place}: a case says why it exists");
    for name in sections.keys() {
        let folder = name.split('/').next().unwrap_or_default();
        let number = folder.strip_prefix("base-").and_then(|number| number.parse().ok());
        let is_known = matches!(folder, "base" | "passed" | "head" | "expected")
            || number.is_some_and(|number: usize| (2..=case.base.len()).contains(&number));
        assert!(is_known, "{place}: no commit has the section `{name}`");
    }
    let repository = Repository::new();
    let mut files = first_files(&case, &sections);
    let mut tip = None;
    for (at, date) in case.base.iter().enumerate() {
        if at > 0 {
            files.extend(files_below(&sections, &format!("base-{}", at + 1)));
        }
        let parents: Vec<_> = tip.into_iter().collect();
        tip = Some(repository.commit("main", &files, "Ben <ben@example.com>", time(date).timestamp(), &parents));
    }
    let passed = files_below(&sections, "passed");
    if !passed.is_empty() {
        let parents: Vec<_> = tip.into_iter().collect();
        let files = files.clone().into_iter().chain(passed).collect();
        tip = Some(repository.commit("change", &files, &case.author, time(&case.now).timestamp() - 120, &parents));
    }
    files.extend(files_below(&sections, "head"));
    for path in &case.removed {
        assert!(files.remove(&RepoPath::new(path).unwrap()).is_some(), "{place}: {path} is not there");
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
    check_documents(&Request::new(&opened, &changed, now), &parsed, path);
    let quiet = judge(&Request::new(&opened, &unchanged, now), &parsed).unwrap();
    assert!(quiet.findings.is_empty() && quiet.affected.is_empty(), "{place}: base against base");
    let review = review.as_deref().map(|text| NamedText { name: "review.json", text });
    let report = judge(&Request { review, ..Request::new(&opened, &changed, now) }, &parsed);
    let mut report = report.unwrap_or_else(|error| panic!("{place}: {error}"));
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
fn check_documents(request: &Request<'_>, files: &ParsedFiles, path: &Path) {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let text = fs::read_to_string(root().join("policies/input.schema.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    });
    let place = path.display();
    let mut documents = 0;
    show_facts(request, files, &mut |input| {
        let document = serde_json::to_value(input).unwrap();
        let errors: Vec<String> =
            SCHEMA.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{place}: {errors:?}");
        documents += 1;
    })
    .unwrap();
    assert!(documents > 0, "{place}: no document was checked");
}

#[test]
fn every_case_says_what_it_said_before() {
    let update = std::env::var("UPDATE").is_ok();
    let mut differences = String::new();
    let cases = cases();
    assert!(cases.len() >= crate::house::rules().len());
    for (rule, path) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let said = run(&path, &text, &rule);
        let mark = "//- expected\n";
        let (case, expected) =
            text.split_once(mark).unwrap_or_else(|| panic!("{}: nothing is expected", path.display()));
        if update {
            fs::write(&path, format!("{case}{mark}{said}")).unwrap();
        } else if expected != said {
            write!(differences, "\n{}:\n--- expected\n{expected}\n--- said\n{said}", path.display()).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}\n`UPDATE=1 cargo test` writes what is said now");
}
