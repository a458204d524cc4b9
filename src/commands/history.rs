use std::io;

use super::shared::{CommandError, explain_error, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{HistoryArguments, TableFormat};
use crate::config::Config;
use crate::facts::FullHistory;
use crate::gate::{self, GateError};
use crate::kustomize::ParsedFiles;
use crate::model::{OverlayFilter, Overlays};
use crate::report::history;
use crate::sources::{Commit, Repository};

pub(super) fn run(arguments: &HistoryArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    let now = invocation.now.timestamp();
    let read = Declared::open(arguments, &files).and_then(|declared| {
        let live = declared.history(arguments, &files, now)?;
        Ok((live, declared.config))
    });
    match read {
        Ok((live, config)) => {
            match arguments.format {
                TableFormat::Human => history::human(&live, &config, now, invocation.out)?,
                TableFormat::Json => history::json(&live, &config, invocation.out)?,
                TableFormat::Markdown => history::markdown(&live, &config, now, invocation.out)?,
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
        let (config, overlays) = gate::overlays(&repository.tree(&tip), files)?;
        Ok(Self { repository, tip, config, overlays })
    }

    /// What was live where, as far as the arguments ask for it.
    pub(super) fn history(
        &self,
        arguments: &HistoryArguments,
        files: &ParsedFiles,
        now: i64,
    ) -> Result<FullHistory, CommandError> {
        let environment = arguments.env.as_ref().map(|name| gate::environment(&self.config, name)).transpose()?;
        let filter = OverlayFilter { app: arguments.app.as_deref(), environment };
        let tip = (&self.tip, self.overlays.clone());
        let live = FullHistory::read(&self.repository, files, &self.config, tip, filter, now);
        let live = live.map_err(GateError::from)?;
        match &arguments.app {
            Some(app) if live.live.is_empty() && live.gaps.is_empty() => Err(GateError::UnknownApp(app.clone()).into()),
            _ => Ok(live),
        }
    }
}
