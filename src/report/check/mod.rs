//! What the gate says about a change.

use chrono::{DateTime, Utc};

use crate::finding::Finding;
use crate::report::escape;

pub mod detail;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod sarif;
pub mod vsa;

/// Everything that a run says.
#[derive(Clone, Debug)]
pub struct Report {
    /// The base's commit.
    pub base: String,
    /// The head's commit; `None` where the change is not committed.
    pub head: Option<String>,
    /// What the head is called, such as `9be0771` or `the working tree`.
    pub head_name: String,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// The next moment at which the clock alone could change the verdict.
    pub valid_until: Option<DateTime<Utc>>,
    /// How many overlays there are.
    pub overlays: usize,
    /// Overlays whose rendered output changes, by app, the highest environment first.
    pub affected: Vec<AffectedOverlay>,
    /// How many overlays were judged; with `--all` more than are affected.
    pub judged: usize,
    /// How many different images the judged overlays run.
    pub images: usize,
    /// How many rules were asked.
    pub rules: usize,
    /// What was left out, and why.
    pub not_judged: Vec<String>,
    /// What enters environments, in the order of the affected overlays.
    pub entering: Vec<Entering>,
    /// Which part of the overlays was judged, of how many; `None` where all were.
    pub shard: Option<(u32, u32)>,
    /// Where the forge shows the repository; `None` where that is not known.
    pub forge: Option<ForgePages>,
    /// The SHA-256 of what judged: rules, configuration, CODEOWNERS; hexadecimal.
    pub policy_digest: String,
    /// Sorted by file, line and rule.
    pub findings: Vec<Finding>,
}

/// What the gate says in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The change may land.
    Pass,
    /// It may not.
    Fail,
    /// The gate cannot tell, so that it stays closed.
    Undecided,
}

impl Verdict {
    /// The word that documents use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undecided => "undecided",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "allowed",
            Self::Fail => "refused",
            Self::Undecided => "could not decide",
        }
    }
}

impl Report {
    /// The findings, worst first; else in their order.
    #[must_use]
    pub fn worst_first(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| !finding.closes());
        findings
    }

    /// What the gate says in the end.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let closing = || self.findings.iter().filter(|finding| finding.closes());
        match closing().next() {
            None => Verdict::Pass,
            Some(_) if closing().any(|finding| finding.undecided) => Verdict::Undecided,
            Some(_) => Verdict::Fail,
        }
    }
}

/// Where a forge shows a repository.
#[derive(Clone, Debug)]
pub struct ForgePages {
    /// The repository's page.
    pub repository: String,
    /// The page of a file of the head, without the file's path.
    pub files: String,
}

impl ForgePages {
    /// The page of a line.
    #[must_use]
    pub fn line(&self, path: &str, line: usize) -> String {
        let path: Vec<String> = path.split('/').map(escape::url_segment).collect();
        format!("{}/{}#L{line}", self.files, path.join("/"))
    }
}

/// An artifact that enters an environment, and what speaks for it.
#[derive(Clone, Debug)]
pub struct Entering {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub overlay: String,
    /// `image`, `chart`, `source`, `operator` or `plugin`.
    pub kind: &'static str,
    /// The reference.
    pub reference: String,
    /// Where it was live below; the longest stay of each environment.
    pub proofs: Vec<Proof>,
    /// Whether it was live in the environment itself before.
    pub is_back: bool,
    /// How long it must have been live below, in words.
    pub soak: Option<String>,
    /// How many owners must approve, and who has; `None` where that is not known.
    pub approvals: Option<(usize, Vec<String>)>,
    /// Freezes that are active.
    pub freezes: Vec<String>,
}

