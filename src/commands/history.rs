use std::io::{self, Write};
use std::path::Path;

use chrono::DateTime;

use super::check::{applied, gate_error, repository_in};
use super::{Exit, Process};
use crate::cli::{HistoryArguments, Reports, StatusArguments, TableFormat};
use crate::config::Config;
use crate::facts::{Deployed, Timeline, deployed};
use crate::gate::{self, GateError};
use crate::kustomize::ParsedFiles;
use crate::model::Only;
use crate::report::escape::printable;
use crate::report::history;
use crate::report::status::{Running, Status};
use crate::sources::{Commit, Tree, write_outside};

pub(super) fn run(arguments: &HistoryArguments, process: &mut Process<'_>) -> io::Result<Exit> {
    let now = process.now.timestamp();
    tell(arguments, None, process, |told, out| match arguments.format {
        TableFormat::Human => history::human(&told.timeline, &told.config, now, out),
        TableFormat::Json => history::json(&told.timeline, &told.config, out),
        TableFormat::Markdown => history::markdown(&told.timeline, &told.config, now, out),
    })
}

pub(super) fn status(arguments: &StatusArguments, process: &mut Process<'_>) -> io::Result<Exit> {
    if let Some(file) = &arguments.write {
        return write_versions(&arguments.history, file, process);
    }
    let at = match &arguments.at {
        None => process.now.timestamp(),
        Some(text) => {
            let Ok(time) = DateTime::parse_from_rfc3339(text) else {
                writeln!(process.err, "error: `--at {}` is no time", printable(text))?;
                writeln!(process.err, "  help: write RFC 3339, such as `2026-11-23T05:00:00Z`")?;
                return Ok(Exit::Undecided);
            };
            time.timestamp()
        }
    };
    tell(&arguments.history, Some(&arguments.reports), process, |told, out| {
        let Told { timeline, config, running } = told;
        let status = Status { timeline, running, config, at };
        match arguments.history.format {
            TableFormat::Human => status.human(out),
            TableFormat::Json => status.json(out),
            TableFormat::Markdown => status.markdown(out),
        }
    })
}

fn write_versions(arguments: &HistoryArguments, file: &Path, process: &mut Process<'_>) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    let versions = repository_in(&arguments.repo).map_err(GateError::from).and_then(|repository| {
        let tree: Box<dyn Tree> = match &arguments.base {
            Some(revision) => Box::new(repository.tree(&repository.commit(revision)?)),
            None => Box::new(repository.working_tree()),
        };
        gate::rendered_versions(&*tree, &parsed)
    });
    let error = match versions {
        Ok(versions) => match write_outside(file, versions.text().as_bytes()) {
            Ok(()) => return Ok(Exit::Allowed),
            Err(error) => GateError::Unfit {
                message: format!("cannot write `{}`: {error}", file.display()),
                help: "name a file in a folder that is there".to_owned(),
            },
        },
        Err(error) => error,
    };
    gate_error(&error, &parsed, process)?;
    Ok(Exit::Undecided)
}

/// What there is to tell.
struct Told {
    timeline: Timeline,
    config: Config,
    running: Vec<Running>,
}

fn tell(
    arguments: &HistoryArguments,
    reports: Option<&Reports>,
    process: &mut Process<'_>,
    write: impl FnOnce(&Told, &mut dyn Write) -> io::Result<()>,
) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    match read(arguments, reports, &parsed, process.now.timestamp()) {
        Ok(told) => {
            write(&told, process.out)?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            gate_error(&error, &parsed, process)?;
            Ok(Exit::Undecided)
        }
    }
}

fn read(
    arguments: &HistoryArguments,
    reports: Option<&Reports>,
    parsed: &ParsedFiles,
    now: i64,
) -> Result<Told, GateError> {
    let applied = reports.map(applied).transpose()?.flatten().unwrap_or_default();
    let repository = repository_in(&arguments.repo)?;
    let tip: Commit = match &arguments.base {
        Some(revision) => repository.commit(revision)?,
        None => repository.default_branch()?,
    };
    let (config, overlays) = gate::overlays(&repository.tree(&tip), parsed)?;
    let environment = arguments.env.as_ref().map(|name| gate::environment(&config, name)).transpose()?;
    let only = Only { app: arguments.app.as_deref(), environment };
    let tree = repository.tree(&tip);
    let deployed = deployed(parsed, &tree, &overlays.all, &applied).map_err(GateError::Unreadable)?;
    let told = |Deployed { applied, overlay }: &Deployed<'_>| Running {
        applied: (*applied).clone(),
        overlay: (*overlay).clone(),
        images: applied.images(&repository, parsed),
    };
    let running = deployed.iter().map(told).collect();
    let timeline = Timeline::read(&repository, parsed, &config, (&tip, overlays), only, now)?;
    if let Some(app) = arguments.app.as_ref().filter(|_| timeline.live.is_empty() && timeline.gaps.is_empty()) {
        return Err(GateError::Unfit {
            message: format!("the app `{app}` was never there"),
            help: "`tollgate history` without a name tells all of them".to_owned(),
        });
    }
    Ok(Told { timeline, config, running })
}
