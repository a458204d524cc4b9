//! What was live where: `tollgate.history/1`, and a table for a person.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{count, printable};
use crate::config::{Config, describe_seconds};
use crate::facts::{Gap, Running, Stretch, Timeline};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    live: BTreeMap<&'a str, BTreeMap<&'a str, Vec<Row<'a>>>>,
    gaps: Vec<GapRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    repository: &'a str,
    digest: Option<&'a str>,
    tag: Option<&'a str>,
    from: String,
    to: Option<String>,
    commit: &'a str,
    /// Whether the moment is known, and not only that of an overlay that rendered again, or not any more.
    from_is_known: bool,
    to_is_known: bool,
}

#[derive(Serialize)]
struct GapRow<'a> {
    app: &'a str,
    overlay: &'a str,
    from: String,
    to: Option<String>,
    commit: &'a str,
    why: &'a str,
}

impl<'a> GapRow<'a> {
    fn of(gap: &'a Gap) -> Self {
        Self {
            app: &gap.app,
            overlay: gap.overlay.as_str(),
            from: time(gap.from),
            to: gap.to.map(time),
            commit: &gap.commit,
            why: &gap.why,
        }
    }
}

#[derive(Serialize)]
struct StatusDocument<'a> {
    schema: &'static str,
    at: String,
    apps: BTreeMap<&'a str, BTreeMap<&'a str, Vec<Declared<'a>>>>,
    gaps: Vec<GapRow<'a>>,
    running: Vec<AppliedRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppliedRow<'a> {
    app: &'a str,
    environment: &'a str,
    overlay: &'a str,
    controller: &'static str,
    name: &'a str,
    revision: &'a str,
    state: &'a str,
    healthy: bool,
    /// Whether it is what is declared; `null` where it is not known what the revision runs.
    as_declared: Option<bool>,
    why_unknown: Option<&'a str>,
    images: Vec<&'a str>,
}

impl<'a> AppliedRow<'a> {
    fn of(running: &'a Running, config: &'a Config, declared: &[&Stretch]) -> Self {
        let applied = &running.applied;
        let images = running.images.as_deref().unwrap_or_default();
        let runs = |row: &&Stretch| images.iter().any(|image| image.reference == row.image.reference);
        Self {
            app: &running.overlay.app,
            environment: &config.environments[running.overlay.environment].name,
            overlay: running.overlay.path.as_str(),
            controller: applied.controller.name(),
            name: &applied.name,
            revision: &applied.revision,
            state: &applied.state,
            healthy: applied.is_healthy,
            as_declared: running.images.is_ok().then(|| declared.iter().all(runs)),
            why_unknown: running.images.as_ref().err().map(String::as_str),
            images: images.iter().map(|image| image.reference.as_str()).collect(),
        }
    }

    fn told(&self) -> String {
        let revision: String = self.revision.chars().take(7).collect();
        let what = match (self.as_declared, self.why_unknown) {
            (Some(true), _) => "runs this".to_owned(),
            (_, Some(why)) => return format!("{} `{}` {why}: {}", self.controller, self.name, self.state),
            _ => format!("runs {}", self.images.join(", ")),
        };
        format!("{} `{}` {what}, commit {revision}: {}", self.controller, self.name, self.state)
    }
}

/// What controllers report of one app in one environment.
fn applied<'a>(
    running: &'a [Running],
    config: &'a Config,
    (app, environment): (&str, usize),
    declared: &[&Stretch],
) -> Vec<AppliedRow<'a>> {
    let is_of = |running: &&Running| running.overlay.app == app && running.overlay.environment == environment;
    running.iter().filter(is_of).map(|running| AppliedRow::of(running, config, declared)).collect()
}

#[derive(Serialize)]
struct Declared<'a> {
    repository: &'a str,
    digest: Option<&'a str>,
    tag: Option<&'a str>,
    since: String,
    commit: &'a str,
    author: &'a str,
}

