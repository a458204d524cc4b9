use std::io;

use super::check::{applied, gate_error, repository_in};
use super::{Exit, Process};
use crate::cli::{PromoteArguments, PromoteFormat};
use crate::gate::{self, GateError, Wish};
use crate::kustomize::ParsedFiles;
use crate::report::check::human;
use crate::report::escape::printable;
use crate::report::promotion::{self, Promotion};
use crate::sources::{RepoPath, Repository, Tree, write_below};

pub(super) fn run(arguments: &PromoteArguments, process: &mut Process<'_>) -> io::Result<Exit> {
    let parsed = ParsedFiles::default();
    let planned = repository_in(&arguments.repo).map_err(GateError::from).and_then(|repository| {
        let tip = match &arguments.base {
            Some(revision) => repository.commit(revision)?,
            None => repository.default_branch()?,
        };
        let applied = applied(&arguments.reports)?;
        let wish = Wish {
            app: &arguments.app,
            environment: &arguments.to,
            image: arguments.image.as_deref(),
            digest: arguments.digest.as_deref(),
            applied: applied.as_deref(),
            now: process.now,
        };
        let planned = gate::promote(&repository, &tip, &wish, &parsed)?;
        if let Some((promotion, report)) = &planned
            && report.passes()
        {
            write(promotion, &repository, &repository.tree(&tip))?;
        }
        Ok(planned)
    });
    match planned {
        Ok(Some((promotion, report))) if report.passes() => {
            match arguments.format {
                PromoteFormat::Human => promotion::human(&promotion, &report, process.out)?,
                PromoteFormat::Json => promotion::json(&promotion, &report, process.out)?,
            }
            Ok(Exit::Allowed)
        }
        Ok(Some((_, report))) => {
            human::write(&report, &parsed.files, process.colours, process.err)?;
            writeln!(process.err, "nothing was written: the gate would refuse it")?;
            Ok(Exit::Refused)
        }
        Ok(None) => {
            let (app, environment) = (printable(&arguments.app), printable(&arguments.to));
            writeln!(process.err, "nothing to do: {app} runs this in {environment} already")?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            gate_error(&error, &parsed, process)?;
            writeln!(process.err, "nothing was written")?;
            Ok(Exit::Undecided)
        }
    }
}

/// Writes into the working tree, which must have the files as they were judged; line breaks may be those of Windows, as
/// Git checks files out there.
fn write(promotion: &Promotion, repository: &Repository, base: &dyn Tree) -> Result<(), GateError> {
    let tree = repository.working_tree();
    let mut texts = Vec::new();
    for (path, text) in &promotion.files {
        let (found, judged) = (content(&tree, path)?, content(base, path)?);
        let known = [&judged, &Some(text.clone())];
        if known.contains(&&found) {
            texts.push((path, text.clone()));
        } else if known.iter().any(|known| known.as_deref().map(windows) == found) {
            texts.push((path, windows(text)));
        } else {
            return Err(GateError::Unfit {
                message: format!("`{path}` differs here from the branch that the promotion is made for"),
                help:
                    "check that branch out first (`git switch -c promote origin/main`), so that its tip is what changes"
                        .to_owned(),
            });
        }
    }
    for (path, text) in texts {
        write_below(repository.root(), path, Some(text.as_bytes())).map_err(|error| GateError::Unfit {
            message: format!("cannot write `{path}`: {error}"),
            help: "files written before it are changed already; `git checkout -- .` takes them back".to_owned(),
        })?;
    }
    Ok(())
}

fn content(tree: &dyn Tree, path: &RepoPath) -> Result<Option<String>, GateError> {
    Ok(tree.read(path)?.map(|(_, content)| String::from_utf8_lossy(&content).into_owned()))
}

/// A text with the line breaks of Windows.
fn windows(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
