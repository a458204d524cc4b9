//! What was live where: `tollgate.history/1`, and a table for a person.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{count, printable};
use crate::config::{Config, describe_seconds};
use crate::facts::{Stretch, Timeline};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    live: BTreeMap<&'a str, BTreeMap<&'a str, Vec<Row<'a>>>>,
    gaps: Vec<GapRow<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    repository: &'a str,
    digest: Option<&'a str>,
    tag: Option<&'a str>,
    from: String,
    to: Option<String>,
    commit: &'a str,
}

#[derive(Serialize)]
struct GapRow<'a> {
    overlay: &'a str,
    from: String,
    to: Option<String>,
    commit: &'a str,
    why: &'a str,
}

fn time(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Oldest first; of those that began together by repository.
fn sorted(rows: &[Stretch]) -> Vec<&Stretch> {
    let mut rows: Vec<&Stretch> = rows.iter().collect();
    rows.sort_by_key(|row| (row.from, row.image.repository.clone(), row.image.content()));
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
            });
            (config.environments[*at].name.as_str(), rows.collect())
        });
        live.insert(app.as_str(), named.collect());
    }
    let gaps = timeline.gaps.iter().map(|gap| GapRow {
        overlay: gap.overlay.as_str(),
        from: time(gap.from),
        to: gap.to.map(time),
        commit: &gap.commit,
        why: &gap.why,
    });
    serde_json::to_writer(&mut *out, &Document { schema: "tollgate.history/1", live, gaps: gaps.collect() })?;
    out.write_all(b"\n")
}

/// Writes a table, the newest first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(timeline: &Timeline, config: &Config, now: i64, out: &mut dyn Write) -> io::Result<()> {
    let moment = |seconds: i64| {
        let time = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
        time.format("%Y-%m-%d %H:%M").to_string()
    };
    for (app, environments) in &timeline.live {
        for (at, rows) in environments.iter().rev() {
            writeln!(out, "{} in {}", printable(app), printable(&config.environments[*at].name))?;
            for row in sorted(rows).into_iter().rev() {
                let until = row.to.map_or_else(|| "now".to_owned(), moment);
                let lasted = describe_seconds(row.to.unwrap_or(now) - row.from);
                let image = printable(&row.image.reference);
                let commit: String = row.commit.chars().take(7).collect();
                writeln!(out, "  {} to {until:<16}  {lasted:>12}  {commit}  {image}", moment(row.from))?;
            }
        }
    }
    for gap in &timeline.gaps {
        let (from, until) = (moment(gap.from), gap.to.map_or_else(|| "now".to_owned(), moment));
        let (overlay, why) = (printable(gap.overlay.as_str()), printable(&gap.why));
        writeln!(out, "not known: `{overlay}` from {from} to {until}, it did not render: {why}")?;
    }
    if timeline.distrusted > 0 {
        let commits = count(timeline.distrusted, "commit");
        writeln!(out, "{commits} with a date that cannot be: they count from the next newer one that can")?;
    }
    Ok(())
}
