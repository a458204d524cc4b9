use std::io::{self, Write};

use super::shared::{CommandError, applied, ci_dialect, compared, explain_error, publish, publish_json, repository_in};
use super::{Exit, Invocation};
use crate::cli::{ChangeArguments, CheckArguments, Format, JudgeArguments, TrustArgument};
use crate::gate::{self, GateError, NamedText, Request, Selection, Trust};
use crate::kustomize::ParsedFiles;
use crate::report::check::{Report, Verdict, github, human, json};
use crate::report::story::Style;
use crate::sources::{CiVariables, read_argument_file, write_argument_file};

const UNDECIDED: &str = "could not decide: the gate stays closed (exit code 2)";

pub(super) fn run(arguments: &CheckArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.judge.sources.files();
    let report = match with_request(&arguments.judge, invocation, |request| gate::judge(request, &files)) {
        Ok(report) => report,
        Err(error) => return undecided(&error, &files, invocation),
    };
    write(&report, arguments.format, &files, invocation.style, invocation.out)?;
    for (format, path) in &arguments.output {
        let mut text = Vec::new();
        write(&report, *format, &files, Style::Plain, &mut text)?;
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

fn write(report: &Report, format: Format, files: &ParsedFiles, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Human => publish(files, out, |out| human::write(report, &files.files, style, out)),
        Format::Json => publish_json(files, out, |out| json::write(report, &files.files, out)),
        Format::Github => publish(files, out, |out| github::write(report, &files.files, out)),
    }
}

/// Does work on the change that the arguments describe.
pub(super) fn with_request<T>(
    arguments: &JudgeArguments,
    invocation: &Invocation<'_>,
    work: impl FnOnce(&Request<'_>) -> Result<T, GateError>,
) -> Result<T, CommandError> {
    let review = match &arguments.review {
        None => None,
        Some(path) => {
            let text = read_argument_file(path).map_err(|error| CommandError::Read {
                path: path.clone(),
                error,
                help: "`--review` names a JSON file; see the README for its form",
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
        environment: arguments.env.as_deref(),
        app: arguments.app.as_deref(),
        rule: arguments.rule.as_deref(),
        now: arguments.now.unwrap_or(invocation.now),
        review: review.as_ref().map(|(name, text)| NamedText { name, text }),
        owners_dialect: ci_dialect(invocation.variables),
        reports: reports.as_deref(),
        is_deploy_freeze: variables.get("GITLAB_CI").map(|_| variables.get("CI_DEPLOY_FREEZE").is_some()),
    };
    work(&request).map_err(CommandError::Gate)
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
