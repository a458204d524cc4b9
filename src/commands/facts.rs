use std::io::{self, Write as _};

use super::check::{undecided, with_request};
use super::shared::publish_json;
use super::{Exit, Invocation};
use crate::cli::JudgeArguments;
use crate::gate;

pub(super) fn run(arguments: &JudgeArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let files = arguments.sources.files();
    let shown = with_request(arguments, invocation, |request| {
        let mut documents = Vec::new();
        gate::show_facts(request, &files, &mut |input| {
            documents.push(serde_json::to_string_pretty(input).unwrap_or_default());
        })?;
        Ok(documents)
    });
    let documents = match shown {
        Ok(documents) => documents,
        Err(error) => return undecided(&error, &files, invocation),
    };
    publish_json(&files, invocation.out, |out| documents.iter().try_for_each(|document| writeln!(out, "{document}")))?;
    Ok(Exit::Allowed)
}
