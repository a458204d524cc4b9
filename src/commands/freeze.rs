use std::io;

use super::shared::{CommandError, explain_error, publish, publish_json, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{FreezeArguments, FreezeFormat};
use crate::config::Config;
use crate::gate;
use crate::kustomize::ParsedFiles;
use crate::report::freezes::Freezes;

pub(super) fn run(arguments: &FreezeArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    match read(arguments, &files) {
        Ok(config) => {
            let now = arguments.now.unwrap_or(invocation.now);
            let freezes = Freezes { config: &config, environment: arguments.env.as_deref(), now };
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

fn read(arguments: &FreezeArguments, files: &ParsedFiles) -> Result<Config, CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let tip = tip(&repository, arguments.base.as_deref())?;
    let config = gate::config_at(&repository, &tip, files)?;
    if let Some(name) = &arguments.env {
        gate::environment(&config, name)?;
    }
    Ok(config)
}
