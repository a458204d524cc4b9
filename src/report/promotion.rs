//! What a promotion writes, and what its commit and its pull request say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::SecondsFormat;
use serde::Serialize;

use super::check::Report;
use super::escape::printable;
use crate::facts::Stay;
use crate::model::Image;
use crate::sources::RepoPath;
use crate::span::Location;
use crate::words;

/// A promotion as it would be written.
pub struct Promotion {
    /// The app.
    pub app: String,
    /// The environment that it enters.
    pub environment: String,
    /// Every image that gets other content.
    pub replaced: Vec<Replaced>,
    /// Whole new texts of the files that change.
    pub files: BTreeMap<RepoPath, String>,
}

/// An image that gets other content.
pub struct Replaced {
    /// Where it is decided, in the new text.
    pub location: Location,
    /// As it was.
    pub before: Image,
    /// As it is to be.
    pub after: Image,
    /// Where the new content has been live.
    pub origin: Option<Origin>,
}

/// A stay in the environment that a content comes from.
pub struct Origin {
    /// The environment.
    pub environment: String,
    /// The stay.
    pub stay: Stay,
    /// How long it has lasted, in seconds.
    pub seconds: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PromotionJson<'a> {
    schema: &'static str,
    app: &'a str,
    environment: &'a str,
    valid_until: Option<String>,
    changes: Vec<Row>,
    commit_message: String,
    title: String,
    body: String,
}

#[derive(Serialize)]
struct Row {
    file: String,
    line: usize,
    repository: String,
    from: String,
    to: String,
}

/// The digest, else the tag, as far as its characters are any of a tag's: the rest a terminal or a page might obey.
fn version(image: &Image) -> String {
    let version = image.digest.as_deref().or(image.tag.as_deref()).unwrap_or("latest");
    harmless(version)
}

fn harmless(text: &str) -> String {
    let is_harmless = |character: char| character.is_alphanumeric() || "_.:/@+-".contains(character);
    text.chars().map(|character| if is_harmless(character) { character } else { '\u{fffd}' }).collect()
}

/// A version that a person can read.
fn short(image: &Image) -> String {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => harmless(digest).chars().take("sha256:".len() + 12).collect(),
        (None, _) => version(image),
    }
}

impl Origin {
    fn sentence(&self) -> String {
        let commit = words::short_commit(&self.stay.commit);
        let (environment, from) = (&self.environment, words::moment(self.stay.from));
        match self.stay.to {
            None => {
                format!("live in {environment} since {from}, for {} (commit {commit})", words::duration(self.seconds))
            }
            Some(to) => format!("live in {environment} from {from} to {} (commit {commit})", words::moment(to)),
        }
    }
}

impl Promotion {
    /// Files that follow: what is in them says which versions run.
    fn following(&self) -> impl Iterator<Item = &RepoPath> {
        let decides = |path: &RepoPath| self.replaced.iter().any(|replaced| replaced.location.path == *path);
        self.files.keys().filter(move |path| !decides(path))
    }

    /// What is replaced, without what stands on several lines.
    fn different(&self) -> Vec<&Replaced> {
        let mut different: Vec<&Replaced> = Vec::new();
        for replaced in &self.replaced {
            let same = |other: &&Replaced| other.before == replaced.before && other.after == replaced.after;
            if !different.iter().any(same) {
                different.push(replaced);
            }
        }
        different
    }

    /// What the commit's first line and the pull request say first.
    #[must_use]
    pub fn title(&self) -> String {
        let mut versions: Vec<String> = self.replaced.iter().map(|replaced| short(&replaced.after)).collect();
        versions.sort();
        versions.dedup();
        let what = match &versions[..] {
            [version] => version.clone(),
            several => format!("{} versions", several.len()),
        };
        printable(&format!("Promote {} to {}: {what}", self.app, self.environment))
    }

    /// The whole message of the commit.
    #[must_use]
    pub fn commit_message(&self) -> String {
        let mut text = format!("{}\n", self.title());
        for replaced in self.different() {
            let (before, after) = (version(&replaced.before), version(&replaced.after));
            let _ = write!(text, "\n{}\n  from {before}\n  to   {after}\n", harmless(&replaced.after.repository));
            if let Some(origin) = &replaced.origin {
                let _ = writeln!(text, "  {}", origin.sentence());
            }
        }
        text
    }

    /// The text of the pull request, Markdown.
    #[must_use]
    pub fn body(&self, report: &Report) -> String {
        let mut text = "| image | from | to | proof |\n|---|---|---|---|\n".to_owned();
        for replaced in self.different() {
            let origin = replaced.origin.as_ref().map_or_else(|| "chosen by hand".to_owned(), Origin::sentence);
            let [before, after] = [&replaced.before, &replaced.after].map(version);
            let repository = harmless(&replaced.after.repository);
            let _ = writeln!(text, "| `{repository}` | `{before}` | `{after}` | {origin} |");
        }
        let _ = writeln!(text, "\nChanges:\n");
        for replaced in &self.replaced {
            let _ =
                writeln!(text, "- `{}`, line {}", printable(replaced.location.path.as_str()), replaced.location.line);
        }
        for path in self.following() {
            let _ = writeln!(text, "- `{}`, the list of versions", printable(path.as_str()));
        }
        let _ = write!(text, "\n`tollgate check` allows it at {}", words::moment(report.now.timestamp()));
        match report.valid_until {
            Some(until) => text.push_str(&format!(", until {} at the latest.\n", words::moment(until.timestamp()))),
            None => text.push_str(".\n"),
        }
        text
    }
}

/// Writes what was changed, and what to say of it.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(promotion: &Promotion, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for replaced in &promotion.replaced {
        let (path, line) = (printable(replaced.location.path.as_str()), replaced.location.line);
        let [before, after] = [&replaced.before, &replaced.after].map(|image| printable(&short(image)));
        writeln!(out, "{path}:{line}: {} {before} -> {after}", printable(&replaced.after.repository))?;
        if let Some(origin) = &replaced.origin {
            writeln!(out, "  {}", origin.sentence())?;
        }
    }
    for path in promotion.following() {
        writeln!(out, "{}: follows", printable(path.as_str()))?;
    }
    writeln!(out, "\ncommit message:\n\n{}", indented(&promotion.commit_message()))?;
    writeln!(out, "title of the pull request:\n\n  {}\n", promotion.title())?;
    writeln!(out, "text of the pull request:\n\n{}", indented(&promotion.body(report)))
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") });
    lines.collect()
}

/// Writes JSON, `tollgate.promotion/1`.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(promotion: &Promotion, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let row = |replaced: &Replaced| Row {
        file: replaced.location.path.to_string(),
        line: replaced.location.line,
        repository: replaced.after.repository.clone(),
        from: version(&replaced.before),
        to: version(&replaced.after),
    };
    let changes = promotion.replaced.iter().map(row).collect();
    let document = PromotionJson {
        schema: "tollgate.promotion/1",
        app: &promotion.app,
        environment: &promotion.environment,
        valid_until: report.valid_until.map(|until| until.to_rfc3339_opts(SecondsFormat::Secs, true)),
        changes,
        commit_message: promotion.commit_message(),
        title: promotion.title(),
        body: promotion.body(report),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}