fn time(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn moment(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M").to_string()
}

fn not_known(gap: &Gap) -> String {
    let (from, until) = (moment(gap.from), gap.to.map_or_else(|| "now".to_owned(), moment));
    let commit: String = gap.commit.chars().take(7).collect();
    format!("not known: `{}` from {from} to {until}, it did not render since commit {commit}: {}", gap.overlay, gap.why)
}

/// Oldest first; of those that began together by repository.
fn sorted(rows: &[Stretch]) -> Vec<&Stretch> {
    let mut rows: Vec<&Stretch> = rows.iter().collect();
    rows.sort_by_key(|row| (row.from, row.image.repository.clone(), row.image.reference.clone()));
    rows
}

/// Writes JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(timeline: &Timeline, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let mut live = BTreeMap::new();
    for (app, environments) in &timeline.live {
        let named = environments.iter().map(|(at, rows)| {
            let rows = sorted(rows).into_iter().map(|row| Row {
                repository: &row.image.repository,
                digest: row.image.digest.as_deref(),
                tag: row.image.tag.as_deref(),
                from: time(row.from),
                to: row.to.map(time),
                commit: &row.commit,
                from_is_known: !row.begins_in_gap,
                to_is_known: !row.ends_in_gap,
            });
            (config.environments[*at].name.as_str(), rows.collect())
        });
        live.insert(app.as_str(), named.collect());
    }
    let gaps = timeline.gaps.iter().map(GapRow::of).collect();
    serde_json::to_writer(&mut *out, &Document { schema: "tollgate.history/1", live, gaps })?;
    out.write_all(b"\n")
}

/// Writes a table, the newest first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(timeline: &Timeline, config: &Config, now: i64, out: &mut dyn Write) -> io::Result<()> {
    for (app, environments) in &timeline.live {
        for (at, rows) in environments.iter().rev().filter(|(_, rows)| !rows.is_empty()) {
            writeln!(out, "{} in {}", printable(app), printable(&config.environments[*at].name))?;
            for row in sorted(rows).into_iter().rev() {
                let until = row.to.map_or_else(|| "now".to_owned(), moment);
                let lasted = describe_seconds(row.to.unwrap_or(now) - row.from);
                let image = printable(&row.image.reference);
                let commit: String = row.commit.chars().take(7).collect();
                let doubt = match (row.begins_in_gap, row.ends_in_gap) {
                    (false, false) => "",
                    (true, false) => "  (did not render before)",
                    (false, true) => "  (did not render after)",
                    (true, true) => "  (did not render before and after)",
                };
                writeln!(out, "  {} to {until:<16}  {lasted:>12}  {commit}  {image}{doubt}", moment(row.from))?;
            }
        }
    }
    for gap in &timeline.gaps {
        writeln!(out, "{}", printable(&not_known(gap)))?;
    }
    if timeline.distrusted > 0 {
        let commits = count(timeline.distrusted, "commit");
        writeln!(out, "{commits} with a date that cannot be: they count from the next newer one that can")?;
    }
    Ok(())
}

/// Writes a Markdown table, oldest first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn markdown(timeline: &Timeline, config: &Config, now: i64, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| app | environment | image | from | to | for | commit |\n|---|---|---|---|---|---|---|")?;
    for (app, environments) in &timeline.live {
        for (at, rows) in environments {
            let environment = escaped(&config.environments[*at].name);
            for row in sorted(rows) {
                let [image, age, commit, _] = cells(row, row.to.unwrap_or(now)).map(|cell| escaped(&cell));
                let (from, to) = (time(row.from), row.to.map_or_else(|| "now".to_owned(), time));
                writeln!(out, "| {} | {environment} | {image} | {from} | {to} | {age} | {commit} |", escaped(app))?;
            }
        }
    }
    for gap in &timeline.gaps {
        writeln!(out, "\n{}", escaped(&not_known(gap)))?;
    }
    Ok(())
}

fn lasted(from: i64, to: Option<i64>, at: i64) -> bool {
    from <= at && to.is_none_or(|to| at < to)
}

/// What every environment ran at a time, by app; the lowest environment first.
fn declared(timeline: &Timeline, at: i64) -> impl Iterator<Item = (&str, usize, Vec<&Stretch>)> {
    let ran = move |row: &&Stretch| lasted(row.from, row.to, at);
    timeline.live.iter().flat_map(move |(app, environments)| {
        environments.iter().filter_map(move |(environment, rows)| {
            let rows: Vec<&Stretch> = sorted(rows).into_iter().filter(ran).collect();
            (!rows.is_empty()).then_some((app.as_str(), *environment, rows))
        })
    })
}

