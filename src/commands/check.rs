use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use miette::Diagnostic;

use super::{Exit, Process};
use crate::cli::{ChangeArguments, Check, Format, Judge, Reports, Trust};
use crate::config::Controller;
use crate::facts::{Applied, read_applied};
use crate::finding::Label;
use crate::gate::{self, GateError, Request};
use crate::kustomize::ParsedFiles;
use crate::report::check::{Report, github, human, json};
use crate::report::escape::printable;
use crate::report::story::{self, Story};
use crate::sources::{Environment, Judged, Repository, RepositoryError, Scope, read_outside, write_outside};

pub(super) fn run(arguments: &Check, process: &mut Process<'_>) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    let judged =
        with_request(&arguments.judge, process.now, process.variables, |request| gate::judge(request, &parsed));
    let report = match judged {
        Ok(report) => report,
        Err(failure) => return undecided(&failure, &parsed, process),
    };
    write(&report, arguments.format, &parsed, process.colours, process.out)?;
    for (format, file) in &arguments.output {
        let mut text = Vec::new();
        write(&report, *format, &parsed, false, &mut text)?;
        if let Err(error) = write_outside(file, &text) {
            writeln!(process.err, "error: cannot write `{}`: {error}", file.display())?;
            return Ok(Exit::Undecided);
        }
    }
    Ok(if report.passes() { Exit::Allowed } else { Exit::Refused })
}

pub(super) fn facts(arguments: &Judge, process: &mut Process<'_>) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    let mut lines = Vec::new();
    let shown = with_request(arguments, process.now, process.variables, |request| {
        gate::show_facts(request, &parsed, &mut |document| {
            lines.push(serde_json::to_string_pretty(document).unwrap_or_default());
            Ok(())
        })
    });
    if let Err(failure) = shown {
        return undecided(&failure, &parsed, process);
    }
    for line in lines {
        writeln!(process.out, "{line}")?;
    }
    Ok(Exit::Allowed)
}

fn write(report: &Report, format: Format, parsed: &ParsedFiles, colours: bool, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Human => human::write(report, &parsed.files, colours, out),
        Format::Json => json::write(report, &parsed.files, out),
        Format::Github => github::write(report, &parsed.files, out),
    }
}

/// Why a command stopped: the gate's own reason, or an argument that cannot be used.
enum Failure {
    Gate(GateError),
    Argument { message: String, help: String },
}

fn with_request<T>(
    arguments: &Judge,
    now: DateTime<Utc>,
    variables: &dyn Fn(&str) -> Option<String>,
    work: impl FnOnce(&Request<'_>) -> Result<T, GateError>,
) -> Result<T, Failure> {
    let now = match &arguments.now {
        None => now,
        Some(text) => {
            DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc)).map_err(|_| Failure::Argument {
                message: format!("`--now {text}` is no time"),
                help: "write RFC 3339, such as `2026-11-23T05:00:00Z`".to_owned(),
            })?
        }
    };
    let review = match &arguments.review {
        None => None,
        Some(path) => {
            let text = read_outside(path).map_err(|error| Failure::Argument {
                message: format!("cannot read `{}`: {error}", path.display()),
                help: "`--review` names a JSON file; see the README for its form".to_owned(),
            })?;
            Some((path.display().to_string(), text))
        }
    };
    let applied = applied(&arguments.reports).map_err(Failure::Gate)?;
    let (repository, judged) = sides(&arguments.change, variables).map_err(Failure::Gate)?;
    let request = Request {
        repository: &repository,
        judged: &judged,
        trusts_head: arguments.trust == Trust::Head,
        all: arguments.all,
        environment: arguments.env.as_deref(),
        app: arguments.app.as_deref(),
        rule: arguments.rule.as_deref(),
        now,
        review: review.as_ref().map(|(path, text)| (path.as_str(), text.as_str())),
        applied: applied.as_deref(),
    };
    work(&request).map_err(Failure::Gate)
}

fn undecided(failure: &Failure, parsed: &ParsedFiles, process: &mut Process<'_>) -> io::Result<Exit> {
    match failure {
        Failure::Gate(error) => gate_error(error, parsed, process)?,
        Failure::Argument { message, help } => plain(message, Some(help.clone()), process)?,
    }
    writeln!(process.err, "could not decide: the gate stays closed (exit code 2)")?;
    Ok(Exit::Undecided)
}

/// Tells why nothing can be said.
pub(super) fn gate_error(error: &GateError, parsed: &ParsedFiles, process: &mut Process<'_>) -> io::Result<()> {
    match error {
        GateError::Config(problems) => {
            for problem in problems {
                let story = Story {
                    is_error: true,
                    code: None,
                    message: &problem.message,
                    primary: Some(Label { span: problem.span, text: String::new() }),
                    related: &[],
                    notes: Vec::new(),
                    help: problem.help.as_deref(),
                };
                story::write(&story, &parsed.files, process.colours, process.err)?;
            }
            Ok(())
        }
        GateError::Unreadable(error) => render_error(error, parsed, process),
        error => plain(&error.to_string(), error.help().map(|help| help.to_string()), process),
    }
}

/// What controllers report; `None` where no file is given.
pub(super) fn applied(reports: &Reports) -> Result<Option<Vec<Applied>>, GateError> {
    let mut applied = None;
    for (file, controller) in [(&reports.argocd, Controller::ArgoCd), (&reports.flux, Controller::Flux)] {
        let Some(file) = file else { continue };
        let text = read_outside(file).map_err(|error| GateError::Unfit {
            message: format!("cannot read `{}`: {error}", file.display()),
            help: "name a file with what `kubectl get … -A -o json` prints".to_owned(),
        })?;
        applied.get_or_insert_with(Vec::new).extend(read_applied(controller, &file.display().to_string(), &text)?);
    }
    Ok(applied)
}

/// The repository in a folder.
pub(super) fn repository_in(folder: &Path) -> Result<Repository, RepositoryError> {
    Repository::discover(folder)?.ok_or_else(|| RepositoryError::Absent(folder.display().to_string()))
}

/// The two sides of the change that is asked for.
pub(super) fn sides(
    change: &ChangeArguments,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<(Repository, Judged), GateError> {
    let repository = repository_in(&change.repo)?;
    let scope = match (change.staged, change.worktree) {
        (true, _) => Scope::Staged,
        (_, true) => Scope::Worktree,
        _ => Scope::Revisions { base: change.base.clone(), head: change.head.clone() },
    };
    let judged = repository.judged(&scope, &Environment::new(variables))?;
    Ok((repository, judged))
}

/// Tells why something does not render.
pub(super) fn render_error(
    error: &crate::kustomize::RenderError,
    parsed: &ParsedFiles,
    process: &mut Process<'_>,
) -> io::Result<()> {
    let related: Vec<Label> =
        error.related.iter().map(|(span, text)| Label { span: *span, text: text.clone() }).collect();
    let story = Story {
        is_error: true,
        code: None,
        message: &error.message,
        primary: error.span.map(|span| Label { span, text: String::new() }),
        related: &related,
        notes: Vec::new(),
        help: error.help.as_deref(),
    };
    story::write(&story, &parsed.files, process.colours, process.err)
}

fn plain(message: &str, help: Option<String>, process: &mut Process<'_>) -> io::Result<()> {
    writeln!(process.err, "error: {}", printable(message))?;
    if let Some(help) = help {
        writeln!(process.err, "  help: {}", printable(&help))?;
    }
    Ok(())
}