impl Entering {
    /// What a row of a table says of it, after app and environment: the artifact, where it was live below, the soak, approvals,
    /// freezes.
    fn cells(&self) -> [String; 7] {
        let proofs: Vec<String> = self
            .proofs
            .iter()
            .map(|proof| format!("{} since {} for {} ({})", proof.environment, proof.since, proof.lasted, proof.commit))
            .collect();
        let proofs = match (proofs.is_empty(), self.is_back) {
            (false, _) => proofs.join(", "),
            (true, true) => "ran here before".to_owned(),
            (true, false) => "not known to have been".to_owned(),
        };
        let approvals = match &self.approvals {
            None => "not judged".to_owned(),
            Some((needed, by)) if by.is_empty() => format!("0 of {needed}"),
            Some((needed, by)) => format!("{} of {needed} ({})", by.len(), by.join(", ")),
        };
        let freezes = if self.freezes.is_empty() { "none".to_owned() } else { self.freezes.join(", ") };
        let soak = self.soak.clone().unwrap_or_else(|| "none".to_owned());
        let Self { app, environment, reference, .. } = self;
        [app.clone(), environment.clone(), reference.clone(), proofs, soak, approvals, freezes]
    }
}

/// A stay in an environment below.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The environment.
    pub environment: String,
    /// Since when, for people.
    pub since: String,
    /// How long, in words.
    pub lasted: String,
    /// The commit that brought it, shortened.
    pub commit: String,
}

/// An overlay whose rendered output changes.
#[derive(Clone, Debug)]
pub struct AffectedOverlay {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The overlay's folder.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use serde_json::Value;

    use super::detail::Detail;
    use super::*;
    use crate::finding::{Label, Place, Severity};
    use crate::sources::{ContentId, RepoPath};
    use crate::span::{Files, Span};

