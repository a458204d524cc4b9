use std::io;

use super::shared::{CommandError, compared, explain_error, explain_render_error, publish, repository_in};
use super::{Exit, Invocation};
use crate::cli::DiffArguments;
use crate::gate::{of_change, of_environments};
use crate::kustomize::ParsedFiles;
use crate::report::diff::{self, Difference};
use crate::report::escape::printable;
use crate::words::count;

pub(super) fn run(arguments: &DiffArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.sources.files();
    let differences = match differences(arguments, &files, invocation.variables) {
        Ok(differences) => differences,
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            return Ok(Exit::Undecided);
        }
    };
    let mut differing = 0;
    publish(&files, invocation.out, |out| {
        differing = diff::write(&differences, out)?;
        Ok(())
    })?;
    let is_shown = |difference: &&Difference| difference.sides.iter().all(Result::is_ok);
    let shown = differences.iter().filter(is_shown).count();
    for (name, side) in differences.iter().flat_map(|difference| difference.names.iter().zip(&difference.sides)) {
        if let Err(error) = side {
            writeln!(invocation.err, "{} does not render:", printable(name))?;
            explain_render_error(error, &files, invocation)?;
        }
    }
    let compared = count(shown, "overlay");
    writeln!(invocation.err, "{compared} compared, {differing} with differences")?;
    Ok(if shown == differences.len() { Exit::Allowed } else { Exit::Undecided })
}

fn differences(
    arguments: &DiffArguments,
    files: &ParsedFiles,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Difference>, CommandError> {
    let change = &arguments.change;
    let app = arguments.app.as_deref();
    if let [from, to] = &arguments.env[..] {
        let names = [from.as_str(), to.as_str()];
        let repository = repository_in(&change.repo)?;
        return Ok(match &change.head {
            Some(revision) => of_environments(&repository.tree(&repository.commit(revision)?), files, app, names)?,
            None => of_environments(&repository.working_tree(), files, app, names)?,
        });
    }
    if arguments.env.len() > 2 {
        return Err(CommandError::TooManyEnvironments(arguments.env.len()));
    }
    let (_, comparison) = compared(change, variables)?;
    Ok(of_change(&comparison, files, app, arguments.env.first().map(String::as_str))?)
}
