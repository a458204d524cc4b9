use std::io;

use super::check::{gate_error, render_error, repository_in, sides};
use super::{Exit, Process};
use crate::cli::DiffArguments;
use crate::gate::{GateError, of_change, of_environments};
use crate::kustomize::ParsedFiles;
use crate::report::diff::{self, Difference};
use crate::report::escape::printable;
use crate::words::count;

pub(super) fn run(arguments: &DiffArguments, process: &mut Process<'_>) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    match differences(arguments, &parsed, process.variables) {
        Ok(differences) => {
            let differing = diff::write(&differences, process.out)?;
            let is_shown = |difference: &&Difference| difference.sides.iter().all(Result::is_ok);
            let shown = differences.iter().filter(is_shown).count();
            for (name, side) in differences.iter().flat_map(|difference| difference.names.iter().zip(&difference.sides))
            {
                if let Err(error) = side {
                    writeln!(process.err, "{} does not render:", printable(name))?;
                    render_error(error, &parsed, process)?;
                }
            }
            let compared = count(shown, "overlay");
            writeln!(process.err, "{compared} compared, {differing} with differences")?;
            Ok(if shown == differences.len() { Exit::Allowed } else { Exit::Undecided })
        }
        Err(error) => {
            gate_error(&error, &parsed, process)?;
            Ok(Exit::Undecided)
        }
    }
}

fn differences(
    arguments: &DiffArguments,
    parsed: &ParsedFiles,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Difference>, GateError> {
    let change = &arguments.change;
    let app = arguments.app.as_deref();
    if let [from, to] = &arguments.env[..] {
        let names = [from.as_str(), to.as_str()];
        let repository = repository_in(&change.repo)?;
        return match &change.head {
            Some(revision) => of_environments(&repository.tree(&repository.commit(revision)?), parsed, app, names),
            None => of_environments(&repository.working_tree(), parsed, app, names),
        };
    }
    if arguments.env.len() > 2 {
        return Err(GateError::Unfit {
            message: format!("{} environments cannot be compared at once", arguments.env.len()),
            help: "give `--env` twice: what differs from the first in the second is shown".to_owned(),
        });
    }
    let (_, judged) = sides(change, variables)?;
    of_change(&judged, parsed, app, arguments.env.first().map(String::as_str))
}
