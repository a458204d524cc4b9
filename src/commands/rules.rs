use std::io;
use std::path::Path;

use super::shared::{explain_error, repository_in};
use super::{Exit, Invocation};
use crate::cli::RulesArguments;
use crate::gate;
use crate::kustomize::ParsedFiles;
use crate::policy::{Rule, TeamRule, catalog};
use crate::report::escape::printable;

pub(super) fn run(arguments: &RulesArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let Some((rules, of_teams)) = all_rules(&arguments.repo, invocation)? else { return Ok(Exit::Undecided) };
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    for rule in rules {
        let severity = rule.metadata.custom.severity.describe();
        let (id, title) = (printable(rule.id), printable(&rule.metadata.title));
        let place = rule.file.map_or_else(String::new, |file| format!("  {}", printable(file)));
        writeln!(invocation.out, "{id:width$}  {title} [{severity}]{place}")?;
    }
    for TeamRule { id, declared, judges } in &of_teams {
        let place = format!("{}:{}", printable(&declared.path), declared.line);
        let what = if *judges { "" } else { " (changes or makes objects, which is not applied)" };
        writeln!(invocation.out, "{:width$}  {place}{what}", printable(id))?;
    }
    Ok(Exit::Allowed)
}

/// The built-in rules, and those of the repository's own policies in the working tree, where there is a repository. `None` where they
/// cannot be read, which has been told.
pub(super) fn all_rules(
    folder: &Path,
    invocation: &mut Invocation<'_>,
) -> io::Result<Option<(&'static [Rule], Vec<TeamRule>)>> {
    let files = ParsedFiles::default();
    if let Ok(repository) = repository_in(folder) {
        return match gate::all_rules(&repository.working_tree(), &files) {
            Ok(rules) => Ok(Some(rules)),
            Err(error) => {
                explain_error(&error.into(), &files, invocation)?;
                Ok(None)
            }
        };
    }
    match catalog() {
        Ok(rules) => Ok(Some((rules, Vec::new()))),
        Err(why) => {
            writeln!(invocation.err, "error: the built-in rules are broken: {why}")?;
            Ok(None)
        }
    }
}