    /// A report that is awkward on purpose: many findings, names that are markup, commands and control characters.
    fn awkward(findings: usize) -> (Report, Files) {
        let files = Files::default();
        let path = RepoPath::new("apps/ä b/%<x>/kustomization.yaml").unwrap();
        let file = files.add(&path, ContentId::of(b"x"), "images:\n  - name: é\u{1b}[31m </td>`\n");
        let label = |text: &str| Label { span: Span { file, start: 8, end: 20 }, text: text.to_owned() };
        let finding = |at: usize| Finding {
            rule: "image/unpinned".to_owned(),
            severity: if at.is_multiple_of(2) { Severity::Error } else { Severity::Warning },
            message: format!("`x:{at}` \u{1b}[2J\n::error::\u{202e}<script>alert(1)</script> @org/team ]]> |"),
            primary: label("a\nb"),
            related: vec![label("")],
            notes: vec!["```".to_owned()],
            help: Some("do `this` <b>".to_owned()),
            place: Some(Place { app: "a|b".to_owned(), environment: "<prod>".to_owned(), overlay: "ä".to_owned() }),
            object: None,
            path: None,
            subject: Some((at / 2).to_string()),
            existing: at.is_multiple_of(3),
            undecided: false,
            is_strict: false,
            waived: None,
        };
        let report = Report {
            base: "b".repeat(40),
            head: Some("c".repeat(40)),
            head_name: "ccccccc".to_owned(),
            now: Utc.timestamp_opt(1_790_000_000, 0).unwrap(),
            valid_until: None,
            overlays: 3,
            affected: vec![AffectedOverlay {
                app: "web".to_owned(),
                environment: "staging".to_owned(),
                path: "apps/web".to_owned(),
            }],
            judged: 1,
            images: 1,
            rules: 2,
            not_judged: vec!["owners <none>".to_owned()],
            entering: vec![Entering {
                app: "web".to_owned(),
                environment: "staging".to_owned(),
                overlay: "apps/web".to_owned(),
                kind: "image",
                reference: format!("nginx@sha256:{}", "a".repeat(64)),
                proofs: Vec::new(),
                is_back: false,
                soak: None,
                approvals: Some((2, vec!["ben".to_owned()])),
                freezes: Vec::new(),
            }],
            shard: None,
            forge: Some(ForgePages {
                repository: "https://forge.example/o/r".to_owned(),
                files: "https://forge.example/o/r/blob/c".to_owned(),
            }),
            policy_digest: "d".repeat(64),
            findings: (0..findings).map(finding).collect(),
        };
        (report, files)
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the schema is a file of the project")]
    fn sarif_is_valid_and_within_githubs_limits() {
        let root = env!("CARGO_MANIFEST_DIR");
        let schema = std::fs::read_to_string(format!("{root}/testdata/schemas/sarif-2.1.0.json")).unwrap();
        let mut schema: Value = serde_json::from_str(&schema).unwrap();
        // This one pattern of the published schema is not a regular expression.
        for owner in ["run", "toolComponent"] {
            schema["definitions"][owner]["properties"]["language"].as_object_mut().unwrap().remove("pattern");
        }
        let schema = jsonschema::validator_for(&schema).unwrap();
        for findings in [0, 50, 30_000] {
            let (report, files) = awkward(findings);
            let written: Value = serde_json::from_str(&text(|out| sarif::write(&report, &files, out))).unwrap();
            if findings < 1_000 {
                let wrong: Vec<String> = schema.iter_errors(&written).map(|error| error.to_string()).collect();
                assert!(wrong.is_empty(), "{wrong:?}");
            }
            let results = written["runs"][0]["results"].as_array().unwrap();
            assert_eq!(results.len(), findings.min(25_000));
            let hashes: std::collections::BTreeSet<&str> = results
                .iter()
                .map(|result| result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap())
                .collect();
            assert_eq!(hashes.len(), results.len());
            if let Some(first) = results.first() {
                assert_eq!(first["level"], "error");
                let uri = &first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
                assert_eq!(uri, "apps/%C3%A4%20b/%25%3Cx%3E/kustomization.yaml");
            }
        }
    }

    #[test]
    fn junit_can_be_read_back() {
        let (report, files) = awkward(30_000);
        let written = text(|out| junit::write(&report, &files, out));
        assert!(!written.contains('\u{1b}'));
        let read = quick_junit::Report::deserialize_from_str(&written).unwrap();
        assert_eq!((read.test_suites.len(), read.failures), (2, 10_000));
        let (nothing, files) = awkward(0);
        let written = text(|out| junit::write(&nothing, &files, out));
        assert_eq!(quick_junit::Report::deserialize_from_str(&written).unwrap().tests, 1);
    }

    #[test]
    fn code_quality_has_what_gitlab_asks_for() {
        let (report, files) = awkward(100);
        let written: Value = serde_json::from_str(&text(|out| gitlab::write(&report, &files, out))).unwrap();
        let mut fingerprints = std::collections::BTreeSet::new();
        for issue in written.as_array().unwrap() {
            assert!(
                !issue["description"].as_str().unwrap().is_empty() && !issue["check_name"].as_str().unwrap().is_empty()
            );
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
            assert_eq!(issue["location"]["lines"]["begin"], 2);
            assert!(fingerprints.insert(issue["fingerprint"].as_str().unwrap()), "a fingerprint stands twice");
        }
        assert_eq!(fingerprints.len(), 100);
    }

    #[test]
    fn markdown_and_html_obey_nothing_of_the_repository() {
        for findings in [3, 30_000] {
            let (report, files) = awkward(findings);
            let written = text(|out| markdown::write(&report, &Detail::default(), &files, out));
            assert!(written.len() < 65_536, "{}", written.len());
            assert!(!written.contains("<script>") && !written.contains("@org") && !written.contains('\u{1b}'));
            assert_eq!(written.contains("left out; the job's log"), findings > 1_000);
            let page = text(|out| html::write(&report, &Detail::default(), &files, out));
            assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
            assert!(page.contains("sha256:") && page.contains("1 of 2 (ben)"));
        }
    }

    #[test]
    fn the_summary_names_what_enters_and_the_commit() {
        let (report, _) = awkward(2);
        let written: Value = serde_json::from_str(&text(|out| vsa::write(&report, out))).unwrap();
        assert_eq!(written["subject"][0]["name"], "docker.io/library/nginx");
        assert_eq!(written["subject"][0]["digest"]["sha256"], "a".repeat(64));
        assert_eq!(written["subject"][1]["digest"]["gitCommit"], "c".repeat(40));
        assert_eq!(written["predicate"]["verificationResult"], "PASSED");
        let (refused, _) = awkward(3);
        let written: Value = serde_json::from_str(&text(|out| vsa::write(&refused, out))).unwrap();
        assert_eq!(written["predicate"]["verificationResult"], "FAILED");
    }
}
