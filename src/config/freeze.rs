//! Freeze windows. Schedules have five fields as in Argo CD sync windows and GitLab deploy freezes (robfig/cron): when
//! both days are restricted either may match, and Sunday is 0.

use std::str::FromStr as _;

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::span::Span;
use crate::words;

/// A freeze: when which environments must not change.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// Its name.
    pub name: String,
    /// Environments by name.
    pub environments: Vec<String>,
    /// When.
    pub times: Times,
    /// The zone in which it is written.
    pub zone: Tz,
    /// Whether an environment may go back to images that it ran before.
    pub allows_rollback: bool,
    /// Whether an environment may go back to all of what it was before.
    pub allows_revert: bool,
    /// Who may let a change through nevertheless.
    pub overrides: Vec<Override>,
    /// Where it is written.
    pub span: Span,
}

/// A way through a freeze: with the approval of named people, for a while.
#[derive(Clone, Debug)]
pub struct Override {
    /// `@user` or `@org/team`: one of them must approve the head.
    pub by: Vec<String>,
    /// Why.
    pub reason: String,
    /// When it has expired.
    pub until: DateTime<Utc>,
    /// The apps that it is for; all where it names none.
    pub apps: Vec<String>,
    /// Where it is written.
    pub span: Span,
}

/// When a freeze is active.
#[derive(Clone, Debug)]
pub enum Times {
    /// Once.
    Once(Window),
    /// Again and again.
    Recurring(Recurring),
    /// While GitLab says so to its jobs (`CI_DEPLOY_FREEZE`).
    DeployFreeze,
}

/// A stretch of time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it has ended.
    pub until: DateTime<Utc>,
}

/// A schedule in a time zone, and how long each window lasts.
#[derive(Clone, Debug)]
pub struct Recurring {
    starts: Schedule,
    length: Length,
    zone: Tz,
}

/// When a window of a schedule ends.
#[derive(Clone, Debug)]
enum Length {
    /// After so much time has passed, also when the clocks change.
    Elapsed(Duration),
    /// When the local clock shows so much more, as Argo CD has it: its windows are cut or stretched when the clocks change.
    OnTheClock(Duration),
    /// When another schedule fires next, as GitLab's deploy freezes end.
    Until(Schedule),
}

/// Five fields. Any of these fires.
#[derive(Clone, Debug)]
struct Schedule(Vec<cron::Schedule>);

/// How many windows of a freeze are listed.
const MOST_WINDOWS: usize = 10_000;

/// How many starts of a schedule are looked at for one answer.
const MOST_STARTS: usize = 50_000;

/// How long one window of a schedule may last.
const LONGEST: Duration = Duration::days(366);

impl Freeze {
    /// The window that is active at `now`, with the end of an unbroken series of windows.
    #[must_use]
    pub fn active(&self, now: DateTime<Utc>) -> Option<Window> {
        match &self.times {
            Times::Once(window) => (window.from <= now && now < window.until).then_some(*window),
            Times::Recurring(recurring) => recurring.active(now),
            Times::DeployFreeze => None,
        }
    }

    /// The windows that are active at some time between two moments, in order; those that touch are one.
    #[must_use]
    pub fn windows(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Window> {
        match &self.times {
            Times::Once(window) => Some(*window).filter(|it| it.from < until && from < it.until).into_iter().collect(),
            Times::Recurring(recurring) => recurring.windows(from, until),
            Times::DeployFreeze => Vec::new(),
        }
    }

    /// What about it was probably not meant.
    #[must_use]
    pub fn doubts(&self, now: DateTime<Utc>) -> Vec<String> {
        let Times::Recurring(recurring) = &self.times else { return Vec::new() };
        let Length::Elapsed(duration) = recurring.length else { return Vec::new() };
        let starts: Vec<DateTime<Utc>> = recurring.spans(now).map(|window| window.from).take(50).collect();
        let between = starts.iter().zip(starts.iter().skip(1)).map(|(one, next)| *next - *one).min();
        let mut doubts = Vec::new();
        if self.active(now).is_some_and(|window| window.until - now >= LONGEST) {
            doubts.push("it never ends: every window begins before the last one has ended".to_owned());
        } else if let Some(between) = between.filter(|between| *between < duration) {
            let [apart, lasts] = [between, duration].map(|it| words::duration(it.num_seconds()));
            doubts.push(format!(
                "its windows of {lasts} begin {apart} after each other; one at 17:00 is `0 17`, and `* 17` begins one every minute"
            ));
        }
        doubts
    }

    /// When the next window begins after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.times {
            Times::Once(window) => Some(window.from).filter(|from| *from > now),
            Times::Recurring(recurring) => recurring.next(now),
            Times::DeployFreeze => None,
        }
    }
}

