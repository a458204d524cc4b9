//! A finding or an error as a story with places: what is wrong, the lines, what is known, what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters,
    ThemeStyles,
};

use super::escape::printable;
use crate::finding::Label;
use crate::sources::ContentId;
use crate::span::{Files, SourceFile, Span};
use crate::yaml::{Dialect, Mapping, Node, Source, Step, parse};

/// How wide reports are.
const WIDTH: usize = 120;
/// How much of a file is shown to miette around a place, in lines; near the end of large files it is slow otherwise.
const WINDOW: usize = 40;
/// Lines longer than this are cut off in excerpts.
const LONGEST_LINE: usize = 400;

/// How text is marked up for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Plain,
    /// With colours.
    Coloured,
}

/// Something to tell with places: a finding, or an error that stopped the run.
pub struct Story<'a> {
    /// `error` or `warning`.
    pub is_error: bool,
    /// The rule's id.
    pub code: Option<String>,
    /// What is wrong.
    pub message: &'a str,
    /// The line to edit.
    pub primary: Option<Label>,
    /// Other places.
    pub related: &'a [Label],
    /// What is known besides.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<&'a str>,
}

/// A label, and whether it is the primary one.
type Shown<'a> = (&'a Label, bool);

/// Writes one story.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(story: &Story<'_>, files: &Files, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let kind = if story.is_error { "error" } else { "warning" };
    let code = story.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let paint = |text: &str, code: &str| {
        if style == Style::Coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let colour = if story.is_error { "1;31" } else { "1;33" };
    writeln!(out, "{}: {}", paint(&format!("{kind}{code}"), colour), printable(story.message))?;
    // miette shows one source a diagnostic: labels are told file by file, the primary's first.
    let mut by_file: Vec<(Arc<SourceFile>, Vec<Shown<'_>>)> = Vec::new();
    let labels =
        story.primary.iter().map(|label| (label, true)).chain(story.related.iter().map(|label| (label, false)));
    for (label, is_primary) in labels {
        let file = files.get(label.span.file);
        match by_file.iter_mut().find(|(known, _)| known.path == file.path && Arc::ptr_eq(&known.text, &file.text)) {
            Some((_, labels)) => labels.push((label, is_primary)),
            None => by_file.push((file, vec![(label, is_primary)])),
        }
    }
    for (file, labels) in &by_file {
        let excerpt = Excerpt::new(file, labels);
        let mut text = String::new();
        let theme = GraphicalTheme {
            characters: ThemeCharacters::unicode(),
            styles: if style == Style::Coloured { ThemeStyles::ansi() } else { ThemeStyles::none() },
        };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_context_lines(1).with_links(false);
        if handler.render_report(&mut text, &excerpt).is_err() {
            return Err(io::Error::other("the report could not be formatted"));
        }
        // The first line is the excerpt's (empty) message.
        for line in text.lines().skip_while(|line| !line.contains('╭')) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    for note in &story.notes {
        writeln!(out, "  {}: {}", paint("note", "1"), printable(note))?;
    }
    if let Some(help) = story.help {
        writeln!(out, "  {}: {}", paint("help", "1;36"), printable(help))?;
    }
    writeln!(out)
}

/// A part of a file with labels.
struct Excerpt {
    source: NamedSource<String>,
    labels: Vec<LabeledSpan>,
}

impl Excerpt {
    fn new(file: &SourceFile, labels: &[Shown<'_>]) -> Self {
        let lines = file.line_starts().len();
        let first = labels.iter().map(|(label, _)| file.line_of(label.span.start)).min().unwrap_or_default();
        let last = labels.iter().map(|(label, _)| file.line_of(label.span.start)).max().unwrap_or_default();
        let (from, to) = (first.saturating_sub(2), (last + 3).min(lines).min(first + WINDOW.max(last - first + 3)));
        let secret = secret_lines(file);
        // Lines before the window are kept as empty ones, so that miette counts right.
        let mut text = "\n".repeat(from);
        let mut starts = BTreeMap::new();
        for line in from..to {
            let start = file.line_starts()[line] as usize;
            let end = file.line_starts().get(line + 1).map_or(file.text.len(), |next| *next as usize);
            starts.insert(line, text.len());
            let content = file.text[start..end].trim_end_matches(['\n', '\r']);
            let cut: String = content.chars().take(LONGEST_LINE).collect();
            text.push_str(&shown(&if secret.contains(&line) { masked(&cut) } else { cut }));
            text.push('\n');
        }
        let place = |span: Span| {
            let line = file.line_of(span.start);
            let start = file.line_starts()[line] as usize;
            let begin = starts.get(&line).copied().unwrap_or_default();
            let line_end = text[begin..].find('\n').map_or(text.len(), |at| begin + at);
            // Labels stay on the first line of what they point at.
            let before = file.text.get(start..span.start as usize).unwrap_or_default();
            let inside = file.text.get(span.start as usize..span.end as usize).unwrap_or_default();
            let inside = inside.lines().next().unwrap_or_default();
            let at = (begin + shown(before).len()).min(line_end);
            let length = shown(inside).len().min(line_end - at);
            // A masked line may end inside of what was a character.
            if text.is_char_boundary(at) && text.is_char_boundary(at + length) { (at, length) } else { (begin, 0) }
        };
        let labels = labels.iter().map(|(label, is_primary)| {
            let (at, length) = place(label.span);
            let text = Some(printable(&label.text)).filter(|text| !text.is_empty());
            if *is_primary {
                LabeledSpan::new_primary_with_span(text, (at, length))
            } else {
                LabeledSpan::new(text, at, length)
            }
        });
        let labels = labels.collect();
        Self { source: NamedSource::new(printable(file.path.as_str()), text), labels }
    }
}

/// The zero-based lines that may hold contents of Secrets: objects of that kind, the sources of `secretGenerator`, and
/// files of other kinds, which generators read. Where a file cannot be read as YAML, all that mentions Secrets counts.
fn secret_lines(file: &SourceFile) -> BTreeSet<usize> {
    let lines = 0..file.line_starts().len();
    let ending = file.path.file_name().rsplit_once('.').map(|(_, ending)| ending);
    if file.path.file_name() == "CODEOWNERS" {
        return BTreeSet::new();
    }
    if !matches!(ending, Some("yaml" | "yml" | "json")) && file.path.file_name() != "Kustomization" {
        return lines.collect();
    }
    if !file.text.contains("Secret") && !file.text.to_ascii_lowercase().contains("secretgenerator") {
        return BTreeSet::new();
    }
    // Spans of a file of its own would need its id; lines are counted on a copy of the text instead.
    let files = Files::default();
    let copy = files.add(&file.path, ContentId::of(file.text.as_bytes()), &file.text);
    let Ok(documents) = parse(&Source::file(copy, &file.text), Step::File, Dialect::Kustomization) else {
        return lines.collect();
    };
    let mut secret = BTreeSet::new();
    for document in &documents {
        mark_secrets(document, &mut |node| {
            let span = node.origin.span;
            secret.extend(file.line_of(span.start)..=file.line_of(span.end.max(span.start + 1) - 1));
        });
    }
    secret
}

/// Calls `mark` on every value that may be the content of a Secret.
fn mark_secrets(node: &Node, mark: &mut dyn FnMut(&Node)) {
    let is_secret = node.get("kind").and_then(Node::as_text) == Some("Secret");
    for (key, value) in node.as_mapping().into_iter().flat_map(Mapping::iter) {
        if is_secret && matches!(&*key.text, "data" | "stringData") || key.text.eq_ignore_ascii_case("secretGenerator")
        {
            mark(value);
        } else {
            mark_secrets(value, mark);
        }
    }
    for item in node.as_sequence().unwrap_or_default() {
        mark_secrets(item, mark);
    }
}

/// A line with all behind its first `:` or `=` hidden, or all of it where it has neither.
fn masked(line: &str) -> String {
    let start = line.find([':', '=']).map_or_else(|| line.len() - line.trim_start().len(), |at| at + 1);
    let hidden = |character: char| if character.is_whitespace() { character } else { '*' };
    line[..start].chars().chain(line[start..].chars().map(hidden)).collect()
}

/// A line as it is shown: what a terminal would obey replaced, tabs as blanks.
fn shown(line: &str) -> String {
    printable(&line.replace('\t', "  "))
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Excerpt")
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Excerpt {}

impl Diagnostic for Excerpt {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::RepoPath;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let files = Files::default();
        let file = files.add(&RepoPath::new(path).unwrap(), ContentId::of(text.as_bytes()), text);
        secret_lines(&files.get(file)).into_iter().collect()
    }

    #[test]
    fn contents_of_secrets_are_never_shown() {
        assert_eq!(
            lines("a.yaml", "kind: Secret\nmetadata: {name: x}\nstringData:\n  a: b\n  c: |\n    d\n    e\n"),
            [3, 4, 5, 6]
        );
        assert_eq!(lines("k.yaml", "secretGenerator:\n- name: x\n  literals: [a=b]\nresources: []\n"), [1, 2]);
        assert_eq!(lines("k.yaml", "kind: SecretStore\nspec:\n  a: b\n"), [0usize; 0]);
        assert_eq!(lines("a.yaml", "kind: Secret\nstringData: [\n"), [0, 1, 2]);
        assert_eq!(lines("secret.env", "A=b\n"), [0, 1]);
        assert_eq!(masked("  a: hunter2 x"), "  a: ******* *");
        assert_eq!(masked("  - literal=hunter2"), "  - literal=*******");
        assert_eq!(masked("  hunter2"), "  *******");
    }
}
