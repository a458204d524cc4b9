use std::io;
use std::path::Path;

use super::history::Declared;
use super::shared::{CommandError, applied, explain_error, publish, publish_json, repository_in};
use super::{Exit, Invocation};
use crate::cli::{HistoryArguments, StatusArguments, TableFormat};
use crate::facts::{Deployed, LiveHistory, deployed};
use crate::gate::{self, GateError};
use crate::kustomize::ParsedFiles;
use crate::model::OverlayFilter;
use crate::report::images;
use crate::report::status::{Running, Status};
use crate::sources::{Tree, write_argument_file};

pub(super) fn run(arguments: &StatusArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.history.sources.files();
    let done = match &arguments.write {
        Some(path) => write_versions(&arguments.history, path, &files).map(Ok),
        None if arguments.images => images(&arguments.history, &files, invocation),
        None => status(arguments, &files, invocation),
    };
    match done {
        Ok(written) => {
            written?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

fn status(
    arguments: &StatusArguments,
    files: &ParsedFiles,
    invocation: &mut Invocation<'_>,
) -> Result<io::Result<()>, CommandError> {
    let reports = applied(&arguments.reports)?.unwrap_or_default();
    let declared = Declared::open(&arguments.history, files)?;
    let tree = declared.repository.tree(&declared.tip);
    let deployed = deployed(files, &tree, &declared.overlays.all, &reports).map_err(GateError::Unreadable)?;
    let running = |Deployed { applied, overlay }: &Deployed<'_>| Running {
        applied: (*applied).clone(),
        overlay: (*overlay).clone(),
        images: applied.images(&declared.repository, files, &declared.config, &declared.overlays),
    };
    let running: Vec<Running> = deployed.iter().map(running).collect();
    let at = arguments.at.unwrap_or(invocation.now).timestamp();
    let source = declared.source(&arguments.history, files, invocation)?;
    let live = LiveHistory::at_time(&source, at).map_err(GateError::from)?;
    if let Some(app) = arguments.history.app.as_ref().filter(|_| live.live.is_empty() && live.gaps.is_empty()) {
        return Err(GateError::NotLive(app.clone()).into());
    }
    let status = Status { history: &live, running: &running, config: &declared.config, at };
    Ok(match arguments.history.format {
        TableFormat::Human => publish(files, invocation.out, |out| status.human(out)),
        TableFormat::Json => publish_json(files, invocation.out, |out| status.json(out)),
        TableFormat::Markdown => publish(files, invocation.out, |out| status.markdown(out)),
    })
}

/// Lists what the overlays of the base branch's tip name.
fn images(
    arguments: &HistoryArguments,
    files: &ParsedFiles,
    invocation: &mut Invocation<'_>,
) -> Result<io::Result<()>, CommandError> {
    let declared = Declared::open(arguments, files)?;
    let tree = declared.repository.tree(&declared.tip);
    let environment = arguments.env.as_ref().map(|name| gate::environment(&declared.config, name)).transpose()?;
    let filter = OverlayFilter { app: arguments.app.as_deref(), environment };
    let census = gate::census(&tree, files, filter)?;
    Ok(match arguments.format {
        TableFormat::Json => publish_json(files, invocation.out, |out| images::json(&census, &files.files, out)),
        TableFormat::Human | TableFormat::Markdown => {
            publish(files, invocation.out, |out| images::human(&census, &files.files, out))
        }
    })
}

/// Writes which versions the working tree, or the revision that is named, declares.
fn write_versions(arguments: &HistoryArguments, path: &Path, files: &ParsedFiles) -> Result<(), CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let tree: Box<dyn Tree> = match &arguments.base {
        Some(revision) => Box::new(repository.tree(&repository.commit(revision)?)),
        None => Box::new(repository.working_tree()),
    };
    let versions = gate::rendered_versions(&*tree, files)?;
    write_argument_file(path, versions.text().as_bytes())
        .map_err(|error| CommandError::Write { path: path.to_owned(), error })
}
