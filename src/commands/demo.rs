//! `tollgate demo`: a small config repository with a real history, and an open change that breaks several rules.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::shared::repository_in;
use super::{Exit, Invocation};
use crate::cli::DemoArguments;
use crate::gate::{self, GateError, Request};
use crate::kustomize::ParsedFiles;
use crate::report::check::{Report, human};
use crate::sources::{
    CiVariables, CommitId, NewCommit, NewRepository, RepoPath, RepositoryError, Scope, unused_folder,
};

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../testdata/demo/", $path))),)*]
    };
}

/// The first commit; every digest in it is a placeholder of zeros.
const FILES: &[(&str, &str)] = files! {
    ".github/CODEOWNERS",
    "apps/api/base/deployment.yaml",
    "apps/api/base/kustomization.yaml",
    "apps/api/base/service.yaml",
    "apps/api/overlays/dev/externalsecret.yaml",
    "apps/api/overlays/dev/kustomization.yaml",
    "apps/api/overlays/production/externalsecret.yaml",
    "apps/api/overlays/production/kustomization.yaml",
    "apps/api/overlays/staging/externalsecret.yaml",
    "apps/api/overlays/staging/kustomization.yaml",
    "apps/web/base/deployment.yaml",
    "apps/web/base/kustomization.yaml",
    "apps/web/base/service.yaml",
    "apps/web/overlays/dev/externalsecret.yaml",
    "apps/web/overlays/dev/kustomization.yaml",
    "apps/web/overlays/production/externalsecret.yaml",
    "apps/web/overlays/production/kustomization.yaml",
    "apps/web/overlays/staging/externalsecret.yaml",
    "apps/web/overlays/staging/kustomization.yaml",
    "components/telemetry/kustomization.yaml",
    "tollgate.yaml",
};

/// What the open change adds besides two digests.
const PROXY: &str = include_str!("../../testdata/demo/change/apps/api/overlays/production/proxy.yaml");

const CI: (&str, &str) = ("ci[bot]", "ci[bot]@users.noreply.example.com");
const ANA: (&str, &str) = ("Ana", "ana@example.com");
const BEN: (&str, &str) = ("Ben", "ben@example.com");
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The open change's branch.
const BRANCH: &str = "promote-to-production";

pub(super) fn run(arguments: &DemoArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let folder = arguments.folder.clone().unwrap_or_else(|| unused_folder("tollgate-demo"));
    let now = invocation.now;
    let written = NewRepository::create(&folder).and_then(|repository| {
        write(&repository, now)?;
        Ok(repository.root().to_owned())
    });
    let root = match written {
        Ok(root) => root,
        Err(error) => {
            writeln!(invocation.err, "error: {error}\n  help: name a folder that is empty or does not exist yet")?;
            return Ok(Exit::Undecided);
        }
    };
    let parsed = ParsedFiles::default();
    writeln!(invocation.out, "$ tollgate check --base main --head {BRANCH}\n")?;
    match judge(&root, &parsed, invocation) {
        Ok(report) => human::write(&report, &parsed.files, invocation.style, invocation.out)?,
        Err(error) => {
            writeln!(invocation.err, "error: {error}")?;
            return Ok(Exit::Undecided);
        }
    }
    writeln!(invocation.out, "\nThe repository is in {0}. Next, try:\n\n  cd {0}", root.display())?;
    if let Some(program) = program_off_the_path(invocation.variables) {
        writeln!(invocation.out, "  alias tollgate='{}'", program.display())?;
    }
    writeln!(
        invocation.out,
        "  git log --graph --format='%h %an %ar: %s' main {BRANCH}    # what happened so far\n  \
         git diff main {BRANCH}                                     # the change that was refused\n  \
         tollgate check                                             # judge it again, after a correction\n  \
         tollgate promote api --to staging                          # does what the finding's help says\n  \
         tollgate check --format json                               # the report for programs\n  \
         tollgate render apps/api/overlays/production               # what kustomize build prints\n  \
         tollgate explain promotion/unproven                        # what a rule requires, and why"
    )?;
    Ok(Exit::Allowed)
}

fn judge(root: &Path, parsed: &ParsedFiles, invocation: &Invocation<'_>) -> Result<Report, GateError> {
    let repository = repository_in(root)?;
    let scope = Scope::Revisions { base: Some("main".to_owned()), head: Some(BRANCH.to_owned()) };
    let judged = repository.comparison(&scope, &CiVariables::new(invocation.variables))?;
    gate::judge(&Request::new(&repository, &judged, invocation.now), parsed)
}