impl Recurring {
    /// Reads a five-field schedule of windows that last for some time; says what is wrong with it.
    ///
    /// # Errors
    /// When a field is malformed, or the schedule never fires.
    pub fn new(schedule: &str, seconds: i64, zone: Tz) -> Result<Self, ScheduleError> {
        let starts = Schedule::read(schedule)?;
        Ok(Self { starts, length: Length::Elapsed(lasting(seconds)?), zone })
    }

    /// The same as Argo CD reads it: by the local clock, and the seventh day of the week is none.
    ///
    /// # Errors
    /// As [`Recurring::new`].
    pub fn of_argo(schedule: &str, seconds: i64, zone: Tz) -> Result<Self, ScheduleError> {
        let weekday = schedule.split_whitespace().nth(4).unwrap_or_default();
        let days = weekday.split(',').filter_map(|item| item.split('/').next());
        if days.flat_map(|range| range.split('-')).any(|day| day == "7") {
            return Err("a day of the week is 0 (Sunday) to 6, or SUN to SAT".to_owned().into());
        }
        let starts = Schedule::read(schedule)?;
        Ok(Self { starts, length: Length::OnTheClock(lasting(seconds)?), zone })
    }

    /// Windows that begin by one schedule and end by another, as GitLab's deploy freezes.
    ///
    /// # Errors
    /// As [`Recurring::new`].
    pub fn between(start: &str, end: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let [starts, ends] = [Schedule::read(start)?, Schedule::read(end)?];
        Ok(Self { starts, length: Length::Until(ends), zone })
    }

    /// All windows from the one before `now` on, in order; they may overlap. Schedules are evaluated in local time; a start in the
    /// gap of a clock change falls behind the gap, one that happens twice counts once.
    fn spans(&self, now: DateTime<Utc>) -> impl Iterator<Item = Window> + '_ {
        let local = |time: DateTime<Utc>| time.with_timezone(&self.zone).naive_local();
        let begin = match &self.length {
            Length::Elapsed(duration) | Length::OnTheClock(duration) => local(now - *duration - Duration::days(1)),
            Length::Until(_) => {
                // Windows of earlier starts end with that of this one, or before it.
                let last = self.starts.before(local(now) - Duration::hours(3));
                last.map_or_else(|| local(now), |last| last - Duration::seconds(1))
            }
        };
        self.starts.after(begin).take(MOST_STARTS).filter_map(|start| {
            let real = |time| instant(time, self.zone);
            let (from, until) = match &self.length {
                Length::Elapsed(duration) => (real(start), real(start) + *duration),
                Length::OnTheClock(duration) => (shown(start, self.zone), shown(start + *duration, self.zone)),
                Length::Until(ends) => (real(start), real(ends.after(start).next()?)),
            };
            Some(Window { from, until })
        })
    }

    fn windows(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for window in self.spans(from).take_while(|window| window.from < until) {
            let count = windows.len();
            match windows.last_mut() {
                _ if window.until <= from => {}
                Some(last) if window.from <= last.until => last.until = last.until.max(window.until),
                _ if count == MOST_WINDOWS => break,
                _ => windows.push(window),
            }
        }
        windows
    }

    /// The window that is active at `now`, with the end of an unbroken series of windows.
    #[must_use]
    pub fn active(&self, now: DateTime<Utc>) -> Option<Window> {
        let mut active: Option<Window> = None;
        for window in self.spans(now) {
            match &mut active {
                None if window.from > now => return None,
                None if window.until > now => active = Some(window),
                None => {}
                Some(active) if window.from <= active.until => active.until = active.until.max(window.until),
                Some(_) => break,
            }
            // A series without a gap has no end worth waiting for.
            if active.is_some_and(|window| window.until - now > Duration::days(366)) {
                break;
            }
        }
        active
    }

    /// When the next window begins after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.spans(now).map(|window| window.from).find(|from| *from > now)
    }
}

