//! Arguments in, exit code out; nothing else prints or exits.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tollgate::cli::Cli;
use tollgate::commands::{self, Exit, Invocation};
use tollgate::progress::Progress;
use tollgate::report::story::Style;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[expect(clippy::disallowed_methods, reason = "here the environment and the time come in")]
    let (variables, now) = (|name: &str| std::env::var(name).ok(), chrono::Utc::now());
    let stdout = io::stdout();
    let is_forced = variables("FORCE_COLOR").is_some_and(|value| !matches!(value.as_str(), "" | "0"));
    let is_coloured = (stdout.is_terminal() || is_forced) && variables("NO_COLOR").is_none();
    let style = if is_coloured { Style::Coloured } else { Style::Plain };
    let mut out = io::BufWriter::new(stdout.lock());
    // Not locked: a thread that fails must be able to say so.
    let mut err = io::stderr();
    let shown = Progress::in_terminal();
    let progress = if err.is_terminal() { &shown } else { Progress::silent() };
    let mut invocation = Invocation { out: &mut out, err: &mut err, variables: &variables, now, style, progress };
    let ended = commands::run(&cli, &mut invocation).and_then(|exit| out.flush().map(|()| exit));
    match ended {
        Ok(exit) => ExitCode::from(exit as u8),
        // Whoever read the output has closed it; what was decided cannot be told any more.
        Err(_) => ExitCode::from(Exit::Undecided as u8),
    }
}
