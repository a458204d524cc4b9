//! Cases of rules, one file each: `testdata/GROUP/NAME/CASE.txt`.
//!
//! A case begins with YAML (see [`Case`]), then come sections, each a line `//- NAME` and its content. `base/PATH` is a file of
//! the first commit of `main`, `base-2/PATH`, `base-3/PATH` … of later ones, with only the files that change; `head/PATH` is one
//! of the change, again only what differs, and `passed/PATH` one that a commit of the change has before its last one. The first commit also has the files of `testdata/shared`, as far as the case does
//! not have them itself. `expected` is the exit code by this rule alone and what a person sees of it.
//!
//! A case with `helped` also follows the help: the files of `landed/PATH` land on `main`, the change gets those of `helped/PATH`,
//! and the rule must have nothing to say any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollgate::facts::scans::Scans;
use tollgate::gate::{NamedText, Request, judge, show_facts};
use tollgate::kustomize::ParsedFiles;
use tollgate::report::check::human;
use tollgate::report::story::Style;
use tollgate::sources::{CiVariables, CommitId, RepoPath, Scope};

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
    /// Scan reports by file name.
    #[serde(default)]
    scans: BTreeMap<String, String>,
    /// Which files of `testdata/shared` it begins with.
    #[serde(default = "api")]
    shared: Vec<String>,
    /// Files of these that it does not have.
    #[serde(default)]
    without: Vec<String>,
    /// What somebody does who follows the help: then the rule has nothing to say.
    helped: Option<Helped>,
}

/// What the help asks for besides the files of `landed/PATH`, which land first, and of `helped/PATH`, in the change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Helped {
    /// When it is judged then.
    now: Option<String>,
    /// Review facts; `HEAD` stands for the head commit's id.
    review: Option<String>,
    /// Scan reports by file name.
    #[serde(default)]
    scans: BTreeMap<String, String>,
    /// Author of the change.
    author: Option<String>,
    /// Files that the change removes no more.
    #[serde(default)]
    restored: Vec<String>,
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

fn scans(files: &BTreeMap<String, String>) -> Scans {
    let mut scans = Scans::default();
    for (name, text) in files {
        scans.add(name, text).unwrap();
    }
    scans
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
        let is_known = matches!(folder, "base" | "passed" | "head" | "landed" | "helped" | "expected")
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
    let (main_files, main) = (files.clone(), tip);
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
    let review = case.review.as_ref().map(|review| review.replace("HEAD", &head.to_string()));
    let parsed = ParsedFiles::default();
    let opened = tollgate::sources::Repository::discover(repository.path()).unwrap().unwrap();
    let against = |head: &str| {
        let scope = Scope::Revisions { base: Some("main".to_owned()), head: Some(head.to_owned()) };
        opened.comparison(&scope, &CiVariables::new(&|_| None)).unwrap()
    };
    let (unchanged, changed) = (against("main"), against("change"));
    let now = time(&case.now);
    let scans = scans(&case.scans);
    check_documents(&Request { scans: Some(&scans), ..Request::new(&opened, &changed, now) }, &parsed, path);
    let quiet = judge(&Request::new(&opened, &unchanged, now), &parsed).unwrap();
    assert!(quiet.findings.is_empty() && quiet.affected.is_empty(), "{place}: base against base");
    let review = review.as_deref().map(|text| NamedText { name: "review.json", text });
    let report = judge(&Request { review, scans: Some(&scans), ..Request::new(&opened, &changed, now) }, &parsed);
    let mut report = report.unwrap_or_else(|error| panic!("{place}: {error}"));
    report.findings.retain(|finding| finding.rule == rule);
    let mut told = Vec::new();
    human::write(&report, &parsed.files, Style::Plain, &mut told).unwrap();
    let told = String::from_utf8(told).unwrap();
    // The summary counts what other rules had to say; only this rule's findings belong to the case.
    let verdicts = ["\nallowed: ", "\nrefused: ", "\ncould not decide: "];
    let findings = verdicts.iter().fold(told.as_str(), |told, verdict| told.split(verdict).next().unwrap());
    let findings = if report.findings.is_empty() { "nothing to say\n" } else { findings };
    if let Some(helped) = &case.helped {
        assert!(!report.findings.is_empty(), "{place}: there is no help to follow");
        let followed = Followed { case: &case, helped, sections: &sections, repository: &repository };
        followed.check(main_files, main, rule, &place.to_string());
    }
    format!("exit code {}\n\n{findings}", report.verdict() as i32)
}

