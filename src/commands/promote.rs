use std::io;

use super::shared::{CommandError, applied, explain_error, publish, publish_json, repository_in, tip};
use super::{Exit, Invocation};
use crate::cli::{PromoteArguments, PromoteFormat};
use crate::gate::{self, GateError, PromotionRequest};
use crate::kustomize::ParsedFiles;
use crate::report::check::{Report, Verdict, human};
use crate::report::escape::printable;
use crate::report::promotion::{self, Promotion};
use crate::sources::{RepoPath, Repository, Tree, write_below};

pub(super) fn run(arguments: &PromoteArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.sources.files();
    match promote(arguments, &files, invocation) {
        Ok(Some((promotion, report))) if report.verdict() == Verdict::Pass => {
            match arguments.format {
                PromoteFormat::Human => {
                    publish(&files, invocation.out, |out| promotion::human(&promotion, &report, out))?;
                }
                PromoteFormat::Json => {
                    publish_json(&files, invocation.out, |out| promotion::json(&promotion, &report, out))?;
                }
            }
            Ok(Exit::Allowed)
        }
        Ok(Some((_, report))) => {
            human::write(&report, &files.files, invocation.style, invocation.err)?;
            writeln!(invocation.err, "nothing was written: the gate would refuse it")?;
            Ok(Exit::Refused)
        }
        Ok(None) => {
            let (app, environment) = (printable(&arguments.app), printable(&arguments.to));
            writeln!(invocation.err, "nothing to do: {app} runs this in {environment} already")?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            if !matches!(&error, CommandError::WritePromotion { written, .. } if !written.is_empty()) {
                writeln!(invocation.err, "nothing was written")?;
            }
            Ok(Exit::Undecided)
        }
    }
}

/// Plans the promotion, has the gate judge it, and writes it if the gate would allow it.
fn promote(
    arguments: &PromoteArguments,
    files: &ParsedFiles,
    invocation: &Invocation<'_>,
) -> Result<Option<(Promotion, Report)>, CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let tip = tip(&repository, arguments.base.as_deref())?;
    let reports = applied(&arguments.reports)?;
    let request = PromotionRequest {
        app: &arguments.app,
        environment: &arguments.to,
        image: arguments.image.as_deref(),
        digest: arguments.digest.as_deref(),
        reports: reports.as_deref(),
        now: invocation.now,
    };
    let planned = gate::promote(&repository, &tip, &request, files)?;
    if let Some((promotion, report)) = &planned
        && report.verdict() == Verdict::Pass
    {
        write(promotion, &repository, &repository.tree(&tip))?;
    }
    Ok(planned)
}

/// Writes into the working tree, which must have the files as they were judged; line breaks may be those of Windows, as
/// Git checks files out there.
fn write(promotion: &Promotion, repository: &Repository, base: &dyn Tree) -> Result<(), CommandError> {
    let tree = repository.working_tree();
    let mut texts = Vec::new();
    for (path, text) in &promotion.files {
        let (found, judged) = (content(&tree, path)?, content(base, path)?);
        let known = [&judged, &Some(text.clone())];
        if known.contains(&&found) {
            texts.push((path, text.clone()));
        } else if known.iter().any(|known| known.as_deref().map(with_windows_line_breaks) == found) {
            texts.push((path, with_windows_line_breaks(text)));
        } else {
            return Err(CommandError::DiffersHere(path.clone()));
        }
    }
    let mut written = Vec::new();
    for (path, text) in texts {
        if let Err(error) = write_below(repository.root(), path, Some(text.as_bytes())) {
            return Err(CommandError::WritePromotion { path: path.clone(), error, written });
        }
        written.push(path.clone());
    }
    Ok(())
}

fn content(tree: &dyn Tree, path: &RepoPath) -> Result<Option<String>, GateError> {
    Ok(tree.read(path)?.map(|(_, content)| String::from_utf8_lossy(&content).into_owned()))
}

fn with_windows_line_breaks(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}