/// Writes what every environment ran at a time as JSON, `tollgate.status/1`.
///
/// # Errors
/// When `out` cannot be written to.
pub fn status_json(
    timeline: &Timeline,
    running: &[Running],
    config: &Config,
    at: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut apps: BTreeMap<&str, BTreeMap<&str, Vec<Declared<'_>>>> = BTreeMap::new();
    let mut reported = Vec::new();
    for (app, environment, rows) in declared(timeline, at) {
        reported.extend(applied(running, config, (app, environment), &rows));
        let rows = rows.into_iter().map(|row| Declared {
            repository: &row.image.repository,
            digest: row.image.digest.as_deref(),
            tag: row.image.tag.as_deref(),
            since: time(row.from),
            commit: &row.commit,
            author: &row.author,
        });
        apps.entry(app).or_default().insert(&config.environments[environment].name, rows.collect());
    }
    let gaps = timeline.gaps.iter().filter(|gap| lasted(gap.from, gap.to, at)).map(GapRow::of).collect();
    let document = StatusDocument { schema: "tollgate.status/1", at: time(at), apps, gaps, running: reported };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// What one row of a table says.
fn cells(row: &Stretch, at: i64) -> [String; 4] {
    let what = match (&row.image.digest, &row.image.tag) {
        (Some(digest), _) => digest.chars().take("sha256:".len() + 12).collect(),
        (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
    };
    let commit: String = row.commit.chars().take(7).collect();
    [format!("{} {what}", row.image.repository), describe_seconds(at - row.from), commit, row.author.clone()]
}

/// Writes what every environment ran at a time as a table for a person.
///
/// # Errors
/// When `out` cannot be written to.
pub fn status_human(
    timeline: &Timeline,
    running: &[Running],
    config: &Config,
    at: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut last = "";
    for (app, environment, rows) in declared(timeline, at) {
        let reported = applied(running, config, (app, environment), &rows);
        if app != last {
            writeln!(out, "{}", printable(app))?;
            last = app;
        }
        for row in rows {
            let [image, age, commit, author] = cells(row, at).map(|cell| printable(&cell));
            let environment = printable(&config.environments[environment].name);
            writeln!(out, "  {environment:<12} {age:>12}  {commit}  {image}  ({author})")?;
        }
        for row in reported {
            writeln!(out, "  {:<25}  {}", "", printable(&row.told()))?;
        }
    }
    for gap in timeline.gaps.iter().filter(|gap| lasted(gap.from, gap.to, at)) {
        writeln!(out, "{}", printable(&not_known(gap)))?;
    }
    Ok(())
}

/// Writes what every environment ran at a time as a Markdown table.
///
/// # Errors
/// When `out` cannot be written to.
pub fn status_markdown(
    timeline: &Timeline,
    running: &[Running],
    config: &Config,
    at: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "| app | environment | image | for | commit | by |\n|---|---|---|---|---|---|")?;
    let mut reported = Vec::new();
    for (app, environment, rows) in declared(timeline, at) {
        reported.extend(applied(running, config, (app, environment), &rows));
        for row in rows {
            let [image, age, commit, author] = cells(row, at).map(|cell| escaped(&cell));
            let environment = escaped(&config.environments[environment].name);
            writeln!(out, "| {} | {environment} | {image} | {age} | {commit} | {author} |", escaped(app))?;
        }
    }
    for row in reported {
        let told = escaped(&row.told());
        writeln!(out, "\n{} in {}: {told}", escaped(row.app), escaped(row.environment))?;
    }
    for gap in timeline.gaps.iter().filter(|gap| lasted(gap.from, gap.to, at)) {
        writeln!(out, "\n{}", escaped(&not_known(gap)))?;
    }
    Ok(())
}

/// A text in a Markdown table: nothing of it is markup.
fn escaped(text: &str) -> String {
    printable(text).chars().fold(String::new(), |mut out, character| {
        if "\\`*_{}[]()<>#+!|~&".contains(character) {
            out.push_str(&format!("&#{};", u32::from(character)));
        } else {
            out.push(character);
        }
        out
    })
}
