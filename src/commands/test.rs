use std::io;

use super::shared::{CommandError, explain_error, repository_in};
use super::{Exit, Invocation};
use crate::cli::TestArguments;
use crate::gate::{self, GateError, TestedFolder};
use crate::kustomize::ParsedFiles;
use crate::report::escape::printable;
use crate::sources::RepoPath;
use crate::words::count;

pub(super) fn run(arguments: &TestArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    match tested(arguments, &files) {
        Ok(folders) => tell(&folders, arguments, invocation),
        Err(error) => {
            explain_error(&error, &files, invocation)?;
            Ok(Exit::Undecided)
        }
    }
}

fn tested(arguments: &TestArguments, files: &ParsedFiles) -> Result<Vec<TestedFolder>, CommandError> {
    let repository = repository_in(&arguments.repo)?;
    let folder = match &arguments.folder {
        None => None,
        Some(name) => Some(RepoPath::new(name.trim_end_matches('/')).ok_or_else(|| {
            let why = "it is not a path in this repository".to_owned();
            GateError::Policies { folder: name.clone(), why }
        })?),
    };
    Ok(gate::test_policies(&repository.working_tree(), folder.as_ref(), files)?)
}

fn tell(folders: &[TestedFolder], arguments: &TestArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let tests: Vec<_> = folders.iter().flat_map(|folder| &folder.tests).collect();
    if tests.is_empty() {
        let none =
            "no rule `test_…`, no `kyverno-test.yaml` and no suite of Gatekeeper in a folder that `policies` names";
        writeln!(invocation.err, "error: there is no test: {none}")?;
        writeln!(invocation.err, "  help: write one, or name a folder: `tollgate test DIR`")?;
        return Ok(Exit::Undecided);
    }
    let mut failed = 0;
    for test in &tests {
        if let Some(why) = &test.failure {
            failed += 1;
            let rule = &test.rule;
            writeln!(
                invocation.out,
                "failed: {}:{}: {}.{}: {}",
                printable(&rule.path),
                rule.line,
                printable(&rule.package),
                printable(&rule.name),
                printable(why)
            )?;
        }
    }
    let reached: Vec<_> = folders.iter().flat_map(|folder| &folder.reached).collect();
    for file in reached.iter().filter(|file| !file.missed.is_empty()) {
        let lines: Vec<String> = file.missed.iter().map(ToString::to_string).collect();
        writeln!(invocation.out, "not reached: {}: {}", printable(&file.path), lines.join(", "))?;
    }
    let left_out: usize = folders.iter().map(|folder| folder.left_out).sum();
    if left_out > 0 {
        writeln!(
            invocation.out,
            "not looked at: {}, about rules that change or make objects",
            count(left_out, "result")
        )?;
    }
    let hit: usize = reached.iter().map(|file| file.lines).sum();
    let missed: usize = reached.iter().map(|file| file.missed.len()).sum();
    let percent = (hit * 100).checked_div(hit + missed).unwrap_or(100);
    writeln!(
        invocation.out,
        "{}, {} failed; {percent} % of the lines of policies are reached",
        count(tests.len(), "test"),
        failed
    )?;
    let is_enough = percent >= usize::from(arguments.threshold);
    if !is_enough {
        writeln!(invocation.out, "that is less than the {} % that `--threshold` asks for", arguments.threshold)?;
    }
    Ok(if failed == 0 && is_enough { Exit::Allowed } else { Exit::Refused })
}
