use std::io;

use super::shared::{CommandError, explain_error, publish, publish_json, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{HistoryArguments, TableFormat};
use crate::config::Config;
use crate::facts::{HistorySource, LiveHistory};
use crate::gate::{self, GateError};
use crate::kustomize::ParsedFiles;
use crate::model::{OverlayFilter, Overlays};
use crate::report::history as report;
use crate::sources::{Commit, Repository};

pub(super) fn run(arguments: &HistoryArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.sources.files();
    let now = invocation.now.timestamp();
    let read = Declared::open(arguments, &files).and_then(|declared| {
        let history = LiveHistory::all(&declared.source(arguments, &files, invocation)?).map_err(GateError::from)?;
        match &arguments.app {
            Some(app) if history.live.is_empty() && history.gaps.is_empty() => {
                Err(GateError::UnknownApp(app.clone()).into())
            }
            _ => Ok((history, declared.config)),
        }
    });
    match read {
        Ok((history, config)) => {
            match arguments.format {
                TableFormat::Human => {
                    publish(&files, invocation.out, |out| report::human(&history, &config, now, out))?;
                }
                TableFormat::Json => publish_json(&files, invocation.out, |out| report::json(&history, &config, out))?,
                TableFormat::Markdown => {
                    publish(&files, invocation.out, |out| report::markdown(&history, &config, now, out))?;
                }
            }
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

/// What the tip of the base branch declares.
pub(super) struct Declared {
    pub(super) repository: Repository,
    pub(super) tip: Commit,
    pub(super) config: Config,
    pub(super) overlays: Overlays,
}

impl Declared {
    pub(super) fn open(arguments: &HistoryArguments, files: &ParsedFiles) -> Result<Self, CommandError> {
        let repository = repository_in(&arguments.repo)?;
        let tip = tip(&repository, arguments.base.as_deref())?;
        let (config, overlays) = gate::overlays_at(&repository, &tip, files)?;
        Ok(Self { repository, tip, config, overlays })
    }

    /// Where to read what was live, as far as the arguments ask for it.
    pub(super) fn source<'a>(
        &'a self,
        arguments: &'a HistoryArguments,
        files: &'a ParsedFiles,
        invocation: &'a Invocation<'_>,
    ) -> Result<HistorySource<'a>, CommandError> {
        let Self { repository, tip, config, overlays } = self;
        let environment = arguments.env.as_ref().map(|name| gate::environment(config, name)).transpose()?;
        let filter = OverlayFilter { app: arguments.app.as_deref(), environment };
        let (now, progress) = (invocation.now.timestamp(), invocation.progress);
        Ok(HistorySource { repository, files, config, tip, overlays, filter, now, progress })
    }
}
