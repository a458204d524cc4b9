//! A finding or an error as a story with places: what is wrong, the lines, what is known, what to do.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters,
    ThemeStyles,
};

use super::escape::{forms, printable};
use super::mask::Mask;
use crate::finding::Label;
use crate::span::{FileId, Files, SourceFile, Span};

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

/// Tells stories about one set of files.
pub struct Teller<'a> {
    files: &'a Files,
    style: Style,
    /// What must not be shown, found out once a file.
    masks: HashMap<FileId, Arc<Mask>>,
}

impl<'a> Teller<'a> {
    /// Everything that is secret in `files` must be known by now.
    #[must_use]
    pub fn new(files: &'a Files, style: Style) -> Self {
        Self { files, style, masks: HashMap::new() }
    }

    fn mask(&mut self, file: FileId) -> Arc<Mask> {
        let files = self.files;
        Arc::clone(self.masks.entry(file).or_insert_with(|| Arc::new(Mask::of(files, file))))
    }

    /// Writes one story.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn tell(&mut self, story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (files, style) = (self.files, self.style);
        let kind = if story.is_error { "error" } else { "warning" };
        let code = story.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
        let paint = |text: &str, code: &str| {
            if style == Style::Coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let colour = if story.is_error { "1;31" } else { "1;33" };
        let mut told = format!("{}: {}\n", paint(&format!("{kind}{code}"), colour), printable(story.message));
        // miette shows one source a diagnostic: labels are told file by file, the primary's first.
        let mut by_file: Vec<(FileId, Vec<Shown<'_>>)> = Vec::new();
        let labels =
            story.primary.iter().map(|label| (label, true)).chain(story.related.iter().map(|label| (label, false)));
        for (label, is_primary) in labels {
            match by_file.iter_mut().find(|(known, _)| *known == label.span.file) {
                Some((_, labels)) => labels.push((label, is_primary)),
                None => by_file.push((label.span.file, vec![(label, is_primary)])),
            }
        }
        for (file, labels) in &by_file {
            let excerpt = Excerpt::new(&files.get(*file), &self.mask(*file), labels);
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
                told.push_str(line.trim_end());
                told.push('\n');
            }
        }
        for note in &story.notes {
            told.push_str(&format!("  {}: {}\n", paint("note", "1"), printable(note)));
        }
        if let Some(help) = story.help {
            told.push_str(&format!("  {}: {}\n", paint("help", "1;36"), printable(help)));
        }
        writeln!(out, "{}", files.without_hidden(told, forms))
    }
}

/// A part of a file with labels.
struct Excerpt {
    source: NamedSource<String>,
    labels: Vec<LabeledSpan>,
}

impl Excerpt {
    fn new(file: &SourceFile, mask: &Mask, labels: &[Shown<'_>]) -> Self {
        let lines = file.line_starts().len();
        let first = labels.iter().map(|(label, _)| file.line_of(label.span.start)).min().unwrap_or_default();
        let last = labels.iter().map(|(label, _)| file.line_of(label.span.start)).max().unwrap_or_default();
        let (from, to) = (first.saturating_sub(2), (last + 3).min(lines).min(first + WINDOW.max(last - first + 3)));
        // Lines before the window are kept as empty ones, so that miette counts right.
        let mut text = "\n".repeat(from);
        let mut starts = BTreeMap::new();
        for line in from..to {
            let start = file.line_starts()[line] as usize;
            let end = file.line_starts().get(line + 1).map_or(file.text.len(), |next| *next as usize);
            starts.insert(line, text.len());
            let content = file.text[start..end].trim_end_matches(['\n', '\r']);
            let cut: String = mask.shown(line, content).chars().take(LONGEST_LINE).collect();
            text.push_str(&shown(&cut));
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