/// How long a window lasts.
fn lasting(seconds: i64) -> Result<Duration, String> {
    let duration = Duration::try_seconds(seconds).filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| "a window lasts at most a year".to_owned())
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// It fires on no day of any year.
    #[error("`{0}` never fires")]
    NeverFires(String),
}

impl From<String> for ScheduleError {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

impl Schedule {
    fn read(schedule: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = schedule.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let why = format!("a schedule has five fields (minute hour day month weekday), this has {}", fields.len());
            return Err(why.into());
        };
        for (name, field, range) in [
            ("minute", minute, "0-59"),
            ("hour", hour, "0-23"),
            ("day of the month", day, "1-31"),
            ("month", month, "1-12 or JAN-DEC"),
        ] {
            let alone = match name {
                "minute" => format!("0 {field} * * * *"),
                "hour" => format!("0 0 {field} * * *"),
                "month" => format!("0 0 0 * {field} *"),
                _ => format!("0 0 0 {field} * *"),
            };
            if cron::Schedule::from_str(&alone).is_err() {
                return Err(format!("`{field}` is not a valid {name} ({range}) in the schedule `{schedule}`").into());
            }
        }
        // robfig/cron: a star, alone or in a list, leaves the field open; a star with a step does not.
        let open = |item: &str| matches!(item, "*" | "?" | "*/1" | "?/1");
        let unrestricted = |field: &str| field.split(',').any(open);
        let either_day = !unrestricted(day) && !unrestricted(weekday);
        let weekday = translate_weekdays(weekday)?;
        let parse = |day: &str, weekday: &str| {
            let text = format!("0 {minute} {hour} {day} {month} {weekday}");
            cron::Schedule::from_str(&text).map_err(|_| format!("`{schedule}` is not a valid schedule"))
        };
        let schedules =
            if either_day { vec![parse(day, "*")?, parse("*", &weekday)?] } else { vec![parse(day, &weekday)?] };
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).and_then(|date| date.and_hms_opt(0, 0, 0)).unwrap_or_default();
        if schedules.iter().all(|schedule| schedule.after(&start.and_utc()).next().is_none()) {
            return Err(ScheduleError::NeverFires(schedule.to_owned()));
        }
        Ok(Self(schedules))
    }

    /// Local times after another one at which it fires, in order.
    fn after(&self, begin: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> + '_ {
        let mut series: Vec<_> =
            self.0.iter().map(|schedule| schedule.after_owned(begin.and_utc()).peekable()).collect();
        std::iter::from_fn(move || {
            let first = series.iter_mut().filter_map(|starts| starts.peek().copied()).min()?;
            for starts in &mut series {
                starts.next_if_eq(&first);
            }
            Some(first.naive_utc())
        })
    }

    /// The last local time before another one at which it fires.
    fn before(&self, end: NaiveDateTime) -> Option<NaiveDateTime> {
        let last = self.0.iter().filter_map(|schedule| schedule.after_owned(end.and_utc()).next_back());
        last.max().map(|time| time.naive_utc())
    }
}

/// The moment that a local time names: the earlier of two, or the first behind a gap.
fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.with_timezone(&Utc),
        LocalResult::None => {
            let before = zone.from_local_datetime(&(local - Duration::hours(3))).earliest();
            before.map_or_else(|| local.and_utc(), |before| before.with_timezone(&Utc) + Duration::hours(3))
        }
    }
}

/// The first moment at which the local clock shows a time or a later one.
fn shown(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.with_timezone(&Utc),
        LocalResult::None => {
            // A gap is at most some hours wide: the moment of the change is looked for between both sides of it.
            let around = |hours| zone.from_local_datetime(&(local + Duration::hours(hours))).earliest();
            let (Some(before), Some(after)) = (around(-3), around(3)) else { return local.and_utc() };
            let (mut before, mut after) = (before.timestamp(), after.timestamp());
            while after - before > 1 {
                let middle = before.midpoint(after);
                let shows = DateTime::from_timestamp(middle, 0).map(|time| time.with_timezone(&zone).naive_local());
                if shows.is_some_and(|shows| shows < local) { before = middle } else { after = middle }
            }
            DateTime::from_timestamp(after, 0).unwrap_or_default()
        }
    }
}

