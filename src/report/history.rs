//! What was live where: `tollgate.history/1`, and a table for a person.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::escape::{markdown as escaped, printable};
use crate::config::Config;
use crate::facts::{Gap, ImageStay, LiveHistory};
use crate::words;

#[derive(Serialize)]
struct HistoryJson<'a> {
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
            from: words::rfc3339(gap.from),
            to: gap.to.map(words::rfc3339),
            commit: &gap.commit,
            why: &gap.why,
        }
    }
}

pub(super) fn not_known(gap: &Gap) -> String {
    let (from, until) = (words::minute(gap.from), gap.to.map_or_else(|| "now".to_owned(), words::minute));
    let commit = words::short_commit(&gap.commit);
    format!("unknown: `{}` from {from} to {until}; it did not render since commit {commit}: {}", gap.overlay, gap.why)
}

/// Oldest first; of those that began together by repository.
pub(super) fn sorted(rows: &[ImageStay]) -> Vec<&ImageStay> {
    let mut rows: Vec<&ImageStay> = rows.iter().collect();
    rows.sort_by_key(|row| (row.from, row.image.repository.clone(), row.image.reference.clone()));
    rows
}

/// Writes JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(timeline: &LiveHistory, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let mut live = BTreeMap::new();
    for (app, environments) in &timeline.live {
        let named = environments.iter().map(|(at, rows)| {
            let rows = sorted(rows).into_iter().map(|row| Row {
                repository: &row.image.repository,
                digest: row.image.digest.as_deref(),
                tag: row.image.tag.as_deref(),
                from: words::rfc3339(row.from),
                to: row.to.map(words::rfc3339),
                commit: &row.commit,
                from_is_known: !row.begins_in_gap,
                to_is_known: !row.ends_in_gap,
            });
            (config.environments[*at].name.as_str(), rows.collect())
        });
        live.insert(app.as_str(), named.collect());
    }
    let gaps = timeline.gaps.iter().map(GapRow::of).collect();
    serde_json::to_writer(&mut *out, &HistoryJson { schema: "tollgate.history/1", live, gaps })?;
    out.write_all(b"\n")
}

/// Writes a table, the newest first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(timeline: &LiveHistory, config: &Config, now: i64, out: &mut dyn Write) -> io::Result<()> {
    for (app, environments) in &timeline.live {
        for (at, rows) in environments.iter().rev().filter(|(_, rows)| !rows.is_empty()) {
            writeln!(out, "{} in {}", printable(app), printable(&config.environments[*at].name))?;
            for row in sorted(rows).into_iter().rev() {
                let until = row.to.map_or_else(|| "now".to_owned(), words::minute);
                let lasted = words::duration(row.to.unwrap_or(now) - row.from);
                let image = printable(&row.image.reference);
                let commit = words::short_commit(&row.commit);
                let doubt = match (row.begins_in_gap, row.ends_in_gap) {
                    (false, false) => "",
                    (true, false) => "  (did not render before)",
                    (false, true) => "  (did not render afterwards)",
                    (true, true) => "  (did not render before or afterwards)",
                };
                writeln!(out, "  {} to {until:<16}  {lasted:>12}  {commit}  {image}{doubt}", words::minute(row.from))?;
            }
        }
    }
    for gap in &timeline.gaps {
        writeln!(out, "{}", printable(&not_known(gap)))?;
    }
    if timeline.distrusted > 0 {
        let commits = words::count(timeline.distrusted, "commit");
        writeln!(out, "{commits} with an implausible date; the next plausible one is used")?;
    }
    Ok(())
}

/// Writes a Markdown table, oldest first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn markdown(timeline: &LiveHistory, config: &Config, now: i64, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| app | environment | image | from | to | for | commit |\n|---|---|---|---|---|---|---|")?;
    for (app, environments) in &timeline.live {
        for (at, rows) in environments {
            let environment = escaped(&config.environments[*at].name);
            for row in sorted(rows) {
                let [image, age, commit, _] = cells(row, row.to.unwrap_or(now)).map(|cell| escaped(&cell));
                let (from, to) = (words::rfc3339(row.from), row.to.map_or_else(|| "now".to_owned(), words::rfc3339));
                writeln!(out, "| {} | {environment} | {image} | {from} | {to} | {age} | {commit} |", escaped(app))?;
            }
        }
    }
    for gap in &timeline.gaps {
        writeln!(out, "\n{}", escaped(&not_known(gap)))?;
    }
    Ok(())
}

/// What one row of a table says.
pub(super) fn cells(row: &ImageStay, at: i64) -> [String; 4] {
    let what = match (&row.image.digest, &row.image.tag) {
        (Some(digest), _) => digest.chars().take("sha256:".len() + 12).collect(),
        (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
    };
    let commit = words::short_commit(&row.commit);
    [format!("{} {what}", row.image.repository), words::duration(at - row.from), commit, row.author.clone()]
}
