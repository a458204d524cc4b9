//! Reads `waivers`.

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use super::Reader;
use crate::config::Config;
use crate::config::freeze::parse_time;
use crate::config::waiver::Waiver;
use crate::yaml::Node;

const EXAMPLE: &str =
    "write `{rule: image/unpinned, app: batch, reason: …, approvedBy: \"@org/platform\", expires: 2026-12-31}`";

impl Reader {
    pub(super) fn waiver(&mut self, node: &Node, config: &Config) -> Option<Waiver> {
        let known = ["rule", "app", "environment", "resource", "path", "reason", "approvedBy", "expires"];
        let fields = self.fields(node, &known, "a waiver");
        let get = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.value);
        let missing: Vec<&str> =
            ["rule", "reason", "approvedBy", "expires"].into_iter().filter(|name| get(name).is_none()).collect();
        if !missing.is_empty() {
            self.problem(node.origin.span, format!("a waiver needs `{}`", missing.join("`, `")), EXAMPLE);
            return None;
        }
        let mut text = |name: &str| get(name).and_then(|value| self.text(value, name));
        let [rule, reason, approved_by] = ["rule", "reason", "approvedBy"].map(&mut text);
        let [app, environment, resource, path] = ["app", "environment", "resource", "path"].map(&mut text);
        let expires = get("expires")?;
        let Some(time) = expires.as_text().and_then(end_of) else {
            self.problem(expires.origin.span, "this is not a valid date", EXAMPLE);
            return None;
        };
        if let (Some(name), Some(value)) = (&environment, get("environment"))
            && config.environment(name).is_none()
        {
            let names: Vec<&str> = config.environments.iter().map(|known| known.name.as_str()).collect();
            self.unknown_environment(name, value.origin.span, &names);
        }
        Some(Waiver {
            rule: rule?,
            app,
            environment,
            resource,
            path,
            reason: reason?,
            approved_by: approved_by?,
            expires: time,
            span: node.origin.span,
        })
    }
}

/// When a time has passed; of a date alone, the end of that day in UTC.
fn end_of(text: &str) -> Option<DateTime<Utc>> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Some(date.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?.and_utc()),
        Err(_) => parse_time(text, Tz::UTC),
    }
}
