use std::io;

use super::forges::{number, requests};
use super::shared::{CommandError, explain_error};
use super::{Exit, Invocation};
use crate::cli::CommentArguments;
use crate::forge::ForgeError;
use crate::kustomize::ParsedFiles;
use crate::sources::{CiVariables, read_argument_file};

/// How the comment begins, so that it is found again; it is not seen.
const MARKER: &str = "<!-- tollgate -->";
/// How many characters a comment may have on GitHub; GitLab takes more.
const MOST: usize = 65_536;

pub(super) fn run(arguments: &CommentArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    match write(arguments, invocation) {
        Ok(()) => Ok(Exit::Allowed),
        Err(error) => {
            explain_error(&error, &ParsedFiles::default(), invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

fn write(arguments: &CommentArguments, invocation: &Invocation<'_>) -> Result<(), CommandError> {
    let CommentArguments { forge, project, body, .. } = arguments;
    let unreadable = |error| CommandError::Read {
        path: body.clone(),
        error,
        help: "`--body` names a file such as `tollgate check --output markdown=FILE` writes",
    };
    let text = format!("{MARKER}\n{}", read_argument_file(body).map_err(unreadable)?);
    if text.chars().count() > MOST {
        return Err(unreadable(io::Error::other(format!("it has more than the {MOST} characters of a comment"))));
    }
    let number = match arguments.number {
        Some(number) => Some(number),
        None => number(*forge, &CiVariables::new(invocation.variables))?,
    };
    let number = number.ok_or(ForgeError::Unnamed("request is meant", "name it with `--number N`"))?;
    requests(*forge, project.as_deref(), invocation)?.comment(number, MARKER, &text, !arguments.existing)?;
    Ok(())
}
