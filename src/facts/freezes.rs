//! Freeze windows of an environment that are open at the time of the judgement.

use serde::Serialize;

use super::Context;
use super::handle::{Handle, Handles};
use crate::model::Case;
use crate::words;

/// An active freeze.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActiveFreeze {
    /// Where it is configured.
    pub at: Handle,
    /// Its name.
    pub name: String,
    /// When it ends, for people.
    pub until: String,
}

impl ActiveFreeze {
    /// The freezes of a case's environment that are active now; the clock notes when that changes.
    #[must_use]
    pub fn of(context: &Context<'_>, case: &Case<'_>, handles: &mut Handles) -> Vec<Self> {
        let clock = &context.clock;
        let name = &context.config.environments[case.overlay.environment].name;
        let mut active = Vec::new();
        for freeze in context.config.freezes.iter().filter(|freeze| freeze.environments.contains(name)) {
            if let Some(window) = freeze.active(clock.now) {
                clock.changes_at(window.until);
                active.push(Self {
                    at: handles.place(freeze.span),
                    name: freeze.name.clone(),
                    until: words::moment_in(window.until.timestamp(), freeze.zone),
                });
            } else if let Some(next) = freeze.next(clock.now) {
                clock.changes_at(next);
            }
        }
        active
    }
}
