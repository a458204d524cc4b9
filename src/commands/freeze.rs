use std::io;

use super::shared::{CommandError, explain_error, publish, publish_json, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{FreezeArguments, FreezeFormat};
use crate::config::Config;
use crate::facts::sync_windows::all_windows;
use crate::gate;
use crate::kustomize::{ParsedFiles, Project};
use crate::report::freezes::Freezes;

pub(super) fn run(arguments: &FreezeArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    match read(arguments, &files) {
        Ok((config, projects)) => {
            let now = arguments.now.unwrap_or(invocation.now);
            let sync_windows = all_windows(&projects, now);
            let freezes = Freezes { config: &config, environment: arguments.env.as_deref(), sync_windows, now };
            match arguments.format {
                FreezeFormat::Human => publish(&files, invocation.out, |out| freezes.human(out))?,
                FreezeFormat::Json => publish_json(&files, invocation.out, |out| freezes.json(out))?,
                FreezeFormat::Ics => publish(&files, invocation.out, |out| freezes.ics(out))?,
            }
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

/// The configuration, and Argo CD's projects.
fn read(arguments: &FreezeArguments, files: &ParsedFiles) -> Result<(Config, Vec<Project>), CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let tip = tip(&repository, arguments.base.as_deref())?;
    let (config, overlays) = gate::overlays_at(&repository, &tip, files)?;
    if let Some(name) = &arguments.env {
        gate::environment(&config, name)?;
    }
    Ok((config, overlays.projects))
}
