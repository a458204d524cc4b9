use std::io::{self, Write};
use std::path::Path;

use super::shared::{
    CommandError, applied, ci_dialect, compared, explain_error, publish, publish_json, repository_in, with_missing,
};
use super::{Exit, Invocation};
use crate::cli::{ChangeArguments, CheckArguments, Format, JudgeArguments, TrustArgument};
use crate::facts::scans::Scans;
use crate::gate::{self, GateError, NamedText, Request, Selection, Trust};
use crate::kustomize::ParsedFiles;
use crate::report::check::detail::Detail;
use crate::report::check::{
    ForgePages, Report, Verdict, github, gitlab, html, human, json, junit, markdown, sarif, vsa,
};
use crate::report::story::Style;
use crate::sources::{CiVariables, Repository, read_argument_file, read_argument_folder, write_argument_file};

const UNDECIDED: &str = "could not decide: the gate stays closed (exit code 2)";

pub(super) fn run(arguments: &CheckArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.judge.sources.files();
    let mut formats = std::iter::once(arguments.format).chain(arguments.output.iter().map(|(format, _)| *format));
    let is_detailed = formats.any(Format::is_detailed);
    let judged = with_request(&arguments.judge, invocation, |request| {
        let report = gate::judge(request, &files)?;
        let detail = if is_detailed { gate::detail(request, &files, &report)? } else { Detail::default() };
        Ok((report, detail))
    });
    let (mut report, detail) = match judged {
        Ok(judged) => judged,
        Err(error) => return undecided(&error, &files, invocation),
    };
    report.forge = forge_pages(&report, &CiVariables::new(invocation.variables));
    let told = Told { report: &report, detail: &detail, files: &files };
    told.write(arguments.format, invocation.style, invocation.out)?;
    for (format, path) in &arguments.output {
        let mut text = Vec::new();
        told.write(*format, Style::Plain, &mut text)?;
        if let Err(error) = write_argument_file(path, &text) {
            explain_error(&CommandError::Write { path: path.clone(), error }, &files, invocation)?;
            return Ok(Exit::Undecided);
        }
    }
    Ok(match report.verdict() {
        Verdict::Pass => Exit::Allowed,
        Verdict::Fail => Exit::Refused,
        Verdict::Undecided => {
            writeln!(invocation.err, "{UNDECIDED}")?;
            Exit::Undecided
        }
    })
}

/// What is told in one format or another.
struct Told<'a> {
    report: &'a Report,
    detail: &'a Detail,
    files: &'a ParsedFiles,
}

impl Told<'_> {
    fn write(&self, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let Self { report, detail, files } = self;
        let places = &files.files;
        match format {
            Format::Human => publish(files, out, |out| human::write(report, places, style, out)),
            Format::Json => publish_json(files, out, |out| json::write(report, places, out)),
            Format::Github => publish(files, out, |out| github::write(report, places, out)),
            Format::Sarif => publish_json(files, out, |out| sarif::write(report, places, out)),
            Format::Junit => publish(files, out, |out| junit::write(report, places, out)),
            Format::Gitlab => publish_json(files, out, |out| gitlab::write(report, places, out)),
            Format::Markdown => publish(files, out, |out| markdown::write(report, detail, places, out)),
            Format::Html => publish(files, out, |out| html::write(report, detail, places, out)),
            Format::Vsa => publish_json(files, out, |out| vsa::write(report, out)),
        }
    }
}

/// Where the forge of this CI shows the repository and its files.
fn forge_pages(report: &Report, variables: &CiVariables<'_>) -> Option<ForgePages> {
    let head = report.head.as_ref()?;
    if let Some(repository) = variables.get("CI_PROJECT_URL") {
        return Some(ForgePages { files: format!("{repository}/-/blob/{head}"), repository });
    }
    let (server, name) = (variables.get("GITHUB_SERVER_URL")?, variables.get("GITHUB_REPOSITORY")?);
    let repository = format!("{server}/{name}");
    Some(ForgePages { files: format!("{repository}/blob/{head}"), repository })
}