/// A case whose help is followed.
struct Followed<'a> {
    case: &'a Case,
    helped: &'a Helped,
    sections: &'a BTreeMap<String, String>,
    repository: &'a Repository,
}

impl Followed<'_> {
    /// Does what the help asks for, from `main` with `files` on; then the rule must be quiet.
    fn check(&self, mut files: Files, main: Option<CommitId>, rule: &str, place: &str) {
        let Self { case, helped, sections, repository } = self;
        let told = time(&case.now);
        let now = helped.now.as_deref().map_or(told, time);
        let landed = files_below(sections, "landed");
        let mut tip: Vec<_> = main.into_iter().collect();
        if !landed.is_empty() {
            files.extend(landed);
            let landed_at = (told.timestamp() + 60).min(now.timestamp() - 120);
            tip = vec![repository.commit("main", &files, "Ben <ben@example.com>", landed_at, &tip)];
        }
        files.extend(files_below(sections, "head"));
        for path in case.removed.iter().filter(|path| !helped.restored.contains(path)) {
            files.remove(&RepoPath::new(path).unwrap());
        }
        files.extend(files_below(sections, "helped"));
        let author = helped.author.as_ref().unwrap_or(&case.author);
        let head = repository.commit("followed", &files, author, now.timestamp() - 60, &tip);
        let opened = tollgate::sources::Repository::discover(repository.path()).unwrap().unwrap();
        let scope = Scope::Revisions { base: Some("main".to_owned()), head: Some("followed".to_owned()) };
        let change = opened.comparison(&scope, &CiVariables::new(&|_| None)).unwrap();
        let review = helped.review.as_ref().map(|review| review.replace("HEAD", &head.to_string()));
        let review = review.as_deref().map(|text| NamedText { name: "review.json", text });
        let parsed = ParsedFiles::default();
        let scans = scans(&helped.scans);
        let request = Request { review, scans: Some(&scans), ..Request::new(&opened, &change, now) };
        let report = judge(&request, &parsed).unwrap();
        let left: Vec<&String> =
            report.findings.iter().filter(|finding| finding.rule == rule).map(|finding| &finding.message).collect();
        assert!(left.is_empty(), "{place}: the help is followed, and {left:?} is left");
    }
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
    let (mut differences, mut helped) = (String::new(), Vec::new());
    let cases = cases();
    assert!(cases.len() >= crate::house::rules().len());
    for (rule, path) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let said = run(&path, &text, &rule);
        let mark = "//- expected\n";
        let (case, expected) =
            text.split_once(mark).unwrap_or_else(|| panic!("{}: nothing is expected", path.display()));
        if case.contains("\nhelped:") {
            helped.push(rule.clone());
        }
        if update {
            fs::write(&path, format!("{case}{mark}{said}")).unwrap();
        } else if expected != said {
            write!(differences, "\n{}:\n--- expected\n{expected}\n--- said\n{said}", path.display()).unwrap();
        }
    }
    let helped: BTreeSet<String> = helped.into_iter().collect();
    let rules: BTreeSet<String> = crate::house::rules().into_iter().collect();
    assert_eq!(helped, rules, "a case of every rule says what its help leads to");
    assert!(differences.is_empty(), "{differences}\n`UPDATE=1 cargo test` writes what is said now");
}
