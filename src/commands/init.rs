use std::collections::BTreeMap;
use std::io::{self, Write};

use super::shared::{CommandError, explain_error, publish, repository_in};
use super::{Exit, Invocation};
use crate::cli::{CiForge, InitArguments};
use crate::config::FILE_NAME;
use crate::facts::CODEOWNERS_PLACES;
use crate::gate::{self, Request, Selection, Setup};
use crate::kustomize::ParsedFiles;
use crate::report::check::Report;
use crate::report::escape::printable;
use crate::sources::{CiVariables, RepoPath, Repository, RepositoryError, Scope, Tree as _, write_below};
use crate::words::count;

pub(super) fn run(arguments: &InitArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    match prepare(arguments, &files, invocation) {
        Ok(prepared) => {
            publish(&files, invocation.out, |out| prepared.tell(arguments, out))?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

/// What was found, what was written, and what the gate would say.
struct Prepared {
    setup: Setup,
    /// Each file's path and text, and whether it was there already.
    files: Vec<(RepoPath, String, bool)>,
    report: Report,
    has_owners: bool,
    has_pre_commit: bool,
}

const WORKFLOW: &str = ".github/workflows/tollgate.yml";
const RECHECK: &str = ".github/workflows/tollgate-recheck.yml";
const COMPONENT: &str = ".gitlab/ci/tollgate.yml";

fn prepare(
    arguments: &InitArguments,
    files: &ParsedFiles,
    invocation: &Invocation<'_>,
) -> Result<Prepared, CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let setup = gate::setup(&repository, files)?;
    let tree = repository.working_tree();
    let has = |path: &str| {
        let path = RepoPath::root().join(path).unwrap_or_else(RepoPath::root);
        tree.entry(&path).map(|entry| entry.is_some()).map_err(RepositoryError::from)
    };
    let forge = match arguments.forge {
        Some(forge) => Some(forge),
        None if has(".github")? => Some(CiForge::Github),
        None if has(".gitlab-ci.yml")? || has(".gitlab")? => Some(CiForge::Gitlab),
        None => None,
    };
    let mut wanted = vec![(FILE_NAME, setup.config.clone())];
    match forge {
        Some(CiForge::Github) => {
            wanted.push((WORKFLOW, workflow(&arguments.source)));
            wanted.push((RECHECK, recheck_workflow(&arguments.source)));
        }
        Some(CiForge::Gitlab) => wanted.push((COMPONENT, component(&arguments.source))),
        None => {}
    }
    let mut written = Vec::new();
    for (name, text) in wanted {
        let is_there = has(name)?;
        let path = RepoPath::root().join(name).unwrap_or_else(RepoPath::root);
        if !is_there && !arguments.dry_run {
            write_below(repository.root(), &path, Some(text.as_bytes()))
                .map_err(|error| CommandError::Write { path: repository.root().join(name), error })?;
        }
        written.push((path, text, is_there));
    }
    let report = judge_all(&repository, files, invocation)?;
    let mut has_owners = false;
    for place in CODEOWNERS_PLACES {
        has_owners |= has(place)?;
    }
    Ok(Prepared { setup, files: written, report, has_owners, has_pre_commit: has(".pre-commit-config.yaml")? })
}

/// What the gate finds in what is there already.
fn judge_all(
    repository: &Repository,
    files: &ParsedFiles,
    invocation: &Invocation<'_>,
) -> Result<Report, CommandError> {
    let head = Some("HEAD".to_owned());
    let scope = Scope::Revisions { base: head.clone(), head };
    let comparison = repository.comparison(&scope, &CiVariables::new(invocation.variables))?;
    let request = Request { selection: Selection::All, ..Request::new(repository, &comparison, invocation.now) };
    Ok(gate::judge(&request, files)?)
}

impl Prepared {
    fn tell(&self, arguments: &InitArguments, out: &mut dyn Write) -> io::Result<()> {
        let overlays: usize = self.setup.environments.iter().map(|(_, count, _)| count).sum();
        writeln!(out, "found {} of {}", count(overlays, "overlay"), count(self.setup.apps, "app"))?;
        for (name, number, first) in &self.setup.environments {
            writeln!(out, "  {:<12} {number:>5}   such as {}", printable(name), printable(&first.to_string()))?;
        }
        for left_out in self.report.not_judged.iter().filter(|line| !line.starts_with("approvals")) {
            writeln!(out, "not judged: {}", printable(left_out))?;
        }
        self.tell_findings(out)?;
        writeln!(out)?;
        for (path, text, is_there) in &self.files {
            match (is_there, arguments.dry_run) {
                (true, _) => writeln!(out, "kept: {path}, which is there already")?,
                (false, false) => writeln!(out, "written: {path}")?,
                (false, true) => writeln!(out, "would write {path}:\n\n{text}")?,
            }
        }
        writeln!(out, "\nnext:")?;
        if !self.has_owners {
            writeln!(out, "  add a CODEOWNERS file, so that protected environments have owners who approve")?;
        }
        if self.files.iter().any(|(path, ..)| path.as_str() == COMPONENT) {
            writeln!(out, "  add `include: {{local: {COMPONENT}}}` to .gitlab-ci.yml")?;
        }
        if self.has_pre_commit {
            writeln!(out, "  add the hook `tollgate` of {} to .pre-commit-config.yaml", printable(&arguments.source))?;
        }
        if self.files.len() == 1 {
            writeln!(out, "  `--forge github` or `--forge gitlab` also writes the job that runs the gate")?;
        }
        writeln!(out, "  commit what was written, and make the job a required check")?;
        writeln!(out, "  `tollgate drill` then proves that the gate is on")
    }

    fn tell_findings(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in &self.report.findings {
            *by_rule.entry(&finding.rule).or_default() += 1;
        }
        if by_rule.is_empty() {
            return writeln!(out, "\nthe gate finds nothing in what is there already");
        }
        writeln!(
            out,
            "\nin what is there already the gate finds (it closes for what a change adds; `tollgate check --all` tells more):"
        )?;
        for (rule, number) in by_rule {
            writeln!(out, "  {rule:<28} {number:>5}")?;
        }
        Ok(())
    }
}

fn recheck_workflow(source: &str) -> String {
    let source = at(source);
    format!(
        "# Runs the check `tollgate` of open pull requests again when its answer no longer holds: a freeze has begun or ended, a soak is\n\
         # over, somebody has reviewed. A review of a pull request from a fork starts it with a token that may not do so; the schedule\n\
         # comes after.\nname: tollgate-recheck\non: {{ pull_request_review: {{ types: [submitted, dismissed] }}, schedule: [{{ cron: \
         \"*/15 * * * *\" }}] }}\npermissions: {{ actions: write, checks: read, pull-requests: read }}\njobs:\n  recheck:\n    runs-on: \
         ubuntu-latest\n    steps:\n      - uses: {source}\n        with: {{ command: recheck }}\n"
    )
}

fn workflow(source: &str) -> String {
    let source = at(source);
    format!(
        "# Judges every pull request. Make its job `tollgate` a required check; without a `paths` filter, which would block others.\n\
         name: tollgate\non: {{ pull_request: {{}}, merge_group: {{}} }}\npermissions: {{ contents: read, pull-requests: read }}\njobs:\n  \
         tollgate:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: \
         actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2\n        with: {{ fetch-depth: 0, persist-credentials: \
         false }}\n      - uses: {source}\n"
    )
}

fn component(source: &str) -> String {
    let whole = at(source);
    let (name, revision) = whole.split_once('@').unwrap_or((&whole, "main"));
    format!(
        "# Judges every merge request.\ninclude:\n  - component: $CI_SERVER_FQDN/{name}/tollgate@{revision}\n    inputs: {{ source: \
         \"$CI_SERVER_URL/{name}\" }}\n"
    )
}

/// A source with its revision: `main` where none is given.
fn at(source: &str) -> String {
    if source.contains('@') { source.to_owned() } else { format!("{source}@main") }
}
