//! Waivers: findings that somebody has allowed for a while.

use chrono::{DateTime, Utc};

use super::glob_matches;
use crate::finding::Finding;
use crate::span::Span;

/// What a waiver allows, why, and until when.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The rule's id.
    pub rule: String,
    /// The app, as a glob; any where it is `None`, and so on.
    pub app: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The object as `Kind/name`, as a glob.
    pub resource: Option<String>,
    /// The JSON pointer into the object, as a glob.
    pub path: Option<String>,
    /// Why.
    pub reason: String,
    /// Who has allowed it.
    pub approved_by: String,
    /// When it has expired.
    pub expires: DateTime<Utc>,
    /// Where it is written.
    pub span: Span,
}

impl Waiver {
    /// Whether it may be about an overlay.
    #[must_use]
    pub fn is_about(&self, app: &str, environment: &str) -> bool {
        let fits =
            |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| glob_matches(wanted, name));
        fits(&self.app, app) && self.environment.as_ref().is_none_or(|wanted| wanted == environment)
    }

    /// Whether it is about a finding, expired or not.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let names_overlay = self.app.is_some() || self.environment.is_some();
        let is_there = match &finding.place {
            Some(place) => self.is_about(&place.app, &place.environment),
            None => !names_overlay,
        };
        let object = finding.object.as_ref().map(|object| format!("{}/{}", object.kind, object.name));
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| glob_matches(wanted, found)))
        };
        self.rule == finding.rule
            && is_there
            && fits(&self.resource, object.as_deref())
            && fits(&self.path, finding.path.as_deref())
    }
}