/// Does work on the change that the arguments describe.
pub(super) fn with_request<T>(
    arguments: &JudgeArguments,
    invocation: &Invocation<'_>,
    work: impl Fn(&Request<'_>) -> Result<T, GateError>,
) -> Result<T, CommandError> {
    with_missing(&arguments.change, arguments.fetch_missing, invocation, || try_request(arguments, invocation, &work))
}

fn try_request<T>(
    arguments: &JudgeArguments,
    invocation: &Invocation<'_>,
    work: impl Fn(&Request<'_>) -> Result<T, GateError>,
) -> Result<T, CommandError> {
    let review = match &arguments.review {
        None => None,
        Some(path) => {
            let text = read_argument_file(path).map_err(|error| CommandError::Read {
                path: path.clone(),
                error,
                help: "`--review` names a JSON file; see `docs/approvals.md` for its form",
            })?;
            Some((path.display().to_string(), text))
        }
    };
    let reports = applied(&arguments.reports)?;
    let (repository, comparison) = compared(&arguments.change, invocation.variables)?;
    let mut clones = Vec::new();
    for (name, folder) in &arguments.clones {
        clones.push((name.clone(), repository_in(folder)?));
    }
    let scans = scans(arguments.scans.as_deref(), &repository)?;
    let branch = branch(&arguments.change, invocation.variables);
    let variables = CiVariables::new(invocation.variables);
    let request = Request {
        repository: &repository,
        comparison: &comparison,
        branch: branch.as_deref(),
        clones: &clones,
        trust: match arguments.trust {
            TrustArgument::Base => Trust::Base,
            TrustArgument::Head => Trust::Head,
        },
        selection: if arguments.all { Selection::All } else { Selection::Affected },
        shard: arguments.shard.unwrap_or_default(),
        environment: arguments.env.as_deref(),
        app: arguments.app.as_deref(),
        rule: arguments.rule.as_deref(),
        now: arguments.now.unwrap_or(invocation.now),
        progress: invocation.progress,
        review: review.as_ref().map(|(name, text)| NamedText { name, text }),
        owners_dialect: ci_dialect(invocation.variables),
        reports: reports.as_deref(),
        scans: scans.as_ref(),
        is_deploy_freeze: variables.get("GITLAB_CI").map(|_| variables.get("CI_DEPLOY_FREEZE").is_some()),
    };
    work(&request).map_err(CommandError::Gate)
}

/// The scan reports in a folder, which must not be a part of what was checked out: a change could bring its own.
fn scans(folder: Option<&Path>, repository: &Repository) -> Result<Option<Scans>, CommandError> {
    let Some(folder) = folder else { return Ok(None) };
    let unreadable = |error| CommandError::Read {
        path: folder.to_owned(),
        error,
        help: "`--scans` names a folder with JSON files, outside of what was checked out",
    };
    let whole = folder.canonicalize().map_err(unreadable)?;
    if whole.starts_with(repository.root()) {
        return Err(unreadable(io::Error::other("a change could write to it, since it is in the repository")));
    }
    let mut scans = Scans::default();
    for (name, text) in read_argument_folder(&whole, "json").map_err(unreadable)? {
        scans.add(&name, &text).map_err(GateError::from)?;
    }
    Ok(Some(scans))
}

/// The branch that the change goes into, where the command line or the CI names it.
fn branch(change: &ChangeArguments, variables: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(base) = &change.base {
        let places = ["refs/heads/", "refs/remotes/origin/", "origin/"];
        return Some(places.iter().find_map(|place| base.strip_prefix(place)).unwrap_or(base).to_owned());
    }
    let of_queue = || {
        // A merge queue builds on `gh-readonly-queue/BRANCH/pr-NUMBER-COMMIT`.
        let name = variables("GITHUB_REF")?;
        let rest = name.strip_prefix("refs/heads/gh-readonly-queue/")?;
        Some(rest.rsplit_once('/')?.0.to_owned())
    };
    let named = ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"].iter().find_map(|name| variables(name));
    named.filter(|name| !name.is_empty()).or_else(of_queue)
}

/// Tells why the gate cannot decide.
pub(super) fn undecided(
    error: &CommandError,
    files: &ParsedFiles,
    invocation: &mut Invocation<'_>,
) -> io::Result<Exit> {
    explain_error(error, files, invocation)?;
    writeln!(invocation.err, "{UNDECIDED}")?;
    Ok(Exit::Undecided)
}
