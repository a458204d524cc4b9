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
    with_catalog(invocation, |rules, invocation| {
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in rules {
            let severity = rule.metadata.custom.severity.describe();
            writeln!(invocation.out, "{:width$}  {} [{severity}]", rule.id, rule.metadata.title)?;
        }
        let Some(own) = team_rules(&arguments.repo, invocation)? else { return Ok(Exit::Undecided) };
        for rule in own {
            let TeamRule { id, declared, judges } = &rule;
            let place = format!("{}:{}", printable(&declared.path), declared.line);
            let what = if *judges { "" } else { " (changes or makes objects, which is not applied)" };
            writeln!(invocation.out, "{:width$}  {place}{what}", printable(id))?;
        }
        Ok(Exit::Allowed)
    })
}

/// The rules of the repository's own policies, in the working tree; none outside of a repository. `None` where they cannot be read, which
/// has been told.
pub(super) fn team_rules(folder: &Path, invocation: &mut Invocation<'_>) -> io::Result<Option<Vec<TeamRule>>> {
    let files = ParsedFiles::default();
    let Ok(repository) = repository_in(folder) else { return Ok(Some(Vec::new())) };
    match gate::team_rules(&repository.working_tree(), &files) {
        Ok(rules) => Ok(Some(rules)),
        Err(error) => {
            explain_error(&error.into(), &files, invocation)?;
            Ok(None)
        }
    }
}

/// Does work on the built-in rules.
pub(super) fn with_catalog(
    invocation: &mut Invocation<'_>,
    work: impl FnOnce(&'static [Rule], &mut Invocation<'_>) -> io::Result<Exit>,
) -> io::Result<Exit> {
    match catalog() {
        Ok(rules) => work(rules, invocation),
        Err(why) => {
            writeln!(invocation.err, "error: the built-in rules are broken: {why}")?;
            Ok(Exit::Undecided)
        }
    }
}
