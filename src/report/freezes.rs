//! Freezes: what is frozen now, what comes next, and a year of it: for a person, as `tollgate.freezes/1`, and as a calendar.

use std::io::{self, Write};

use chrono::{DateTime, Datelike as _, Duration, Months, NaiveDate, TimeZone as _, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::escape::printable;
use crate::config::{Config, Freeze, Times, Window};
use crate::facts::sync_windows::WindowNow;
use crate::words;

/// How many months are shown.
const MONTHS: u32 = 12;

/// The freezes of a configuration at a time.
pub struct Freezes<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Only this environment.
    pub environment: Option<&'a str>,
    /// The windows of Argo CD's projects in the repository.
    pub sync_windows: Vec<WindowNow<'a>>,
    /// The time.
    pub now: DateTime<Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FreezesJson<'a> {
    schema: &'static str,
    now: String,
    environments: Vec<EnvironmentJson<'a>>,
    sync_windows: Vec<SyncWindowJson<'a>>,
}

/// A window of a project of Argo CD.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncWindowJson<'a> {
    project: &'a str,
    kind: &'a str,
    schedule: &'a str,
    duration: &'a str,
    time_zone: &'static str,
    /// Whether it is open; `null` where Argo CD cannot read it.
    active: Option<bool>,
    changes_at: Option<String>,
    doubts: &'a [String],
}

impl<'a> SyncWindowJson<'a> {
    fn of(now: &'a WindowNow<'_>) -> Self {
        Self {
            project: now.project,
            kind: &now.window.kind,
            schedule: &now.window.schedule,
            duration: &now.window.duration,
            time_zone: now.zone.name(),
            active: now.is_active,
            changes_at: now.changes_at.map(|time| words::rfc3339(time.timestamp())),
            doubts: &now.doubts,
        }
    }
}

#[derive(Serialize)]
struct EnvironmentJson<'a> {
    environment: &'a str,
    /// The windows that are open now; empty where changes may land.
    frozen: Vec<WindowJson<'a>>,
    /// The next window that begins.
    next: Option<WindowJson<'a>>,
    /// All of the next twelve months.
    windows: Vec<WindowJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowJson<'a> {
    freeze: &'a str,
    from: String,
    until: String,
    time_zone: &'static str,
}

impl<'a> WindowJson<'a> {
    fn of((freeze, window): &(&'a Freeze, Window)) -> Self {
        Self {
            freeze: &freeze.name,
            from: words::rfc3339(window.from.timestamp()),
            until: words::rfc3339(window.until.timestamp()),
            time_zone: freeze.zone.name(),
        }
    }
}

impl<'a> Freezes<'a> {
    fn environments(&self) -> impl Iterator<Item = &'a str> {
        let wanted = self.environment;
        let names = self.config.environments.iter().map(|environment| environment.name.as_str());
        names.filter(move |name| wanted.is_none_or(|wanted| wanted == *name))
    }

    fn end(&self) -> DateTime<Utc> {
        self.now.checked_add_months(Months::new(MONTHS)).unwrap_or(self.now)
    }

    /// The windows of an environment from now on, in order.
    fn windows(&self, environment: &str) -> Vec<(&'a Freeze, Window)> {
        let mut windows = Vec::new();
        for freeze in
            self.config.freezes.iter().filter(|freeze| freeze.environments.iter().any(|name| name == environment))
        {
            windows.extend(freeze.windows(self.now, self.end()).into_iter().map(|window| (freeze, window)));
        }
        windows.sort_by_key(|(_, window)| (window.from, window.until));
        windows
    }

