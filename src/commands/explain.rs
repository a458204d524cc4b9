use std::io;

use super::rules::with_catalog;
use super::{Exit, Invocation};
use crate::cli::ExplainArguments;
use crate::facts::Need;
use crate::kustomize::nearest;
use crate::report::escape::printable;

pub(super) fn run(arguments: &ExplainArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let id = &arguments.rule;
    with_catalog(invocation, |rules, invocation| {
        let Some(rule) = rules.iter().find(|rule| rule.id == id) else {
            writeln!(invocation.err, "error: there is no rule `{}`", printable(id))?;
            let known: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
            match nearest(id, &known) {
                Some(near) => writeln!(invocation.err, "  help: did you mean `{near}`?")?,
                None => writeln!(invocation.err, "  help: `tollgate rules` lists them")?,
            }
            return Ok(Exit::Undecided);
        };
        let metadata = &rule.metadata;
        writeln!(invocation.out, "{}: {}\n", rule.id, metadata.title)?;
        writeln!(invocation.out, "{}\n", metadata.description.trim_end())?;
        writeln!(invocation.out, "severity: {}", metadata.custom.severity.describe())?;
        if !metadata.custom.needs.is_empty() {
            let needs: Vec<&str> = metadata.custom.needs.iter().map(|need| Need::name(*need)).collect();
            writeln!(invocation.out, "needs: {}", needs.join(", "))?;
        }
        for (name, value) in &metadata.custom.parameters {
            writeln!(invocation.out, "parameter: {name}, by default {value}")?;
        }
        writeln!(invocation.out, "what to do: {}\n\n{}", metadata.custom.help, rule.policy.trim_end())?;
        Ok(Exit::Allowed)
    })
}
