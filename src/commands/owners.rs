use std::io::{self, Write};

use super::shared::{CommandError, ci_dialect, explain_error, publish, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::OwnersArguments;
use crate::facts::Codeowners;
use crate::gate::{self, GateError};
use crate::kustomize::ParsedFiles;
use crate::report::escape::printable;
use crate::sources::RepoPath;

pub(super) fn run(arguments: &OwnersArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    let read = read(arguments, &files, invocation);
    match read {
        Ok(owners) => {
            publish(&files, invocation.out, |out| write(&owners, arguments, &files, out))?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

fn read(
    arguments: &OwnersArguments,
    files: &ParsedFiles,
    invocation: &Invocation<'_>,
) -> Result<Codeowners, CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let tip = tip(&repository, arguments.base.as_deref())?;
    let owners = gate::owners_at(&repository, &tip, files, ci_dialect(invocation.variables))?;
    if owners.file.is_none() {
        return Err(GateError::NoCodeowners.into());
    }
    Ok(owners)
}

fn write(owners: &Codeowners, arguments: &OwnersArguments, files: &ParsedFiles, out: &mut Vec<u8>) -> io::Result<()> {
    for path in &arguments.paths {
        writeln!(out, "{}", printable(path))?;
        let rules = RepoPath::root().join(path).map(|path| owners.all_of(&path)).unwrap_or_default();
        if rules.is_empty() {
            writeln!(out, "  no line matches: nobody owns it")?;
        }
        for rule in rules.iter().rev() {
            let place = files.files.location(rule.span);
            let who = match (rule.owners.as_slice(), rule.needed) {
                ([], _) => "nobody: the line names no owner".to_owned(),
                (owners, 0) => format!("{} (optional)", owners.join(" ")),
                (owners, 1) => owners.join(" "),
                (owners, needed) => format!("{} ({needed} must approve)", owners.join(" ")),
            };
            writeln!(out, "  {}:{}  {}  {}", place.path, place.line, printable(&rule.pattern), printable(&who))?;
        }
    }
    for line in &owners.invalid {
        let place = files.files.location(line.span);
        writeln!(out, "warning: {}:{} does not count: {}", place.path, place.line, printable(&line.why))?;
    }
    Ok(())
}
