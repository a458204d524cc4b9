//! What each command does: reads through [`crate::sources`], writes to the given streams, says how to exit.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::progress::Progress;
use crate::report::story::Style;

mod check;
mod comment;
mod demo;
mod diff;
mod drill;
mod explain;
mod facts;
mod forges;
mod freeze;
mod history;
mod init;
mod merge;
mod owners;
mod promote;
mod recheck;
mod render;
mod review;
mod rules;
mod shared;
mod status;
mod test;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Allowed, or done.
    Allowed = 0,
    /// At least one finding closes the gate.
    Refused = 1,
    /// Could not decide.
    Undecided = 2,
}

/// What a command gets from the process.
pub struct Invocation<'a> {
    /// For results.
    pub out: &'a mut dyn Write,
    /// For everything else.
    pub err: &'a mut dyn Write,
    /// Environment variables.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// The time at which the process began.
    pub now: DateTime<Utc>,
    /// What `out` shows.
    pub style: Style,
    /// Where it is shown how far long work is.
    pub progress: &'a Progress,
}

/// Runs one command.
///
/// # Errors
/// When a stream cannot be written to.
pub fn run(cli: &Cli, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    match &cli.command {
        Command::Check(arguments) => check::run(arguments, invocation),
        Command::Render(arguments) => render::run(arguments, invocation),
        Command::Diff(arguments) => diff::run(arguments, invocation),
        Command::Status(arguments) => status::run(arguments, invocation),
        Command::History(arguments) => history::run(arguments, invocation),
        Command::Promote(arguments) => promote::run(arguments, invocation),
        Command::Drill(arguments) => drill::run(arguments, invocation),
        Command::Facts(arguments) => facts::run(arguments, invocation),
        Command::Owners(arguments) => owners::run(arguments, invocation),
        Command::Freeze(arguments) => freeze::run(arguments, invocation),
        Command::Review(arguments) => review::run(arguments, invocation),
        Command::Comment(arguments) => comment::run(arguments, invocation),
        Command::Recheck(arguments) => recheck::run(arguments, invocation),
        Command::Init(arguments) => init::run(arguments, invocation),
        Command::Rules(arguments) => rules::run(arguments, invocation),
        Command::Explain(arguments) => explain::run(arguments, invocation),
        Command::Test(arguments) => test::run(arguments, invocation),
        Command::Merge(arguments) => merge::run(arguments, invocation),
        Command::Completions(arguments) => {
            let mut command = Cli::command();
            clap_complete::generate(arguments.shell, &mut command, "tollgate", invocation.out);
            Ok(Exit::Allowed)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(invocation.out)?;
            Ok(Exit::Allowed)
        }
        Command::Demo(arguments) => demo::run(arguments, invocation),
    }
}
