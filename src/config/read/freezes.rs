//! Reads `freezes`.

use std::str::FromStr as _;

use chrono_tz::Tz;

use super::Reader;
use crate::config::Config;
use crate::config::freeze::{Freeze, Override, Recurring, ScheduleError, Times, Window, parse_time};
use crate::yaml::Node;

impl Reader {
    /// Whether rollbacks and reverts are allowed.
    fn allowed(&mut self, node: &Node) -> [bool; 2] {
        let allowed = self.texts(node, "what is allowed");
        for (name, span) in allowed.iter().filter(|(name, _)| !matches!(name.as_str(), "rollback" | "revert")) {
            self.problem(
                *span,
                format!("`{name}` is not something that a freeze can allow"),
                "write `allow: [rollback]` (back to earlier images) or `allow: [revert]` (back to an earlier state)",
            );
        }
        ["rollback", "revert"].map(|wanted| allowed.iter().any(|(name, _)| name == wanted))
    }

    /// A schedule of windows, as `read` makes it.
    fn recurring(&mut self, at: &Node, read: Result<Recurring, ScheduleError>, help: &str) -> Option<Times> {
        match read {
            Ok(recurring) => Some(Times::Recurring(recurring)),
            Err(why) => {
                self.problem(at.origin.span, why.to_string(), help);
                None
            }
        }
    }

    fn overrides(&mut self, node: &Node, zone: Tz) -> Vec<Override> {
        const EXAMPLE: &str =
            "write `{by: [\"@org/oncall\"], reason: INC-1, until: 2026-12-24T12:00}`, if needed with `apps: [api]`";
        let Some(items) = node.as_sequence() else {
            self.problem(node.origin.span, format!("`overrides` is a list, but this is {}", node.shape()), EXAMPLE);
            return Vec::new();
        };
        let mut overrides = Vec::new();
        for item in items {
            let fields = self.fields(item, &["by", "reason", "until", "apps"], "an override");
            let get = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.value);
            let (Some(by), Some(reason), Some(until)) = (get("by"), get("reason"), get("until")) else {
                self.problem(item.origin.span, "an override needs `by`, `reason` and `until`", EXAMPLE);
                continue;
            };
            let Some(until) = until.as_text().and_then(|text| parse_time(text, zone)) else {
                self.problem(until.origin.span, "this is not a valid time", EXAMPLE);
                continue;
            };
            let people = self.texts(by, "a login or a team");
            if let Some((_, span)) = people.iter().find(|(name, _)| !name.starts_with('@')) {
                self.problem(*span, "people and teams are written as in CODEOWNERS, with `@`", EXAMPLE);
            }
            let Some(reason) = self.text(reason, "a reason") else { continue };
            let apps = get("apps").map(|value| self.texts(value, "an app's name")).unwrap_or_default();
            if people.is_empty() {
                self.problem(by.origin.span, "this override names nobody", EXAMPLE);
            }
            overrides.push(Override {
                by: people.into_iter().map(|(name, _)| name).collect(),
                reason,
                until,
                apps: apps.into_iter().map(|(name, _)| name).collect(),
                span: item.origin.span,
            });
        }
        overrides
    }

    /// When a freeze is active, by the fields of its mapping.
    fn times<'a>(&mut self, node: &Node, get: impl Fn(&str) -> Option<&'a Node>, zone: Tz) -> Option<Times> {
        Some(match ["from", "until", "schedule", "duration", "start", "end", "during"].map(get) {
            [Some(from), Some(until), None, None, None, None, None] => {
                let mut time = |value: &Node| {
                    let time = value.as_text().and_then(|text| parse_time(text, zone));
                    if time.is_none() {
                        self.problem(
                            value.origin.span,
                            "this is not a valid time",
                            "write for example `2026-12-18T17:00`; it is local to `timeZone`",
                        );
                    }
                    time
                };
                let window = Window { from: time(from)?, until: time(until)? };
                if window.until <= window.from {
                    self.problem(
                        until.origin.span,
                        "this freeze ends before it begins",
                        "`until` must come after `from`",
                    );
                }
                Times::Once(window)
            }
            [None, None, Some(schedule), Some(duration), None, None, None] => {
                let seconds = self.duration(duration, "`duration`")?;
                let text = self.text(schedule, "a schedule")?;
                let help = "write for example `0 17 * * FRI`, with `duration: 63h`";
                self.recurring(schedule, Recurring::new(&text, seconds, zone), help)?
            }
            [None, None, None, None, Some(start), Some(end), None] => {
                let [starts, ends] = [self.text(start, "a schedule")?, self.text(end, "a schedule")?];
                let help =
                    "write for example `start: 0 23 * * 5` and `end: 0 7 * * 1`, as in a deploy freeze of GitLab";
                self.recurring(start, Recurring::between(&starts, &ends, zone), help)?
            }
            [None, None, None, None, None, None, Some(during)] => {
                self.one_of(during, "`during`", &[("CI_DEPLOY_FREEZE", ())])?;
                Times::DeployFreeze
            }
            _ => {
                let help = "give `from` and `until` for a single window, `schedule` and `duration` or `start` and `end` for a \
                            recurring one, or `during: CI_DEPLOY_FREEZE` for the deploy freezes of GitLab";
                self.problem(node.origin.span, "this freeze does not say when", help);
                return None;
            }
        })
    }

    pub(super) fn freeze(&mut self, node: &Node, config: &Config) -> Option<Freeze> {
        let before = self.problems.len();
        let known = [
            "name",
            "environments",
            "from",
            "until",
            "schedule",
            "duration",
            "start",
            "end",
            "during",
            "timeZone",
            "allow",
            "overrides",
        ];
        let fields = self.fields(node, &known, "a freeze");
        let get = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.value);
        let name = get("name").and_then(|value| self.text(value, "a name"));
        let zone = get("timeZone").map_or(Some(Tz::UTC), |value| {
            let text = self.text(value, "a time zone")?;
            let zone = Tz::from_str(&text).ok();
            if zone.is_none() {
                self.problem(
                    value.origin.span,
                    format!("`{text}` is not a known time zone"),
                    "write an IANA name such as `Europe/Berlin`",
                );
            }
            zone
        });
        let names: Vec<&str> = config.environments.iter().map(|environment| environment.name.as_str()).collect();
        let mut environments = Vec::new();
        match get("environments") {
            None => {
                self.problem(node.origin.span, "this freeze names no environments", "add `environments: [production]`");
            }
            Some(value) => {
                for (name, span) in self.texts(value, "an environment's name") {
                    if names.contains(&name.as_str()) {
                        environments.push(name);
                    } else {
                        self.unknown_environment(&name, span, &names);
                    }
                }
            }
        }
        let [allows_rollback, allows_revert] = get("allow").map(|value| self.allowed(value)).unwrap_or_default();
        let zone = zone?;
        let overrides = get("overrides").map(|value| self.overrides(value, zone)).unwrap_or_default();
        let times = self.times(node, get, zone)?;
        let name = name.unwrap_or_else(|| "freeze".to_owned());
        (self.problems.len() == before).then_some(Freeze {
            name,
            environments,
            times,
            zone,
            allows_rollback,
            allows_revert,
            overrides,
            span: node.origin.span,
        })
    }
}
