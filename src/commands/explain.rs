use std::io::{self, Write};
use std::path::Path;

use super::rules::all_rules;
use super::shared::repository_in;
use super::{Exit, Invocation};
use crate::cli::ExplainArguments;
use crate::facts::Need;
use crate::kustomize::nearest;
use crate::policy::{Rule, TeamRule};
use crate::report::escape::printable;
use crate::sources::{RepoPath, Tree as _};

pub(super) fn run(arguments: &ExplainArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let id = &arguments.rule;
    let Some((rules, of_teams)) = all_rules(&arguments.repo, invocation)? else { return Ok(Exit::Undecided) };
    if let Some(rule) = rules.iter().find(|rule| rule.id == id) {
        return explain(rule, invocation);
    }
    if let Some(rule) = of_teams.iter().find(|rule| rule.id == *id) {
        return explain_own(rule, &arguments.repo, invocation);
    }
    writeln!(invocation.err, "error: there is no rule `{}`", printable(id))?;
    let known: Vec<&str> =
        rules.iter().map(|rule| rule.id).chain(of_teams.iter().map(|rule| rule.id.as_str())).collect();
    match nearest(id, &known) {
        Some(near) => writeln!(invocation.err, "  help: did you mean `{near}`?")?,
        None => writeln!(invocation.err, "  help: `tollgate rules` lists them")?,
    }
    Ok(Exit::Undecided)
}

fn explain(rule: &Rule, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let metadata = &rule.metadata;
    writeln!(invocation.out, "{}: {}\n", rule.id, printable(&metadata.title))?;
    for line in metadata.description.trim_end().lines() {
        writeln!(invocation.out, "{}", printable(line))?;
    }
    writeln!(invocation.out, "\nseverity: {}", metadata.custom.severity.describe())?;
    if !metadata.custom.needs.is_empty() {
        let needs: Vec<&str> = metadata.custom.needs.iter().map(|need| Need::name(*need)).collect();
        writeln!(invocation.out, "needs: {}", needs.join(", "))?;
    }
    for (name, value) in &metadata.custom.parameters {
        writeln!(invocation.out, "parameter: {}, by default {}", printable(name), printable(&value.to_string()))?;
    }
    writeln!(invocation.out, "what to do: {}", printable(&metadata.custom.help))?;
    match rule.file {
        Some(file) => writeln!(invocation.out, "written in: {}", printable(file))?,
        None => write_example(rule, invocation)?,
    }
    writeln!(invocation.out, "\nthe rule:\n")?;
    for line in rule.policy.trim_end().lines() {
        writeln!(invocation.out, "{}", printable(line))?;
    }
    Ok(Exit::Allowed)
}

/// Where a rule of the repository's own policies is written, and what is written there.
fn explain_own(rule: &TeamRule, folder: &Path, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let TeamRule { id, declared, judges } = rule;
    let out = &mut *invocation.out;
    writeln!(
        out,
        "{}: a rule of the repository's own policies, {}:{}",
        printable(id),
        printable(&declared.path),
        declared.line
    )?;
    if !judges {
        writeln!(out, "it changes or makes objects, which is not applied: nothing is judged by it")?;
    }
    writeln!(out, "severity: as the policy says, or as `rules` in tollgate.yaml does: error, warning or off")?;
    let text = RepoPath::new(&declared.path)
        .zip(repository_in(folder).ok())
        .and_then(|(path, repository)| repository.working_tree().read(&path).ok().flatten())
        .map(|(_, content)| String::from_utf8_lossy(&content).into_owned());
    if let Some(text) = text {
        writeln!(out, "\nthe policy:\n")?;
        for line in text.trim_end().lines() {
            writeln!(out, "{}", printable(line))?;
        }
    }
    Ok(Exit::Allowed)
}

/// A change that the rule finds something in, what it says, and what following its help comes to.
fn write_example(rule: &Rule, invocation: &mut Invocation<'_>) -> io::Result<()> {
    let sections = rule.example.split("\n//- ").skip(1).filter_map(|section| section.split_once('\n'));
    let sections: Vec<(&str, &str)> = sections.collect();
    let why = rule.example.lines().find_map(|line| line.strip_prefix("why: ")).unwrap_or_default().trim_matches('"');
    writeln!(invocation.out, "\nfor example: {why}\n")?;
    write_sections(&sections, "head/", "the change makes", invocation.out)?;
    if let Some((_, expected)) = sections.iter().find(|(name, _)| *name == "expected") {
        writeln!(invocation.out, "\n{}\n", expected.split_once("\n\n").map_or(*expected, |(_, told)| told).trim_end())?;
    }
    write_sections(&sections, "landed/", "it has nothing to say once the base branch has", invocation.out)?;
    write_sections(&sections, "helped/", "it has nothing to say if the change makes", invocation.out)
}

fn write_sections(sections: &[(&str, &str)], folder: &str, title: &str, out: &mut dyn Write) -> io::Result<()> {
    for (name, text) in sections {
        let Some(path) = name.strip_prefix(folder) else { continue };
        writeln!(out, "{title} `{path}`:")?;
        for line in text.trim_end().lines() {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}
