use std::io;

use chrono::{DateTime, Utc};

use super::forges::{number, requests};
use super::shared::{CommandError, explain_error};
use super::{Exit, Invocation};
use crate::cli::RecheckArguments;
use crate::forge::{Due, ForgeError, OpenRequest, Requests};
use crate::kustomize::ParsedFiles;
use crate::report::escape::printable;
use crate::sources::CiVariables;
use crate::words::moment;

pub(super) fn run(arguments: &RecheckArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let (forge, open) = match ask(arguments, invocation) {
        Ok(asked) => asked,
        Err(error) => return fail(&error, invocation),
    };
    if open.is_empty() {
        writeln!(invocation.out, "no open request")?;
    }
    let mut exit = Exit::Allowed;
    for request in &open {
        match recheck(forge.as_ref(), request, arguments, invocation.now) {
            Ok(line) => writeln!(invocation.out, "{}: {}", request.number, printable(&line))?,
            // One check that cannot be run again does not keep others from it.
            Err(error @ ForgeError::Refused { status: 403 | 404 | 409 | 422, .. }) => {
                writeln!(invocation.out, "{}: {}", request.number, printable(&error.to_string()))?;
                exit = Exit::Undecided;
            }
            Err(error) => return fail(&error.into(), invocation),
        }
    }
    Ok(exit)
}

fn fail(error: &CommandError, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    explain_error(error, &ParsedFiles::default(), invocation)?;
    Ok(Exit::Undecided)
}

fn ask(
    arguments: &RecheckArguments,
    invocation: &Invocation<'_>,
) -> Result<(Box<dyn Requests>, Vec<OpenRequest>), CommandError> {
    let RecheckArguments { forge, project, .. } = arguments;
    let only = match arguments.number {
        Some(number) => Some(number),
        None => number(*forge, &CiVariables::new(invocation.variables))?,
    };
    let forge = requests(*forge, project.as_deref(), invocation)?;
    let mut open = forge.open()?;
    open.retain(|request| only.is_none_or(|only| request.number == only));
    Ok((forge, open))
}

/// What became of a request's check.
fn recheck(
    forge: &dyn Requests,
    request: &OpenRequest,
    arguments: &RecheckArguments,
    now: DateTime<Utc>,
) -> Result<String, ForgeError> {
    let Some(check) = forge.last_check(request, &arguments.check)? else {
        return Ok(format!("it has no check `{}` (`--check` names another)", arguments.check));
    };
    let why = match check.due(now) {
        None if check.is_completed => return Ok("its answer holds".to_owned()),
        None => return Ok("its check has not ended".to_owned()),
        Some(Due::Outdated(until)) => format!("its answer held until {}", moment(until.timestamp())),
        Some(Due::Reviewed(at)) => format!("it was reviewed at {}", moment(at.timestamp())),
    };
    forge.run_again(&check)?;
    Ok(format!("run again: {why}"))
}
