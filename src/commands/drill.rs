use std::io;

use super::shared::{CommandError, explain_error, publish, publish_json, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{DrillArguments, DrillFormat};
use crate::gate;
use crate::report::drill;

pub(super) fn run(arguments: &DrillArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.sources.files();
    let attempts = || -> Result<_, CommandError> {
        let repository = repository_in(&arguments.repo)?;
        let tip = tip(&repository, arguments.base.as_deref())?;
        let now = arguments.now.unwrap_or(invocation.now);
        Ok(gate::drill(&repository, &tip, &files, arguments.app.as_deref(), now)?)
    };
    match attempts() {
        Ok(attempts) => {
            match arguments.format {
                DrillFormat::Human => publish(&files, invocation.out, |out| drill::human(&attempts, out))?,
                DrillFormat::Json => publish_json(&files, invocation.out, |out| drill::json(&attempts, out))?,
            }
            Ok(if drill::is_open(&attempts) { Exit::Refused } else { Exit::Allowed })
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}
