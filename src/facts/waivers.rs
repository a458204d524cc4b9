//! Waivers that do not do what they are for: those past their date, and those that nothing needs.

use serde::Serialize;

use super::handle::{Handle, Handles};
use super::{Context, Seen};
use crate::words;

/// A waiver that has expired, or that nothing needs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaiverFacts {
    /// Where it is written.
    pub at: Handle,
    /// The rule.
    pub rule: String,
    /// Why it was written.
    pub reason: String,
    /// When it has expired, for people.
    pub expires: String,
    /// Whether that is past.
    pub expired: bool,
    /// Whether all that it may be about was judged, and it covers no finding.
    pub unused: bool,
}

impl WaiverFacts {
    /// The trusted configuration's waivers of which either is true.
    pub fn of_change(context: &Context<'_>, seen: &Seen, handles: &mut Handles) -> Vec<Self> {
        let now = context.clock.now;
        let waivers = context.config.waivers.iter().enumerate().map(|(at, waiver)| Self {
            at: handles.place(waiver.span),
            rule: waiver.rule.clone(),
            reason: waiver.reason.clone(),
            expires: words::moment(waiver.expires.timestamp()),
            expired: waiver.expires <= now,
            unused: seen.judged_waivers.contains(&at) && !seen.used_waivers.contains(&at),
        });
        waivers.filter(|waiver| waiver.expired || waiver.unused).collect()
    }
}