/// Reads a local time: a date, a date with a time, or RFC 3339.
#[must_use]
pub(super) fn parse_time(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(instant(local, zone))
}

/// Weekdays as the `cron` crate has them: by name, since its numbers begin with 1 for Sunday.
fn translate_weekdays(field: &str) -> Result<String, String> {
    const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    if matches!(field, "*" | "?") {
        return Ok("*".to_owned());
    }
    let wrong = || {
        format!(
            "`{field}` is not a valid weekday; write 0 to 6 (0 is Sunday), SUN to SAT, or ranges and lists of these"
        )
    };
    let number = |text: &str| {
        let by_name = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
        by_name.or_else(|| text.parse::<usize>().ok().filter(|day| *day <= 7)).ok_or_else(wrong)
    };
    let mut days = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
            None => (item, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((from, to)) => (number(from)?, number(to)?),
            None if item.contains('/') => (number(range)?, 6),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        (from..=to).step_by(step).for_each(|day| days[day % 7] = true);
    }
    let names: Vec<&str> = NAMES.iter().zip(days).filter(|(_, chosen)| *chosen).map(|(name, _)| *name).collect();
    Ok(if names.len() == 7 { "*".to_owned() } else { names.join(",") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn recurring(schedule: &str, hours: i64, zone: Tz) -> Recurring {
        Recurring::new(schedule, hours * 3600, zone).unwrap()
    }

    #[test]
    fn a_weekend_freeze_lasts_from_friday_to_monday() {
        let weekend = recurring("0 17 * * FRI", 63, chrono_tz::America::New_York);
        // 2026-11-20 is a Friday; New York is five hours behind.
        assert!(weekend.active(at("2026-11-20T21:59:59Z")).is_none());
        let window = weekend.active(at("2026-11-21T12:00:00Z")).unwrap();
        assert_eq!((window.from, window.until), (at("2026-11-20T22:00:00Z"), at("2026-11-23T13:00:00Z")));
        assert!(weekend.active(at("2026-11-23T13:00:00Z")).is_none());
    }

    #[test]
    fn sunday_is_zero_and_either_day_may_match() {
        let sunday = recurring("0 0 * * 0", 1, Tz::UTC);
        assert!(sunday.active(at("2026-11-22T00:30:00Z")).is_some());
        assert!(sunday.active(at("2026-11-23T00:30:00Z")).is_none());
        let daily = recurring("0 0 1 * 0-6", 1, Tz::UTC);
        assert!(daily.active(at("2026-11-24T00:30:00Z")).is_some());
        let either = recurring("0 0 1 * MON", 1, Tz::UTC);
        assert!(either.active(at("2026-11-23T00:30:00Z")).is_some());
        assert!(either.active(at("2026-11-01T00:30:00Z")).is_some());
        assert!(either.active(at("2026-11-24T00:30:00Z")).is_none());
    }

    #[test]
    fn clock_changes_do_not_cut_windows() {
        // Berlin loses the hour from 02:00 on 2026-03-29 and repeats it on 2026-10-25.
        let night = recurring("30 2 * * *", 4, chrono_tz::Europe::Berlin);
        let spring = night.active(at("2026-03-29T02:00:00Z")).unwrap();
        assert_eq!((spring.from, spring.until), (at("2026-03-29T01:30:00Z"), at("2026-03-29T05:30:00Z")));
        let autumn = night.active(at("2026-10-25T03:00:00Z")).unwrap();
        assert_eq!((autumn.from, autumn.until), (at("2026-10-25T00:30:00Z"), at("2026-10-25T04:30:00Z")));
    }

    #[test]
    fn windows_of_argo_follow_the_clock_on_the_wall() {
        // London loses the hour from 01:00 on 2026-03-29 and repeats it on 2026-10-25.
        let night = |schedule| Recurring::of_argo(schedule, 4 * 3600, chrono_tz::Europe::London).unwrap();
        let hours = |now| {
            let window = night("0 0 * * *").active(at(now)).unwrap();
            (window.until - window.from).num_hours()
        };
        assert_eq!(
            [hours("2026-03-29T02:00:00Z"), hours("2026-10-25T02:00:00Z"), hours("2026-06-01T01:00:00Z")],
            [3, 5, 4]
        );
        let in_gap = night("30 1 * * *").active(at("2026-03-29T02:00:00Z")).unwrap();
        assert_eq!((in_gap.from, in_gap.until), (at("2026-03-29T01:00:00Z"), at("2026-03-29T04:30:00Z")));
        // A slip that is easily made: every hour of a day, with windows of a day.
        let day =
            Recurring::of_argo("0 * 15 JAN *", 86_400, Tz::UTC).unwrap().active(at("2026-01-15T12:00:00Z")).unwrap();
        assert_eq!((day.until - day.from).num_hours(), 47);
        assert!(
            Recurring::of_argo("0 0 30 2 *", 60, Tz::UTC).is_err_and(|why| matches!(why, ScheduleError::NeverFires(_)))
        );
    }

    /// The rows of robfig/cron's own tests (`TestActivation`, `TestNext`, `TestErrors`), as facts.
    #[test]
    fn schedules_fire_when_those_of_robfig_do() {
        let time = |text: &str| NaiveDateTime::parse_from_str(&format!("2012-{text}"), "%Y-%m-%d %H:%M").unwrap();
        let fires = |schedule: &str, text: &str| {
            let minute = Duration::minutes(1);
            Schedule::read(schedule).unwrap().after(time(text) - minute).next() == Some(time(text))
        };
        for (text, schedule, is_fired) in [
            ("07-09 15:00", "0/15 * * * *", true),
            ("07-09 15:45", "0/15 * * * *", true),
            ("07-09 15:40", "0/15 * * * *", false),
            ("07-09 15:05", "5/15 * * * *", true),
            ("07-09 15:20", "5/15 * * * *", true),
            ("07-09 15:50", "5/15 * * * *", true),
            ("07-15 15:00", "0/15 * * Jul *", true),
            ("07-15 15:00", "0/15 * * Jun *", false),
            ("07-15 08:30", "30 08 ? Jul Sun", true),
            ("07-15 08:30", "30 08 15 Jul ?", true),
            ("07-16 08:30", "30 08 ? Jul Sun", false),
            ("07-16 08:30", "30 08 15 Jul ?", false),
            // Where both days are restricted, either may match.
            ("07-15 00:00", "* * 1,15 * Sun", true),
            ("06-15 00:00", "* * 1,15 * Sun", true),
            ("08-01 00:00", "* * 1,15 * Sun", true),
            ("07-15 00:00", "* * */10 * Sun", true),
            // Where one is a star, the other must.
            ("07-15 00:00", "* * * * Mon", false),
            ("07-09 00:00", "* * 1,15 * *", false),
            ("07-15 00:00", "* * 1,15 * *", true),
            ("07-15 00:00", "* * */2 * Sun", true),
        ] {
            assert_eq!(fires(schedule, text), is_fired, "`{schedule}` at {text}");
        }
        for (text, schedule, next) in [
            ("07-09 14:45", "0/15 * * * *", "2012-07-09 15:00"),
            ("07-09 15:45", "20-35/15 * * * *", "2012-07-09 16:20"),
            ("07-09 23:46", "*/15 * * * *", "2012-07-10 00:00"),
            ("07-09 23:45", "20-35/15 * * * *", "2012-07-10 00:20"),
            ("07-09 23:35", "0 0 9 Apr-Oct ?", "2012-08-09 00:00"),
            ("07-09 23:35", "0 0 */5 Apr,Aug,Oct Mon", "2012-08-01 00:00"),
            ("07-09 23:35", "0 0 */5 Oct Mon", "2012-10-01 00:00"),
            ("07-09 23:35", "0 0 * Feb Mon", "2013-02-04 00:00"),
            ("07-09 23:35", "0 0 * Feb Mon/2", "2013-02-01 00:00"),
            ("07-09 23:35", "0 0 29 Feb ?", "2016-02-29 00:00"),
        ] {
            let found = Schedule::read(schedule).unwrap().after(time(text)).next().unwrap();
            assert_eq!(found.format("%Y-%m-%d %H:%M").to_string(), next, "`{schedule}` after {text}");
        }
        for never in ["0 0 30 Feb ?", "0 0 31 Apr ?"] {
            assert_eq!(Schedule::read(never).unwrap_err(), ScheduleError::NeverFires(never.to_owned()));
        }
        for wrong in ["* * * *", "60 0 * * *", "0 60 * * *", "0 0 * * XYZ", "5 j * * *", "", "xyz"] {
            assert!(Schedule::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn deploy_freezes_of_gitlab_end_by_a_schedule_of_their_own() {
        let weekend = Recurring::between("0 23 * * 5", "0 7 * * 1", Tz::UTC).unwrap();
        assert!(weekend.active(at("2020-04-10T22:59:59Z")).is_none());
        let window = weekend.active(at("2020-04-11T12:00:00Z")).unwrap();
        assert_eq!((window.from, window.until), (at("2020-04-10T23:00:00Z"), at("2020-04-13T07:00:00Z")));
        assert!(weekend.active(at("2020-04-14T08:00:00Z")).is_none());
        assert_eq!(weekend.next(at("2020-04-14T08:00:00Z")), Some(at("2020-04-17T23:00:00Z")));
        // One that begins every night goes on until the week begins.
        let nights = Recurring::between("0 23 * * *", "0 7 * * 1", Tz::UTC).unwrap();
        assert_eq!(nights.active(at("2020-04-15T12:00:00Z")).unwrap().until, at("2020-04-20T07:00:00Z"));
    }

    #[test]
    fn windows_that_touch_are_one() {
        let always = recurring("0 0 * * *", 24, Tz::UTC);
        let now = at("2026-11-23T05:00:00Z");
        assert!(always.active(now).unwrap().until - now > Duration::days(365));
    }

    #[test]
    fn windows_are_listed_and_slips_are_told() {
        let files = crate::span::Files::default();
        let file = files.add(&RepoPath::root().child("a"), ContentId::of(b""), "");
        let freeze = |times| Freeze {
            name: "f".to_owned(),
            environments: Vec::new(),
            times: Times::Recurring(times),
            zone: Tz::UTC,
            allows_rollback: false,
            allows_revert: false,
            overrides: Vec::new(),
            span: Span::start_of(file),
        };
        let now = at("2026-11-26T10:00:00Z");
        let weekend = freeze(recurring("0 17 * * FRI", 63, Tz::UTC));
        let windows = weekend.windows(now, at("2026-12-06T00:00:00Z"));
        assert_eq!(windows.len(), 2);
        assert_eq!(windows[0], Window { from: at("2026-11-27T17:00:00Z"), until: at("2026-11-30T08:00:00Z") });
        assert!(weekend.doubts(now).is_empty());
        assert!(weekend.windows(at("2026-11-28T00:00:00Z"), at("2026-11-28T01:00:00Z")).len() == 1);
        let slip = freeze(recurring("* 17 * * FRI", 2, Tz::UTC));
        assert_eq!(slip.windows(now, at("2026-12-01T00:00:00Z")).len(), 1);
        assert!(slip.doubts(now)[0].contains("begin 1 min after each other"), "{:?}", slip.doubts(now));
        assert!(freeze(recurring("0 0 * * *", 24, Tz::UTC)).doubts(now)[0].contains("never ends"));
    }

    #[test]
    fn impossible_schedules_are_refused() {
        for schedule in
            ["0 0 30 2 *", "0 0 * *", "x 0 * * *", "0 0 * * 8", "0 0 * * SAT-MON", "0 25 * * *", "0 0 * * 1/0"]
        {
            assert!(Recurring::new(schedule, 3600, Tz::UTC).is_err(), "{schedule}");
        }
        assert!(Recurring::new("0 0 * * *", 400 * 86_400, Tz::UTC).is_err());
    }

    #[test]
    fn times_are_local_unless_they_say_otherwise() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(parse_time("2026-12-18T17:00", berlin), Some(at("2026-12-18T16:00:00Z")));
        assert_eq!(parse_time("2026-12-18T17:00:00Z", berlin), Some(at("2026-12-18T17:00:00Z")));
        assert_eq!(parse_time("2026-12-18", berlin), Some(at("2026-12-17T23:00:00Z")));
        assert_eq!(parse_time("next week", berlin), None);
    }
}
