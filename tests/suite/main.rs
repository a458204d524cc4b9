//! One integration binary: folder cases, the command line, the house rules, and the YAML cross-check.

#![expect(clippy::disallowed_methods, reason = "tests read their cases from disk")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod action;
mod attacks;
mod cases;
mod checkouts;
mod command_line;
mod forge;
mod history;
mod house;
mod mutations;
mod odd_inputs;
mod origins;
mod picture;
mod promote;
mod render;
mod support;
mod teams;
mod yaml;