/// This program, where a shell does not find it by its name.
fn program_off_the_path(variables: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folders = variables("PATH").unwrap_or_default();
    let program = std::env::current_exe().ok()?;
    let is_found = std::env::split_paths(&folders).any(|folder| program.parent() == Some(&*folder));
    (!is_found).then_some(program)
}

/// A digest that looks like one.
fn digest(app: &str, build: u8) -> String {
    Sha256::digest(format!("{app}/{build}")).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The history as it is written.
struct Writer<'a> {
    repository: &'a NewRepository,
    files: BTreeMap<RepoPath, String>,
    tip: Option<CommitId>,
}

impl Writer<'_> {
    fn set_digest(&mut self, app: &str, environment: &str, build: u8) {
        let path = format!("apps/{app}/overlays/{environment}/kustomization.yaml");
        let Some(text) = RepoPath::new(&path).and_then(|path| self.files.get_mut(&path)) else { return };
        let lines = text.lines().map(|line| match line.strip_prefix("    digest: ") {
            Some(_) => format!("    digest: {}\n", digest(app, build)),
            None => format!("{line}\n"),
        });
        *text = lines.collect();
    }

    fn commit(&mut self, branch: &str, message: &str, author: (&str, &str), time: i64) -> Result<(), RepositoryError> {
        let parents: Vec<CommitId> = self.tip.into_iter().collect();
        let commit = NewCommit { branch, files: &self.files, message, author, time, parents: &parents };
        self.tip = Some(self.repository.commit(&commit)?);
        Ok(())
    }

    /// Lands a branch with one commit as a merge, as forges do for pull requests.
    fn pull_request(
        &mut self,
        number: u8,
        message: &str,
        author: (&str, &str),
        time: i64,
    ) -> Result<(), RepositoryError> {
        let main = self.tip;
        self.commit(&format!("pull-{number}"), message, author, time - HOUR)?;
        let parents: Vec<CommitId> = main.into_iter().chain(self.tip).collect();
        let message = format!("Merge pull request #{number}\n\n{message}");
        let commit =
            NewCommit { branch: "main", files: &self.files, message: &message, author, time, parents: &parents };
        self.tip = Some(self.repository.commit(&commit)?);
        Ok(())
    }
}

fn write(repository: &NewRepository, now: DateTime<Utc>) -> Result<(), RepositoryError> {
    let now = now.timestamp();
    let files = FILES.iter().filter_map(|(path, text)| Some((RepoPath::new(path)?, (*text).to_owned())));
    let mut history = Writer { repository, files: files.collect(), tip: None };
    for (app, environment) in
        ["api", "web"].iter().flat_map(|app| ["dev", "staging", "production"].map(|environment| (app, environment)))
    {
        history.set_digest(app, environment, 1);
    }
    history.commit("main", "chore: import all applications", ANA, now - 20 * DAY)?;
    let mut number = 0;
    for (app, build, ago) in [("api", 2, 9 * DAY), ("web", 2, 6 * DAY), ("api", 3, 30 * HOUR)] {
        history.set_digest(app, "dev", build);
        history.commit("main", &format!("chore(dev): {app} build {build}"), CI, now - ago)?;
        let mut lands = |environment: &str, author, at: i64| {
            number += 1;
            history.set_digest(app, environment, build);
            history.pull_request(number, &format!("chore({environment}): promote {app} build {build}"), author, at)
        };
        lands("staging", BEN, now - ago + 6 * HOUR)?;
        if build == 2 {
            lands("production", ANA, now - ago + 2 * DAY)?;
        }
    }
    history.set_digest("web", "dev", 3);
    history.commit("main", "chore(dev): web build 3", CI, now - 8 * HOUR)?;
    history.set_digest("web", "staging", 3);
    history.pull_request(number + 1, "chore(staging): promote web build 3", BEN, now - 3 * HOUR)?;
    history.set_digest("api", "dev", 4);
    history.commit("main", "chore(dev): api build 4", CI, now - 2 * HOUR)?;
    open_change(&mut history);
    history.commit(BRANCH, "chore(production): promote api build 4 and web build 3, add a proxy", BEN, now - HOUR)?;
    repository.check_out(BRANCH, &history.files)
}

/// The bad change: a digest that was only in dev, one that was in staging for three hours, and a sidecar with a tag,
/// without limits, with a Secret that nothing provides.
fn open_change(history: &mut Writer<'_>) {
    history.set_digest("api", "production", 4);
    history.set_digest("web", "production", 3);
    let folder = RepoPath::new("apps/api/overlays/production").unwrap_or_else(RepoPath::root);
    if let Some(text) = history.files.get_mut(&folder.child("kustomization.yaml")) {
        text.push_str("patches:\n  - path: proxy.yaml\n");
    }
    history.files.insert(folder.child("proxy.yaml"), PROXY.to_owned());
}
