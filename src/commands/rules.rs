use std::io;

use super::{Exit, Invocation};
use crate::policy::{Rule, catalog};

pub(super) fn run(invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    with_catalog(invocation, |rules, invocation| {
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in rules {
            let severity = rule.metadata.custom.severity.describe();
            writeln!(invocation.out, "{:width$}  {} [{severity}]", rule.id, rule.metadata.title)?;
        }
        Ok(Exit::Allowed)
    })
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