    /// For a person: now, next, and a calendar.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut calendars = Vec::new();
        for environment in self.environments() {
            let windows = self.windows(environment);
            let active: Vec<_> = windows.iter().filter(|(_, window)| window.from <= self.now).collect();
            let in_zone = |time: DateTime<Utc>, freeze: &Freeze| words::moment_in(time.timestamp(), freeze.zone);
            write!(out, "{}: ", printable(environment))?;
            // A window that begins before the last one ends goes on with it.
            let mut last = active.iter().max_by_key(|(_, window)| window.until).copied();
            for further in &windows {
                last = last.map(|last| {
                    if further.1.from <= last.1.until && last.1.until < further.1.until { further } else { last }
                });
            }
            match last {
                Some((freeze, window)) => {
                    write!(out, "frozen until {} ({})", in_zone(window.until, freeze), printable(&freeze.name))?;
                }
                None => write!(out, "open")?,
            }
            let end = last.map_or(self.now, |(_, window)| window.until);
            match windows.iter().find(|(_, window)| window.from > end) {
                Some((freeze, window)) => {
                    let (from, until) = (in_zone(window.from, freeze), in_zone(window.until, freeze));
                    writeln!(out, "; next freeze from {from} to {until} ({})", printable(&freeze.name))?;
                }
                None => writeln!(out, "; no freeze begins in the next twelve months")?,
            }
            if !windows.is_empty() {
                calendars.push((environment, windows));
            }
        }
        for (environment, windows) in calendars {
            self.calendar(environment, &windows, out)?;
        }
        self.write_sync_windows(out)?;
        for freeze in &self.config.freezes {
            if matches!(freeze.times, Times::DeployFreeze) {
                let name = printable(&freeze.name);
                writeln!(out, "\nthe freeze `{name}` is open while GitLab sets CI_DEPLOY_FREEZE for its jobs")?;
            }
            for doubt in freeze.doubts(self.now) {
                writeln!(out, "\nwarning: the freeze `{}`: {}", printable(&freeze.name), printable(&doubt))?;
            }
        }
        for environment in self.environments() {
            self.write_overlap(environment, out)?;
        }
        Ok(())
    }

    fn write_sync_windows(&self, out: &mut dyn Write) -> io::Result<()> {
        for (at, now) in self.sync_windows.iter().enumerate() {
            let WindowNow { project, window, .. } = now;
            if at == 0 {
                writeln!(out, "\nsync windows of Argo CD's projects")?;
            }
            let [project, kind, schedule, duration] =
                [project, &*window.kind, &*window.schedule, &*window.duration].map(printable);
            let change = now.changes_at.map(|time| words::moment_in(time.timestamp(), now.zone));
            let state = match (now.is_active, change) {
                (Some(true), Some(until)) => format!("open until {until}"),
                (Some(true), None) => "open".to_owned(),
                (Some(false), Some(next)) => format!("opens {next}"),
                (Some(false), None) => "closed".to_owned(),
                (None, _) => "unreadable".to_owned(),
            };
            writeln!(out, "{project}: {kind} `{schedule}` for {duration}: {state}")?;
            for doubt in &now.doubts {
                writeln!(out, "  warning: {}", printable(doubt))?;
            }
        }
        Ok(())
    }

    /// The first overlap of two freezes: one of them may be meant to be another.
    fn write_overlap(&self, environment: &str, out: &mut dyn Write) -> io::Result<()> {
        let windows = self.windows(environment);
        let overlap = windows.iter().zip(windows.iter().skip(1)).find(|(one, other)| other.1.from < one.1.until);
        let Some(((one, first), (other, second))) = overlap else { return Ok(()) };
        let until = first.until.min(second.until);
        let [from, until] = [second.from, until].map(|time| words::moment_in(time.timestamp(), other.zone));
        writeln!(
            out,
            "\nnote: in {} the freezes `{}` and `{}` overlap, first from {from} to {until}; both count",
            printable(environment),
            printable(&one.name),
            printable(&other.name)
        )
    }

    /// A row of days for each month.
    fn calendar(&self, environment: &str, windows: &[(&Freeze, Window)], out: &mut dyn Write) -> io::Result<()> {
        let tens = "         1         2         3 ";
        writeln!(out, "\n{}, days in UTC: # frozen, + in part, . open", printable(environment))?;
        writeln!(out, "         {tens}\n         1234567890123456789012345678901")?;
        let mut month = self.now.date_naive().with_day(1);
        for _ in 0..MONTHS {
            let Some(first) = month else { break };
            let next = first.checked_add_months(Months::new(1));
            let mut day = Some(first);
            let mut row = String::new();
            while let Some(date) = day.filter(|date| Some(*date) != next) {
                row.push(self.mark(date, windows));
                day = date.succ_opt();
            }
            writeln!(out, "{}  {row}", first.format("%Y-%m"))?;
            month = next;
        }
        Ok(())
    }

    fn mark(&self, date: NaiveDate, windows: &[(&Freeze, Window)]) -> char {
        let begin = Utc.from_utc_datetime(&date.and_hms_opt(0, 0, 0).unwrap_or_default());
        let end = begin + Duration::days(1);
        if end <= self.now {
            return ' ';
        }
        // What several windows cover together is frozen as a whole.
        let mut covered = begin;
        let mut is_touched = false;
        for (_, window) in windows.iter().filter(|(_, window)| window.from < end && begin < window.until) {
            is_touched = true;
            if window.from <= covered {
                covered = covered.max(window.until);
            }
        }
        match (is_touched, covered >= end) {
            (_, true) => '#',
            (true, false) => '+',
            (false, false) => '.',
        }
    }

    /// For programs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let environments = self.environments().map(|environment| {
            let windows = self.windows(environment);
            let active = windows.iter().filter(|(_, window)| window.from <= self.now);
            EnvironmentJson {
                environment,
                frozen: active.map(WindowJson::of).collect(),
                next: windows.iter().find(|(_, window)| window.from > self.now).map(WindowJson::of),
                windows: windows.iter().map(WindowJson::of).collect(),
            }
        });
        let document = FreezesJson {
            schema: "tollgate.freezes/1",
            now: words::rfc3339(self.now.timestamp()),
            environments: environments.collect(),
            sync_windows: self.sync_windows.iter().map(SyncWindowJson::of).collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)
    }

    /// As a calendar (RFC 5545): an event for each window. The same window has the same `UID` every time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ics(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |text: &str| fold(text, out);
        for text in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tollgate//Freezes//EN", "X-WR-CALNAME:Freezes"] {
            line(text)?;
        }
        let stamp = |time: DateTime<Utc>| time.format("%Y%m%dT%H%M%SZ").to_string();
        for environment in self.environments() {
            for (freeze, window) in self.windows(environment) {
                let identity = format!("{environment}\n{}\n{}", freeze.name, window.from.timestamp());
                let digest = Sha256::digest(identity.as_bytes());
                let identity = words::hexadecimal(&digest[..12]);
                let summary = in_calendar(&format!("{environment} is frozen ({})", freeze.name));
                line("BEGIN:VEVENT")?;
                line(&format!("UID:{identity}@tollgate"))?;
                line(&format!("DTSTAMP:{}", stamp(self.now)))?;
                line(&format!("DTSTART:{}", stamp(window.from)))?;
                line(&format!("DTEND:{}", stamp(window.until)))?;
                line(&format!("SUMMARY:{summary}"))?;
                line("END:VEVENT")?;
            }
        }
        line("END:VCALENDAR")
    }
}

/// A text of a calendar: commas, semicolons, backslashes and line breaks escaped, other control characters left out.
fn in_calendar(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' | ',' | ';' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes a line of a calendar: at most 75 bytes, then on a line that begins with a blank.
fn fold(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut length = 0;
    for character in text.chars() {
        if length + character.len_utf8() > 75 {
            write!(out, "\r\n ")?;
            length = 1;
        }
        write!(out, "{character}")?;
        length += character.len_utf8();
    }
    write!(out, "\r\n")
}
