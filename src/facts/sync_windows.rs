//! Argo CD's sync windows: whether what a change alters could be synced now, by the rules of
//! `pkg/apis/application/v1alpha1` (`SyncWindows.CanSync`). An active deny window wins; else an active allow window is enough; else
//! a window that allows at other times forbids it now.

use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use globset::GlobBuilder;

use super::freezes::ActiveFreeze;
use super::handle::Handles;
use super::{Clock, Context, FactsError};
use crate::config::{Recurring, ScheduleError, Window};
use crate::kustomize::{Application, Deployer, Project, SyncWindow};
use crate::model::Case;
use crate::span::Span;
use crate::words;

/// What holds a sync back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    at: Span,
    name: String,
    /// When it ends; `None` where nobody knows.
    until: Option<DateTime<Utc>>,
    zone: Tz,
}

/// What a window does at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It is open until then; `None`: for ever.
    Active(Option<Window>),
    /// It opens then, if ever.
    Inactive(Option<DateTime<Utc>>),
    /// Argo CD cannot read it, and syncs nothing that it is for.
    Unreadable(String),
}

/// The windows that hold back what a case alters. The base's projects count, and the applications of both sides: a change cannot
/// move its application to a project without windows.
pub(super) fn blocking(
    context: &Context<'_>,
    case: &Case<'_>,
    handles: &mut Handles,
) -> Result<Vec<ActiveFreeze>, FactsError> {
    let projects = &context.overlays.base.projects;
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let clock = &context.clock;
    let mut blocks: Vec<Block> = Vec::new();
    for controllers in context.controllers()?.iter() {
        let deploying = controllers.deployers.iter().zip(&controllers.deployed);
        for (deployer, _) in deploying.filter(|(_, deployed)| deployed.iter().any(|it| it.path == case.overlay.path)) {
            let Some(application) = &deployer.application else { continue };
            let Some(project) = closest(projects, application, deployer) else { continue };
            let windows: Vec<&SyncWindow> =
                project.windows.iter().filter(|window| is_for(window, &deployer.name, application)).collect();
            let (found, changes) = held_back(project, &windows, !application.is_automated, clock);
            for time in changes {
                clock.changes_at(time);
            }
            for block in found {
                if !blocks.contains(&block) {
                    blocks.push(block);
                }
            }
        }
    }
    let in_words = |block: &Block| match block.until {
        Some(until) => words::moment_in(until.timestamp(), block.zone),
        None => "the window is changed".to_owned(),
    };
    Ok(blocks
        .into_iter()
        .map(|block| ActiveFreeze::plain(handles.place(block.at), block.name.clone(), in_words(&block)))
        .collect())
}

/// A window of a project at a time, for people.
pub struct WindowNow<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The window.
    pub window: &'a SyncWindow,
    /// Whether it is open; `None` where Argo CD cannot read it.
    pub is_active: Option<bool>,
    /// When that changes next; `None` where it does not.
    pub changes_at: Option<DateTime<Utc>>,
    /// The zone in which it is written.
    pub zone: Tz,
    /// What about it was probably not meant.
    pub doubts: Vec<String>,
}

/// All windows of some projects at a time.
#[must_use]
pub fn all_windows(projects: &[Project], now: DateTime<Utc>) -> Vec<WindowNow<'_>> {
    let clock = Clock::new(now);
    let windows = projects.iter().flat_map(|project| project.windows.iter().map(move |window| (project, window)));
    windows
        .map(|(project, window)| {
            let (state, zone) = state(window, &clock);
            let mut doubts = Vec::new();
            if !window.time_zone.is_empty() && Tz::from_str(&window.time_zone).is_err() {
                doubts.push(format!("the time zone `{}` is unknown, so that Argo CD takes UTC", window.time_zone));
            }
            if [&window.applications, &window.namespaces, &window.clusters].iter().all(|patterns| patterns.is_empty()) {
                doubts.push("it names no application, namespace or cluster, so that it is for none".to_owned());
            }
            let (is_active, changes_at) = match state {
                State::Active(Some(open)) => {
                    if open.until - now >= TimeDelta::days(366) {
                        doubts.push("it never ends: every window begins before the last one has ended".to_owned());
                    }
                    (Some(true), Some(open.until))
                }
                State::Active(None) => {
                    doubts.push(
                        "its schedule never fires, which Argo CD takes for a window that is always open".to_owned(),
                    );
                    (Some(true), None)
                }
                State::Inactive(next) => (Some(false), next),
                State::Unreadable(why) => {
                    doubts.push(format!("Argo CD cannot read it, and syncs nothing that it is for: {why}"));
                    (None, None)
                }
            };
            WindowNow { project: &project.name, window, is_active, changes_at, zone, doubts }
        })
        .collect()
}

