use std::io;

use super::check::{undecided, with_request};
use super::{Exit, Invocation};
use crate::cli::JudgeArguments;
use crate::gate;
use crate::kustomize::ParsedFiles;

pub(super) fn run(arguments: &JudgeArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = ParsedFiles::default();
    let mut documents = Vec::new();
    let shown = with_request(arguments, invocation, |request| {
        gate::show_facts(request, &files, &mut |input| {
            documents.push(serde_json::to_string_pretty(input).unwrap_or_default());
        })
    });
    if let Err(error) = shown {
        return undecided(&error, &files, invocation);
    }
    for document in documents {
        writeln!(invocation.out, "{document}")?;
    }
    Ok(Exit::Allowed)
}
