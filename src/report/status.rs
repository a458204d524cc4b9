//! What every environment ran at a time, beside what controllers report: `tollgate.status/1`, and tables.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::escape::markdown as escaped;
use super::escape::printable;
use super::history::{GapRow, cells, not_known, sorted};
use crate::config::Config;
use crate::facts::{Applied, Gap, ImageStay, LiveHistory};
use crate::model::{Image, Overlay};
use crate::words;

/// What there is to tell.
pub struct Status<'a> {
    /// What was live when.
    pub history: &'a LiveHistory,
    /// What controllers report.
    pub running: &'a [Running],
    /// What environments are called.
    pub config: &'a Config,
    /// The time, in seconds since 1970.
    pub at: i64,
}

/// What a controller runs for an overlay.
pub struct Running {
    /// The report.
    pub applied: Applied,
    /// The overlay.
    pub overlay: Overlay,
    /// What its revision renders to, or why that is not known.
    pub images: Result<Vec<Image>, String>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
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
    fn of(running: &'a Running, config: &'a Config, declared: &[&ImageStay]) -> Self {
        let applied = &running.applied;
        let images = running.images.as_deref().unwrap_or_default();
        let runs = |row: &&ImageStay| images.iter().any(|image| image.reference == row.image.reference);
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

    fn sentence(&self) -> String {
        let revision = words::short_commit(self.revision);
        let what = match (self.as_declared, self.why_unknown) {
            (Some(true), _) => "runs this".to_owned(),
            (_, Some(why)) => return format!("{} `{}` {why}: {}", self.controller, self.name, self.state),
            _ => format!("runs {}", self.images.join(", ")),
        };
        format!("{} `{}` {what}, commit {revision}: {}", self.controller, self.name, self.state)
    }
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

/// What an app runs in an environment.
struct Place<'a> {
    app: &'a str,
    environment: &'a str,
    declared: Vec<&'a ImageStay>,
    reported: Vec<AppliedRow<'a>>,
}

impl<'a> Status<'a> {
    /// Every app in every environment; the lowest environment first.
    fn places(&self) -> impl Iterator<Item = Place<'a>> {
        let Self { history, running, config, at } = *self;
        let ran = move |row: &&ImageStay| row.lasted_at(at);
        history.live.iter().flat_map(move |(app, environments)| {
            environments.iter().filter_map(move |(environment, rows)| {
                let declared: Vec<&ImageStay> = sorted(rows).into_iter().filter(ran).collect();
                let is_here =
                    |running: &&Running| running.overlay.app == *app && running.overlay.environment == *environment;
                let reported = running.iter().filter(is_here);
                let reported = reported.map(|running| AppliedRow::of(running, config, &declared)).collect();
                let environment = config.environments[*environment].name.as_str();
                (!declared.is_empty()).then_some(Place { app, environment, declared, reported })
            })
        })
    }

    fn gaps(&self) -> impl Iterator<Item = &'a Gap> {
        let at = self.at;
        self.history.gaps.iter().filter(move |gap| gap.lasted_at(at))
    }

    /// Writes JSON.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut apps: BTreeMap<&str, BTreeMap<&str, Vec<Declared<'_>>>> = BTreeMap::new();
        let mut running = Vec::new();
        for place in self.places() {
            let rows = place.declared.into_iter().map(|row| Declared {
                repository: &row.image.repository,
                digest: row.image.digest.as_deref(),
                tag: row.image.tag.as_deref(),
                since: words::rfc3339(row.from),
                commit: &row.commit,
                author: &row.author,
            });
            apps.entry(place.app).or_default().insert(place.environment, rows.collect());
            running.extend(place.reported);
        }
        let gaps = self.gaps().map(GapRow::of).collect();
        let document = StatusJson { schema: "tollgate.status/1", at: words::rfc3339(self.at), apps, gaps, running };
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")
    }

    /// Writes a table for a person.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut last = "";
        for place in self.places() {
            if place.app != last {
                writeln!(out, "{}", printable(place.app))?;
                last = place.app;
            }
            for row in place.declared {
                let [image, age, commit, author] = cells(row, self.at).map(|cell| printable(&cell));
                let environment = printable(place.environment);
                writeln!(out, "  {environment:<12} {age:>12}  {commit}  {image}  ({author})")?;
            }
            for row in place.reported {
                writeln!(out, "  {:<25}  {}", "", printable(&row.sentence()))?;
            }
        }
        for gap in self.gaps() {
            writeln!(out, "{}", printable(&not_known(gap)))?;
        }
        Ok(())
    }

    /// Writes a Markdown table.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "| app | environment | image | for | commit | by |\n|---|---|---|---|---|---|")?;
        let mut reported = Vec::new();
        for place in self.places() {
            for row in place.declared {
                let [image, age, commit, author] = cells(row, self.at).map(|cell| escaped(&cell));
                let (app, environment) = (escaped(place.app), escaped(place.environment));
                writeln!(out, "| {app} | {environment} | {image} | {age} | {commit} | {author} |")?;
            }
            reported.extend(place.reported);
        }
        for row in reported {
            let sentence = escaped(&row.sentence());
            writeln!(out, "\n{} in {}: {sentence}", escaped(row.app), escaped(row.environment))?;
        }
        for gap in self.gaps() {
            writeln!(out, "\n{}", escaped(&not_known(gap)))?;
        }
        Ok(())
    }
}
