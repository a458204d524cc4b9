//! What was live where: `tollgate.history/1`, and a table for a person.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{count, printable};
use crate::config::{Config, describe_seconds};
use crate::facts::{Gap, Stretch, Timeline};

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
pub(super) struct GapRow<'a> {
    app: &'a str,
    overlay: &'a str,
    from: String,
    to: Option<String>,
    commit: &'a str,
    why: &'a str,
}

impl<'a> GapRow<'a> {
    pub(super) fn of(gap: &'a Gap) -> Self {
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

pub(super) fn time(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn moment(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M").to_string()
}

pub(super) fn not_known(gap: &Gap) -> String {
    let (from, until) = (moment(gap.from), gap.to.map_or_else(|| "now".to_owned(), moment));
    let commit: String = gap.commit.chars().take(7).collect();
    format!("not known: `{}` from {from} to {until}, it did not render since commit {commit}: {}", gap.overlay, gap.why)
}

/// Oldest first; of those that began together by repository.
pub(super) fn sorted(rows: &[Stretch]) -> Vec<&Stretch> {
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

pub(super) fn lasted(from: i64, to: Option<i64>, at: i64) -> bool {
    from <= at && to.is_none_or(|to| at < to)
}

/// What one row of a table says.
pub(super) fn cells(row: &Stretch, at: i64) -> [String; 4] {
    let what = match (&row.image.digest, &row.image.tag) {
        (Some(digest), _) => digest.chars().take("sha256:".len() + 12).collect(),
        (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
    };
    let commit: String = row.commit.chars().take(7).collect();
    [format!("{} {what}", row.image.repository), describe_seconds(at - row.from), commit, row.author.clone()]
}

/// A text in a Markdown table: nothing of it is markup.
pub(super) fn escaped(text: &str) -> String {
    printable(text).chars().fold(String::new(), |mut out, character| {
        if "\\`*_{}[]()<>#+!|~&".contains(character) {
            out.push_str(&format!("&#{};", u32::from(character)));
        } else {
            out.push(character);
        }
        out
    })
}
