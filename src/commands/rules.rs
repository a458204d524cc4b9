use std::io;

use super::{Exit, Process};
use crate::kustomize::nearest;
use crate::policy::{Rule, catalog};

pub(super) fn list(process: &mut Process<'_>) -> io::Result<Exit> {
    with_catalog(process, |rules, process| {
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in rules {
            let severity = rule.metadata.custom.severity.describe();
            writeln!(process.out, "{:width$}  {} [{severity}]", rule.id, rule.metadata.title)?;
        }
        Ok(Exit::Allowed)
    })
}

pub(super) fn explain(id: &str, process: &mut Process<'_>) -> io::Result<Exit> {
    with_catalog(process, |rules, process| {
        let Some(rule) = rules.iter().find(|rule| rule.id == id) else {
            writeln!(process.err, "error: there is no rule `{id}`")?;
            let known: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
            match nearest(id, &known) {
                Some(near) => writeln!(process.err, "  help: did you mean `{near}`?")?,
                None => writeln!(process.err, "  help: `tollgate rules` lists them")?,
            }
            return Ok(Exit::Undecided);
        };
        let metadata = &rule.metadata;
        writeln!(process.out, "{}: {}\n", rule.id, metadata.title)?;
        writeln!(process.out, "{}\n", metadata.description.trim_end())?;
        writeln!(process.out, "severity: {}", metadata.custom.severity.describe())?;
        if !metadata.custom.needs.is_empty() {
            writeln!(process.out, "needs: {}", metadata.custom.needs.join(", "))?;
        }
        for (name, value) in &metadata.custom.parameters {
            writeln!(process.out, "parameter: {name}, usually {value}")?;
        }
        writeln!(process.out, "what to do: {}\n\n{}", metadata.custom.help, rule.policy.trim_end())?;
        Ok(Exit::Allowed)
    })
}

fn with_catalog(
    process: &mut Process<'_>,
    work: impl FnOnce(&'static [Rule], &mut Process<'_>) -> io::Result<Exit>,
) -> io::Result<Exit> {
    match catalog() {
        Ok(rules) => work(rules, process),
        Err(why) => {
            writeln!(process.err, "error: the built-in rules are broken: {why}")?;
            Ok(Exit::Undecided)
        }
    }
}
