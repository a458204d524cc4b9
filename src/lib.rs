//! Tollgate, a policy gate for `GitOps` config repositories. This page says how it works, and where to change what.
//!
//! # How a change is judged
//!
//! ```text
//! commits, index,     sources     Tree: paths → bytes      Comparison: base, head, and what differs
//! working tree           │
//!                        ▼
//!                      yaml       Node: value + Origin (which line wrote it, by which step)
//!                        │
//!                        ▼
//!                    kustomize    Rendering: objects as `kustomize build` prints them; Closure: all that was looked at
//!                        │
//!                        ▼
//!                      model      Overlay (app, environment, cluster), Image, State, Case (one overlay, before and after)
//!                        │
//!                        ▼
//!                      facts      Facts: promotions, owners, freezes, versions, … about one case
//!                        │
//!                        ▼
//!                     policy      RuleInput → rules → RuleFinding
//!                        │
//!                        ▼
//!                     report      Report → human, json, sarif, html, …
//! ```
//!
//! A stage uses only stages above it (`tests/suite/house.rs` checks that), so each can be read, tested and replaced alone.
//! [`gate`] is not a stage: it puts them together and walks forward, once. Trusted configuration → what the change reaches →
//! cases → each judged by itself, on all cores → the change as a whole. [`commands`] read arguments, call the gate or a stage,
//! and print. [`config`], [`span`], [`finding`], [`sided`], [`words`] and `difference` are vocabulary that all stages share.
//!
//! Three ideas carry the rest:
//!
//! - **Every value knows its origin.** A [`yaml::Node`] carries the span that wrote it, through every kustomize step. A rule
//!   never sees spans: it sees *handles*, numbers that stand for a node, and a finding names a handle. So a rule cannot point
//!   at a line that is not the cause.
//! - **A rendering names all that it looked at** ([`kustomize::Closure`]), what was missing included. An overlay is affected if
//!   the change touches its closure, on either side. Whether Git history needs another rendering is decided the same way.
//! - **What cannot be known is an error, not a default.** A fact that a rule needs and that cannot be found out ends in
//!   exit code 2. Errors have kinds, a message and a help text; nobody looks for words in a message.
//!
//! # Where to change what
//!
//! | | |
//! |---|---|
//! | add a rule | `.ci/new-rule GROUP/NAME` makes the files; `policies/README.md` |
//! | run what teams wrote for other tools | `policy::conftest`, `policy::cluster`; `policy::cel` has the language; `gate::teams` finds the lines |
//! | add something that rules can see | a field in [`policy::RuleInput`], or a file in `facts/` |
//! | add an output format | a file in `report/check/`, a variant of [`cli::Format`] |
//! | a field of a kustomization | `kustomize/file/kustomization.rs`, its step in `kustomize/transform/`, its place in `kustomize/build/assembly.rs` |
//! | which fields a step touches by default | `kustomize/known/specs.rs` |
//! | how kustomize prints something | `yaml/emit.rs`; how it reads it: `yaml/parse.rs`, `yaml/resolve.rs` |
//! | how folders become overlays | `model/overlay.rs`, `config/layout.rs` |
//! | why an overlay counts as affected | `gate/reached.rs` |
//! | what was live when | `facts/look_back.rs` (one question), `facts/live/` (all of history) |
//! | a command or an option | [`cli`], then the command's file in `commands/` |
//! | a limit | `kustomize/limits.rs` |
//!
//! `CONTRIBUTING.md` takes you through the most frequent of these.
//!
//! # What is absent on purpose
//!
//! - **The network, other programs, a cluster.** The same commit gives the same verdict everywhere, and a change is never
//!   executed. What needs them is a file that the caller brings (`--review`, `--argocd`, `--flux`). One command asks the forge and
//!   writes such a file, `tollgate review`; all that it needs is in [`forge`].
//! - **A cache on disk.** It would be one more thing that a change could write to. Git's objects are the store.
//! - **Async.** Work is bound by the processor; `rayon` spreads it.
//! - **A kustomize crate.** Origins must go through every step, and the output must be kustomize's to the byte.
//!
//! # Written by hand, although libraries exist
//!
//! - *Emitter*: the output must be what go-yaml v3's emitter prints, byte for byte, with kustomize's own folding and order.
//! - *Strategic merge and JSON patch*: every value keeps its origin, list keys come from Kubernetes' schema, and kustomize's
//!   departures from the standards are kept.
//! - *Go regular expressions*: `regex` reads a few things differently; those are refused rather than guessed.
//! - *Selectors*: kustomize's are the apimachinery grammar plus its own anchoring; a page of code each.
//! - *CODEOWNERS*: GitHub's patterns are not those of `.gitignore`: no `!`, no `[ ]`, and another rule for `*`.
//! - *Glob*: `*` over names and paths in the configuration, in linear time whatever the pattern.

pub mod cli;
pub mod commands;
pub mod config;
mod difference;
pub mod facts;
pub mod finding;
pub mod forge;
pub mod gate;
pub mod kustomize;
pub mod model;
pub mod policy;
pub mod progress;
pub mod report;
pub mod sided;
#[expect(clippy::disallowed_methods, reason = "the one stage that touches the disk")]
pub mod sources;
pub mod span;
pub mod words;
pub mod yaml;