/// Of several projects with one name, as several instances of Argo CD have them, the one whose file is closest.
fn closest<'a>(projects: &'a [Project], application: &Application, deployer: &Deployer) -> Option<&'a Project> {
    let named = projects.iter().filter(|project| project.name == application.project);
    named.max_by_key(|project| project.holder.shared_depth(&deployer.holder))
}

/// Whether a window is for an application. One without patterns is for none.
fn is_for(window: &SyncWindow, name: &str, application: &Application) -> bool {
    let any = |patterns: &[String], names: &[&str]| {
        let is_one = |pattern: &String| names.iter().any(|name| matches(pattern, name));
        (!patterns.is_empty()).then(|| patterns.iter().any(is_one))
    };
    let clusters: Vec<&str> =
        [&*application.cluster, &*application.server].into_iter().filter(|name| !name.is_empty()).collect();
    let answers = [
        any(&window.applications, &[name]),
        any(&window.clusters, &clusters),
        any(&window.namespaces, &[&application.namespace]),
    ];
    let mut asked = answers.into_iter().flatten().peekable();
    if window.needs_all { asked.peek().is_some() && asked.all(|answer| answer) } else { asked.any(|answer| answer) }
}

fn matches(pattern: &str, name: &str) -> bool {
    let glob = GlobBuilder::new(pattern).literal_separator(false).build();
    pattern == "*" || glob.is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

/// What holds a sync back, and when that may change.
fn held_back(
    project: &Project,
    windows: &[&SyncWindow],
    is_manual: bool,
    clock: &Clock,
) -> (Vec<Block>, Vec<DateTime<Utc>>) {
    let states: Vec<(&SyncWindow, State, Tz)> = windows
        .iter()
        .map(|window| {
            let (state, zone) = state(window, clock);
            (*window, state, zone)
        })
        .collect();
    let changes = states.iter().filter_map(|(_, state, _)| match state {
        State::Active(window) => window.map(|window| window.until),
        State::Inactive(next) => *next,
        State::Unreadable(_) => None,
    });
    let changes = changes.collect();
    let mut blocks = Vec::new();
    for (window, state, zone) in &states {
        if let State::Unreadable(why) = state {
            let name = format!("Argo CD cannot read a sync window of the project {}: {why}", project.name);
            blocks.push(Block { at: window.span, name, until: None, zone: *zone });
        }
    }
    let of_kind = |kind: &'static str| states.iter().filter(move |(window, ..)| window.kind == kind);
    let denying: Vec<_> = of_kind("deny").filter(|(_, state, _)| matches!(state, State::Active(_))).collect();
    let passes_by_hand =
        |held: &[&(&SyncWindow, State, Tz)]| is_manual && held.iter().all(|(window, ..)| window.allows_manual);
    if !denying.is_empty() {
        if !passes_by_hand(&denying) {
            blocks.extend(denying.iter().map(|(window, state, zone)| Block {
                at: window.span,
                name: format!("a sync window of Argo CD's project {}", project.name),
                until: if let State::Active(window) = state { window.map(|window| window.until) } else { None },
                zone: *zone,
            }));
        }
        return (blocks, changes);
    }
    let allowing: Vec<_> = of_kind("allow").collect();
    let is_open = allowing.iter().any(|(_, state, _)| matches!(state, State::Active(_)));
    let closed: Vec<_> = allowing.into_iter().filter(|(_, state, _)| matches!(state, State::Inactive(_))).collect();
    if !is_open && !closed.is_empty() && !passes_by_hand(&closed) {
        let opens = |(_, state, _): &&&(&SyncWindow, State, Tz)| match state {
            State::Inactive(next) => *next,
            _ => None,
        };
        let soonest = closed.iter().min_by_key(|window| opens(window).map_or((true, clock.now), |next| (false, next)));
        blocks.extend(soonest.map(|first| Block {
            at: first.0.span,
            name: format!("outside of the sync windows of Argo CD's project {}", project.name),
            until: opens(&first),
            zone: first.2,
        }));
    }
    (blocks, changes)
}

/// What a window does now, and the zone in which it is written: UTC where Argo CD does not know it either.
fn state(window: &SyncWindow, clock: &Clock) -> (State, Tz) {
    let zone = Tz::from_str(&window.time_zone).unwrap_or(Tz::UTC);
    // robfig/cron takes the zone of a schedule from its beginning.
    let prefixed = ["TZ=", "CRON_TZ="].iter().find_map(|prefix| window.schedule.strip_prefix(prefix)?.split_once(' '));
    let Some(seconds) = go_duration(&window.duration) else {
        return (State::Unreadable(format!("`{}` is not a duration", window.duration)), zone);
    };
    let (recurring, zone) = match prefixed {
        None => (Recurring::of_argo(&window.schedule, seconds, zone), zone),
        Some((name, schedule)) => match Tz::from_str(name) {
            Ok(own) if zone == Tz::UTC => (Recurring::new(schedule, seconds, own), own),
            Ok(_) => return (State::Unreadable("it has two time zones".to_owned()), zone),
            Err(_) => return (State::Unreadable(format!("`{name}` is not a time zone")), zone),
        },
    };
    let state = match recurring {
        Ok(recurring) => match clock.active_of(window.span, &recurring) {
            Some(window) => State::Active(Some(window)),
            None => State::Inactive(recurring.next(clock.now)),
        },
        // The time of the next start is that of the year 1, which is before now.
        Err(ScheduleError::NeverFires(_)) => State::Active(None),
        Err(why) => State::Unreadable(why.to_string()),
    };
    (state, zone)
}

/// Reads a duration as Go writes it, in whole seconds: `1h30m`, `1.5h`.
fn go_duration(text: &str) -> Option<i64> {
    let mut milliseconds = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() && text != "0" {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (digits, after) = rest.split_at(number);
        let (length, size) =
            [("ms", 1.0), ("us", 0.001), ("ns", 0.000_001), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1_000.0)]
                .iter()
                .find_map(|(unit, size)| after.starts_with(unit).then_some((unit.len(), size)))?;
        milliseconds += digits.parse::<f64>().ok()? * size;
        rest = &after[length..];
    }
    // A year has some thirty million seconds: whatever is longer is refused further on.
    #[expect(clippy::cast_possible_truncation, reason = "clamped, and parts of a second are of no interest")]
    Some((milliseconds / 1000.0).min(1e12) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn window(kind: &str, schedule: &str, duration: &str) -> SyncWindow {
        // Each window stands in its own place.
        let name = format!("{kind} {schedule} {duration}");
        let file = Files::default().add(&RepoPath::root().child("a"), ContentId::of(b""), "");
        let start = u32::try_from(name.bytes().map(usize::from).sum::<usize>()).unwrap();
        SyncWindow {
            span: Span { start, ..Span::start_of(file) },
            kind: kind.to_owned(),
            schedule: schedule.to_owned(),
            duration: duration.to_owned(),
            time_zone: String::new(),
            applications: vec!["*".to_owned()],
            namespaces: Vec::new(),
            clusters: Vec::new(),
            allows_manual: false,
            needs_all: false,
        }
    }

    fn may_sync(windows: &[SyncWindow], is_manual: bool, now: &str) -> bool {
        let project = Project { name: "p".to_owned(), holder: RepoPath::root(), windows: Vec::new() };
        let windows: Vec<&SyncWindow> = windows.iter().collect();
        held_back(&project, &windows, is_manual, &Clock::new(at(now))).0.is_empty()
    }

    /// The rows of Argo CD's own tests of `CanSync`, as facts.
    #[test]
    fn deny_wins_and_allow_windows_close_the_rest() {
        let now = "2026-11-26T10:30:00Z";
        let by_hand = |window: SyncWindow| SyncWindow { allows_manual: true, ..window };
        let [open, closed] = ["0 10 * * *", "0 20 * * *"];
        let deny = |schedule| window("deny", schedule, "1h");
        let allow = |schedule| window("allow", schedule, "1h");
        let rows: [(&str, Vec<SyncWindow>, bool, bool); 14] = [
            ("no windows", vec![], true, true),
            ("active allow", vec![allow(open)], true, true),
            ("inactive allow", vec![allow(closed)], false, false),
            ("inactive allow with manual", vec![by_hand(allow(closed))], false, true),
            ("active deny", vec![deny(open)], false, false),
            ("active deny with manual", vec![by_hand(deny(open))], false, true),
            ("inactive deny", vec![deny(closed)], true, true),
            ("active allow, active deny", vec![allow(open), deny(open)], false, false),
            ("active allow, active deny with manual", vec![allow(open), by_hand(deny(open))], false, true),
            ("inactive allow, active deny with manual", vec![allow(closed), by_hand(deny(open))], false, true),
            ("two denies, one with manual", vec![deny(open), by_hand(deny(open))], false, false),
            ("active allow, inactive allow", vec![allow(open), allow(closed)], true, true),
            ("inactive allow, inactive deny", vec![allow(closed), deny(closed)], false, false),
            ("two inactive allows, one with manual", vec![allow(closed), by_hand(allow(closed))], false, false),
        ];
        for (name, windows, automatic, manual) in rows {
            assert_eq!(may_sync(&windows, false, now), automatic, "{name}, automatic");
            assert_eq!(may_sync(&windows, true, now), manual, "{name}, manual");
        }
    }

    #[test]
    fn windows_are_for_what_their_patterns_match() {
        let application = Application {
            project: "p".to_owned(),
            cluster: "in-cluster".to_owned(),
            server: "https://10.0.0.1".to_owned(),
            namespace: "pay".to_owned(),
            is_automated: true,
        };
        let with = |applications: &[&str], namespaces: &[&str], clusters: &[&str], needs_all| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let (applications, namespaces, clusters) = (owned(applications), owned(namespaces), owned(clusters));
            is_for(
                &SyncWindow { applications, namespaces, clusters, needs_all, ..window("deny", "", "") },
                "api-eu",
                &application,
            )
        };
        assert!(with(&["api-*"], &[], &[], false) && with(&["x", "{api,web}-e?"], &[], &[], false));
        assert!(with(&[], &[], &["in-*"], false) && with(&[], &[], &["https://10.*"], false));
        assert!(with(&["x"], &["pay"], &[], false) && !with(&["x"], &["pay"], &[], true));
        assert!(with(&["*"], &["pay"], &[], true));
        assert!(!with(&[], &[], &[], false) && !with(&[], &[], &[], true));
    }

    #[test]
    fn what_argo_cannot_read_holds_everything_back() {
        let now = "2026-11-26T10:30:00Z";
        for (schedule, duration) in [("0 0 * * 7", "1h"), ("@daily", "1h"), ("0 0 * *", "1h"), ("0 0 * * *", "1d")] {
            assert!(!may_sync(&[window("allow", schedule, duration)], false, now), "{schedule} {duration}");
        }
        // A day that no year has: always open.
        assert!(!may_sync(&[window("deny", "0 0 30 2 *", "1h")], false, now));
        assert!(may_sync(&[window("allow", "0 0 30 2 *", "1h")], false, now));
        // A zone that is unknown is UTC.
        let unknown = SyncWindow { time_zone: "Nowhere/Town".to_owned(), ..window("deny", "0 10 * * *", "1h") };
        assert!(!may_sync(&[unknown], false, now));
        assert!(!may_sync(&[window("deny", "TZ=Asia/Tokyo 0 19 * * *", "1h")], false, now));
        assert_eq!(
            ["90m", "1.5h", "1h30m", "5400s", "0"].map(go_duration),
            [Some(5400), Some(5400), Some(5400), Some(5400), Some(0)]
        );
    }
}
