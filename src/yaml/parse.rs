use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};

use super::emit::is_printable;
use super::resolve::{Kind, resolve, resolve_yaml11};
use super::{DEEPEST_NESTING, Key, MOST_NODES, Mapping, Node, Origin, Scalar, Step, Value};
use crate::span::{FileId, SourceFile, Span, offset};

/// How many documents one text may hold.
const MOST_DOCUMENTS: usize = 20_000;

/// In which way kustomize reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Resources and patches: a key that occurs twice is refused, and folded blocks pass through [`folded_again`].
    Resource,
    /// Kustomization files: scalars mean what they mean in YAML 1.1, and the last one of equal keys counts.
    Kustomization,
    /// Transformer configurations: as kustomization files, but a key that occurs twice is refused.
    Configuration,
}

/// A text that is not YAML, or that is past a limit. The user's file is at fault.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// A text to parse, and where its bytes stand in a file.
pub struct Source<'a> {
    text: Cow<'a, str>,
    place: Place,
}

enum Place {
    /// The text is the file.
    File(FileId),
    /// The text is a scalar in a file: starts of its lines, and where they stand.
    Lines { file: FileId, lines: Vec<(usize, u32)> },
    /// The text is a scalar whose bytes cannot be found one by one (escapes, folding).
    Whole(Span),
    /// Nobody asks.
    Nowhere,
}

impl<'a> Source<'a> {
    /// A whole file.
    #[must_use]
    pub fn file(file: FileId, text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), place: Place::File(file) }
    }

    /// The text of a scalar that itself holds YAML, such as an inline patch. `file` is the file that holds it.
    #[must_use]
    pub fn embedded(scalar: &'a str, span: Span, file: &SourceFile) -> Self {
        let start = span.start as usize;
        let raw = file.text.get(start..span.end as usize).unwrap_or_default();
        let lines = block_lines(&file.text, start, scalar).or_else(|| {
            let inner = raw.strip_prefix(['"', '\'']).unwrap_or(raw);
            let verbatim = inner.starts_with(scalar) && !scalar.contains('\n');
            verbatim.then(|| vec![(0, start + raw.len() - inner.len())])
        });
        let place = match lines {
            Some(lines) => {
                let lines = lines.into_iter().map(|(inner, outer)| (inner, offset(outer))).collect();
                Place::Lines { file: span.file, lines }
            }
            None => Place::Whole(span),
        };
        Self { text: Cow::Borrowed(scalar), place }
    }

    /// A text that stands in no file as it is, such as one that was put together; all of it is placed at `span`.
    #[must_use]
    pub fn whole(text: &'a str, span: Span) -> Self {
        Self { text: Cow::Borrowed(text), place: Place::Whole(span) }
    }

    /// A text of which nobody asks where it stands.
    #[must_use]
    pub(super) fn nowhere(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), place: Place::Nowhere }
    }

    /// The whole text, for messages about all of it.
    #[must_use]
    pub fn span(&self) -> Span {
        self.locate(0..self.text.len())
    }

    fn locate(&self, range: std::ops::Range<usize>) -> Span {
        match &self.place {
            Place::File(file) => Span { file: *file, start: offset(range.start), end: offset(range.end) },
            Place::Lines { file, lines } => {
                let outer = |at: usize| {
                    let line = lines.partition_point(|(inner, _)| *inner <= at).saturating_sub(1);
                    let (inner, outer) = lines.get(line).copied().unwrap_or_default();
                    outer + offset(at.saturating_sub(inner))
                };
                // The end is looked up by the last byte, so that it stays on that byte's line.
                let end = if range.end > range.start { outer(range.end - 1) + 1 } else { outer(range.start) };
                Span { file: *file, start: outer(range.start), end }
            }
            Place::Whole(span) => *span,
            Place::Nowhere => Span::start_of(FileId::none()),
        }
    }
}

/// Where the lines of a literal block's text stand in its file: pairs of an offset in `text` and one in `file`.
/// `start` is the first character behind the block's indentation. `None` where the bytes are not the text's own.
fn block_lines(file: &str, start: usize, text: &str) -> Option<Vec<(usize, usize)>> {
    let line_start = file.get(..start)?.rfind('\n')? + 1;
    let indent = start - line_start;
    if !file[line_start..start].bytes().all(|byte| byte == b' ') {
        return None;
    }
    let mut inner = text.len() - text.trim_start_matches('\n').len();
    let mut outer = line_start;
    let mut lines = vec![(0, start)];
    for line in text[inner..].split('\n') {
        let rest = file.get(outer..)?;
        let lead = rest.bytes().take(indent).take_while(|byte| *byte == b' ').count();
        if !rest[lead..].starts_with(line) {
            return None;
        }
        lines.push((inner, outer + lead));
        inner += line.len() + 1;
        let Some(next) = rest.find('\n') else { break };
        outer += next + 1;
    }
    Some(lines)
}

/// Parses every document of a text. Empty documents become null nodes.
///
/// # Errors
/// When the text is not YAML, or is past a limit on nesting, aliases or documents.
pub fn parse(source: &Source<'_>, step: Step, dialect: Dialect) -> Result<Vec<Node>, YamlError> {
    refuse_hidden(source)?;
    let mut options = granit_parser::Options::default();
    options.block_scalar_eof_without_line_feed = true;
    options.emit_comments = false;
    let readable = readable(&source.text);
    let text: &str = readable.strip_prefix('\u{feff}').unwrap_or(&readable);
    let skipped = source.text.len() - text.len();
    let mut builder = Builder { source, step, dialect, open: Vec::new(), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or_default() + skipped;
            YamlError { message: format!("not YAML: {}", error.info()), span: source.locate(at..at) }
        })?;
        let range = span.byte_range().unwrap_or_default();
        if let Some(document) = builder.take(event, range.start + skipped..range.end + skipped)? {
            if documents.len() >= MOST_DOCUMENTS {
                return Err(builder.error(range, format!("more than {MOST_DOCUMENTS} documents in one file")));
            }
            documents.push(document);
        }
    }
    Ok(documents)
}

/// The text with what kustomize passes over between documents blanked out, each byte in its place: what stands behind `---` as a
/// comment without a blank before it, and a byte order mark at the beginning of a document.
fn readable(text: &str) -> Cow<'_, str> {
    const MARK: &str = "\u{feff}";
    let is_odd = |line: &str| line.starts_with("---#");
    if !text.contains("---#") && !text.strip_prefix(MARK).unwrap_or(text).contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut is_begun = true;
    for line in text.split_inclusive('\n') {
        if is_odd(line) {
            let rest = line[3..].trim_end_matches(['\n', '\r']);
            out.push_str("---");
            out.extend(std::iter::repeat_n(' ', rest.len()));
            out.push_str(&line[3 + rest.len()..]);
            is_begun = false;
            continue;
        }
        match line.strip_prefix(MARK).filter(|_| !is_begun) {
            Some(rest) => {
                out.extend(std::iter::repeat_n('\n', MARK.len()));
                out.push_str(rest);
            }
            None => out.push_str(line),
        }
        is_begun = !line.starts_with("---");
    }
    Cow::Owned(out)
}

/// Refuses what kustomize reads in another way than YAML 1.2 says, so that one text would deploy what another one shows:
/// line breaks that only YAML 1.1 knows, and documents behind `...`, which kustomize drops.
fn refuse_hidden(source: &Source<'_>) -> Result<(), YamlError> {
    let text = &source.text;
    if let Some((at, character)) = text.char_indices().find(|(_, it)| matches!(it, '\u{85}' | '\u{2028}' | '\u{2029}'))
    {
        let code = u32::from(character);
        let message = format!("kustomize reads the invisible character U+{code:04X} as a line break; remove it");
        return Err(YamlError { message, span: source.locate(at..at + character.len_utf8()) });
    }
    let mut is_behind_end = false;
    let mut is_before_content = true;
    let mut at = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let marks = |mark: &str| {
            let rest = line.strip_prefix(mark);
            rest.is_some_and(|rest| rest.trim_start().len() < rest.len() || rest.is_empty() || rest.starts_with('#'))
        };
        let content = line.trim();
        let refuse =
            |message: &str| Err(YamlError { message: message.to_owned(), span: source.locate(at..at + content.len()) });
        if is_before_content && content.starts_with('%') && line.starts_with('%') {
            return refuse("kustomize does not read directives such as `%YAML`; remove this line");
        }
        if marks("---") {
            let same_line = content.trim_start_matches('-').trim_start();
            if !is_before_content && !same_line.is_empty() && !same_line.starts_with('#') {
                return refuse("kustomize reads nothing behind `---`; begin the document on the next line");
            }
            is_before_content &= same_line.is_empty() || same_line.starts_with('#');
            is_behind_end = false;
        } else if marks("...") {
            is_behind_end = true;
        } else if is_behind_end && !content.is_empty() && !content.starts_with(['#', '%']) {
            return refuse("kustomize ignores everything after `...`; begin a new document with `---`, or remove this");
        } else {
            is_before_content &= content.is_empty() || content.starts_with('#');
        }
        at += line.len();
    }
    Ok(())
}

struct Builder<'a> {
    source: &'a Source<'a>,
    step: Step,
    dialect: Dialect,
    open: Vec<Open>,
    /// Finished anchored nodes and how many nodes they hold when expanded.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

struct Open {
    start: usize,
    anchor: usize,
    is_flow: bool,
    /// The node count when the collection was opened.
    nodes_before: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Key, Node)>, key: Option<(Key, bool)>, seen: HashMap<Arc<str>, usize>, merge: Vec<Node> },
}

impl Builder<'_> {
    fn error(&self, range: std::ops::Range<usize>, message: String) -> YamlError {
        YamlError { message, span: self.source.locate(range) }
    }

    /// Takes one event; hands back a document when it is complete.
    fn take(&mut self, event: Event<'_>, range: std::ops::Range<usize>) -> Result<Option<Node>, YamlError> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_what_go_refuses(&text, style, &range)?;
                self.refuse_hidden_key(&text, style, tag.is_some(), &range)?;
                let scalar = self.scalar(text, style, tag.as_deref(), &range)?;
                let node = self.node(Value::Scalar(scalar), self.without_trailing_space(range));
                return self.finish(node, anchor, 1, 1);
            }
            Event::SequenceStart(style, anchor, _) => {
                self.begin(range, (anchor, style), Content::Sequence(Vec::new()))?;
            }
            Event::MappingStart(style, anchor, _) => {
                let content =
                    Content::Mapping { entries: Vec::new(), key: None, seen: HashMap::new(), merge: Vec::new() };
                self.begin(range, (anchor, style), content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(None) };
                let (value, last) = match open.content {
                    Content::Sequence(items) => {
                        let last = items.last().map(|item| item.origin.span);
                        (Value::Sequence(Arc::new(items)), last)
                    }
                    Content::Mapping { entries, merge, .. } => {
                        let last = entries.last().map(|(_, node)| node.origin.span);
                        (Value::Mapping(Arc::new(merged(entries, merge))), last)
                    }
                };
                let mut node = self.node(value, open.start..range.end.max(open.start));
                if let (Some(last), true) = (last, range.start == range.end) {
                    node.origin.span.end = last.end.max(node.origin.span.start);
                }
                let size = self.nodes - open.nodes_before + 1;
                return self.finish(node, open.anchor, size, 1);
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error(range, "an alias inside the very value that it names".to_owned()));
                };
                return self.finish(node, 0, size, size);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Refuses scalars that go-yaml does not read: escapes of JSON that YAML 1.1 does not have, and a block that begins with a
    /// tab.
    fn refuse_what_go_refuses(
        &self,
        text: &str,
        style: ScalarStyle,
        range: &std::ops::Range<usize>,
    ) -> Result<(), YamlError> {
        match style {
            // A JSON patch is read as JSON.
            ScalarStyle::DoubleQuoted if !self.source.text.trim_start().starts_with('[') => {
                let written = self.source.text.get(range.clone()).unwrap_or_default();
                let mut rest = written;
                while let Some(at) = rest.find('\\') {
                    let escape = &rest[at + 1..];
                    let code = escape.strip_prefix('u').and_then(|code| u32::from_str_radix(code.get(..4)?, 16).ok());
                    if escape.starts_with('/') || code.is_some_and(|code| (0xd800..0xe000).contains(&code)) {
                        let message = "kustomize does not read this escape; write the character itself".to_owned();
                        let start = range.start + (written.len() - rest.len()) + at;
                        return Err(self.error(start..start + 2, message));
                    }
                    let skip = escape.chars().next().map_or(0, char::len_utf8);
                    rest = &escape[skip..];
                }
                Ok(())
            }
            ScalarStyle::Plain if self.is_in_flow() => self.refuse_flow_indicators(range),
            ScalarStyle::Plain if range.is_empty() && self.is_at_key() => {
                Err(self.error(range.clone(), "this `:` has no key before it".to_owned()))
            }
            ScalarStyle::Literal | ScalarStyle::Folded if text.trim_start_matches('\n').starts_with('\t') => {
                let message = "kustomize does not read a block that begins with a tab; write it in quotes";
                Err(self.error(range.clone(), message.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses plain scalars between brackets and braces that go-yaml cuts in another place: at `?`, and not at a `:` that
    /// is followed by `,` or a closing bracket.
    fn refuse_flow_indicators(&self, range: &std::ops::Range<usize>) -> Result<(), YamlError> {
        let written = self.source.text.get(range.clone()).unwrap_or_default().trim_end();
        let behind = self.source.text.get(range.start + written.len()..).unwrap_or_default();
        let ends_in_colon = behind.strip_prefix(':').is_some_and(|rest| rest.starts_with([',', ']', '}']));
        if !(written.contains('?') || written.starts_with(':') || written.ends_with(':') || ends_in_colon) {
            return Ok(());
        }
        let message = format!("kustomize reads `{written}` in another way between brackets; write it in quotes");
        Err(self.error(range.clone(), message))
    }

    fn is_at_key(&self) -> bool {
        matches!(self.open.last().map(|open| &open.content), Some(Content::Mapping { key: None, .. }))
    }

    /// Whether the scalar that comes is the value of an annotation. kustomize sets those again when it reads an object.
    fn is_annotation(&self) -> bool {
        let key = |open: &Open| match &open.content {
            Content::Mapping { key: Some((key, _)), .. } => Some(Arc::clone(&key.text)),
            _ => None,
        };
        let (metadata, annotations, values) = match &self.open[..] {
            [metadata, annotations, values] => (metadata, annotations, values),
            [list, items, metadata, annotations, values]
                if key(list).as_deref() == Some("items") && matches!(items.content, Content::Sequence(_)) =>
            {
                (metadata, annotations, values)
            }
            _ => return false,
        };
        key(metadata).as_deref() == Some("metadata")
            && key(annotations).as_deref() == Some("annotations")
            && key(values).is_some()
    }

    /// Refuses keys that readers take in different ways: those with a tag, and `<<` in another form than as it is.
    fn refuse_hidden_key(
        &self,
        text: &str,
        style: ScalarStyle,
        is_tagged: bool,
        range: &std::ops::Range<usize>,
    ) -> Result<(), YamlError> {
        let is_key = self.is_at_key();
        if is_key && is_tagged {
            return Err(self.error(range.clone(), format!("the key `{text}` has a tag; write it without one")));
        }
        if is_key && text == "<<" && style != ScalarStyle::Plain {
            let message = "some readers take a quoted `<<` for a merge; write it without quotes, or rename the key";
            return Err(self.error(range.clone(), message.to_owned()));
        }
        Ok(())
    }

    /// Block scalars reach over the blank lines behind them, which nobody wants underlined.
    fn without_trailing_space(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let text = self.source.text.get(range.clone()).unwrap_or_default();
        range.start..range.start + text.trim_end().len()
    }

    fn is_in_flow(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_flow)
    }

    fn node(&self, value: Value, range: std::ops::Range<usize>) -> Node {
        Node { value, origin: Origin::new(self.source.locate(range), self.step) }
    }

    fn begin(
        &mut self,
        range: std::ops::Range<usize>,
        (anchor, style): (usize, StructureStyle),
        content: Content,
    ) -> Result<(), YamlError> {
        if self.open.len() >= DEEPEST_NESTING {
            return Err(self.error(range, format!("more than {DEEPEST_NESTING} levels of nesting")));
        }
        let is_flow = style == StructureStyle::Flow;
        self.open.push(Open { start: range.start, anchor, is_flow, nodes_before: self.nodes, content });
        Ok(())
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        range: &std::ops::Range<usize>,
    ) -> Result<Scalar, YamlError> {
        let plain = style == ScalarStyle::Plain;
        let tag_name = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
        let is_binary = tag_name.as_deref() == Some("binary") && !self.is_annotation();
        let text = if is_binary { Cow::from(self.binary(&text, range)?) } else { text };
        let is_blank_tag = tag.is_some_and(|tag| tag.handle().is_empty() && tag.suffix() == "!");
        let kind = match tag_name.as_deref() {
            None if is_blank_tag && plain && !range.is_empty() => resolve(&text),
            None if tag.is_some() => Kind::String,
            // kustomize writes and reads every object once more; a colon in a flow collection is then put in quotes.
            None if plain && self.dialect != Dialect::Resource => match resolve_yaml11(&text) {
                Kind::Timestamp => Kind::String,
                kind => kind,
            },
            None if plain && self.is_in_flow() && text.contains(':') => Kind::String,
            None if plain => resolve(&text),
            Some(wanted @ ("null" | "bool" | "int" | "float" | "timestamp")) => {
                let kind = resolve(&text);
                let fits = matches!(
                    (wanted, kind),
                    ("null", Kind::Null)
                        | ("bool", Kind::Bool(_))
                        | ("int", Kind::Int(_) | Kind::Uint(_))
                        | ("float", Kind::Float(_) | Kind::Int(_) | Kind::Uint(_))
                        | ("timestamp", Kind::Timestamp)
                );
                if !fits {
                    return Err(self.error(range.clone(), format!("`{text}` does not match its tag `!!{wanted}`")));
                }
                kind
            }
            None | Some(_) => Kind::String,
        };
        let text: Arc<str> = match style {
            // The parser reports an empty value as `~`, which kustomize tells from a null that is written out.
            ScalarStyle::Plain if range.is_empty() => Arc::from(""),
            ScalarStyle::Folded if self.dialect == Dialect::Resource && !self.is_annotation() => {
                Arc::from(folded_again(&text))
            }
            _ => Arc::from(text),
        };
        // What is left out in a flow collection is null while kustomize works, and an empty string in its output.
        let is_blank = self.dialect == Dialect::Resource && self.is_in_flow() && text.is_empty() && tag.is_none();
        let plain = (plain || kind == Kind::Null) && !is_blank;
        let folded = style == ScalarStyle::Folded && self.dialect == Dialect::Resource && self.is_annotation();
        Ok(Scalar { text, kind, plain, folded })
    }

    /// What a `!!binary` value stands for, as go-yaml decodes it. Bytes that are no text cannot be rendered.
    fn binary(&self, text: &str, range: &std::ops::Range<usize>) -> Result<String, YamlError> {
        let refuse = |what: &str| self.error(range.clone(), format!("the `!!binary` value {what}"));
        let bytes = STANDARD.decode(text.replace(['\r', '\n'], "")).map_err(|_| refuse("is not base64"))?;
        String::from_utf8(bytes).map_err(|_| refuse("is not UTF-8 text"))
    }

    /// Puts a finished node where it belongs. `counts` is what it adds to the node count: for an alias all that it
    /// expands to, for a collection only itself, since its content was counted already.
    fn finish(&mut self, node: Node, anchor: usize, size: usize, counts: usize) -> Result<Option<Node>, YamlError> {
        self.nodes = self.nodes.saturating_add(counts);
        if self.nodes > MOST_NODES {
            let message = format!("more than {MOST_NODES} values once its aliases are expanded");
            return Err(YamlError { message, span: node.origin.span });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else { return Ok(Some(node)) };
        let Content::Mapping { entries, key, seen, merge } = &mut open.content else {
            if let Content::Sequence(items) = &mut open.content {
                items.push(node);
            }
            return Ok(None);
        };
        let Some((found, is_merge)) = key.take() else {
            let Value::Scalar(scalar) = node.value else {
                let message = "this mapping key is a list or a mapping; keys must be strings, and a text that begins with `{` or `[`, such as `{{ x }}`, \
                     must be in quotes"
                        .to_owned();
                return Err(YamlError { message, span: node.origin.span });
            };
            let is_merge = scalar.plain && &*scalar.text == "<<";
            let is_string = scalar.kind == Kind::String;
            *key = Some((Key { text: scalar.text, span: node.origin.span, is_string }, is_merge));
            return Ok(None);
        };
        if is_merge {
            if !merge.is_empty() {
                let message = "kustomize reads one `<<` in a mapping; name all sources in one list: `<<: [*a, *b]`";
                return Err(YamlError { message: message.to_owned(), span: found.span });
            }
            collect_merge_sources(node, merge)?;
            return Ok(None);
        }
        match seen.insert(Arc::clone(&found.text), entries.len()) {
            None => {}
            Some(_) if self.dialect != Dialect::Kustomization => {
                let message = format!("the key `{}` occurs twice in this mapping", found.text);
                return Err(YamlError { message, span: found.span });
            }
            Some(first) => {
                seen.insert(Arc::clone(&found.text), first);
                entries[first] = (found, node);
                return Ok(None);
            }
        }
        entries.push((found, node));
        Ok(None)
    }
}

/// Whether go-yaml fails on a text when it is written as a block and read again: lines that begin with a tab.
#[must_use]
pub fn begins_with_tab(text: &str) -> bool {
    text.trim_start_matches('\n').starts_with('\t') && text.contains('\n')
}

/// What a folded block holds after kustomize has written and read it once more: libyaml looks at the first character
/// of the whole text where it means the next line's, so a break before an indented line is doubled, and where the text
/// itself begins with a blank, single breaks become spaces (`yaml_emitter_write_folded_scalar`).
pub(super) fn folded_again(text: &str) -> String {
    let is_awkward = |character: char| character != '\t' && !is_printable(character);
    if text.contains(" \n") || text.ends_with(' ') || text.contains(is_awkward) {
        // Such a text is written in quotes instead.
        return text.to_owned();
    }
    let is_blank = |text: &str| text.starts_with([' ', '\t']);
    let first = text.trim_start_matches('\n');
    let adds_break = !first.is_empty() && !is_blank(first);
    let leading = text.len() - first.len();
    let mut out = text[..leading].to_owned();
    let mut rest = first;
    while !rest.is_empty() {
        let end = rest.find('\n').unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        let next = behind.trim_start_matches('\n');
        let breaks = behind.len() - next.len();
        out.push_str(line);
        let written = breaks + usize::from(adds_break && !is_blank(line) && breaks > 0);
        let read = if next.is_empty() {
            // At the end one break is clipped to one, several are kept.
            if breaks < 2 { breaks } else { written }
        } else if is_blank(line) || is_blank(next) {
            written
        } else {
            written - 1
        };
        match read {
            0 if !next.is_empty() => out.push(' '),
            count => out.extend(std::iter::repeat_n('\n', count)),
        }
        rest = next;
    }
    out
}

/// What `<<` names: a mapping, or a list of them of which the earlier wins.
fn collect_merge_sources(node: Node, merge: &mut Vec<Node>) -> Result<(), YamlError> {
    let span = node.origin.span;
    let wrong = || YamlError { message: "`<<` must be a mapping or a list of mappings".to_owned(), span };
    match &node.value {
        Value::Mapping(_) => merge.push(node),
        Value::Sequence(items) => {
            for item in items.iter() {
                item.as_mapping().ok_or_else(wrong)?;
                merge.push(item.clone());
            }
        }
        Value::Scalar(_) => return Err(wrong()),
    }
    Ok(())
}

/// A mapping with what `<<` adds to it; what it says itself wins.
fn merged(entries: Vec<(Key, Node)>, merge: Vec<Node>) -> Mapping {
    let mut mapping: Mapping = entries.into_iter().collect();
    if merge.is_empty() {
        return mapping;
    }
    let mut seen: HashSet<Arc<str>> = mapping.iter().map(|(key, _)| Arc::clone(&key.text)).collect();
    for source in merge {
        for (key, node) in source.as_mapping().into_iter().flat_map(Mapping::iter) {
            if seen.insert(Arc::clone(&key.text)) {
                mapping.push(key.clone(), node.clone());
            }
        }
    }
    mapping
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;
    use crate::yaml::to_json;

    fn read(text: &str) -> Result<Vec<Node>, YamlError> {
        let files = Files::default();
        let file = files.add(&RepoPath::new("a.yaml").unwrap(), ContentId::of(text.as_bytes()), text);
        parse(&Source::file(file, text), Step::File, Dialect::Resource)
    }

    fn json(text: &str) -> String {
        to_json(&read(text).unwrap()[0]).to_string()
    }

    #[test]
    fn what_kustomize_reads_differently_is_refused() {
        for (text, at) in [
            ("a: 1 # see\u{2028}b: 2\n", 10),
            ("a: \"x\u{85}y\"\n", 5),
            ("a: |\n  x\u{2029}  y\n", 8),
            ("a: 1\n...\nb: 2\n", 9),
            ("# c\n...\nb: 2\n", 8),
            ("a: 1\n... # end\n# c\n\nb: 2\n", 20),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.span.start, at, "{text:?}: {}", error.message);
        }
        for text in ["a: 1\n...\n", "a: 1\n...\n# c\n---\nb: 2\n", "a: ...\nb: x...\n", "a: |\n  ...\n  b\n"] {
            assert!(read(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn anchors_and_merge_keys_expand() {
        let text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: *a\nd:\n  <<: [{x: 4}, *a]\n";
        assert_eq!(json(text), r#"{"a":{"x":1,"y":2},"b":{"x":1,"y":3},"c":{"x":1,"y":2},"d":{"x":4,"y":2}}"#);
    }

    #[test]
    fn binary_values_are_decoded() {
        assert_eq!(json("k: !!binary |\n  aGVs\n  bG8=\ne: !!binary \"\"\n"), r#"{"e":"","k":"hello"}"#);
        for (value, expected) in [("aGVs bG8=", "is not base64"), ("aGVsbG8", "is not base64"), ("/w==", "UTF-8")] {
            let error = read(&format!("k: !!binary {value}\n")).unwrap_err();
            assert!(error.message.contains(expected), "{value}: {}", error.message);
        }
    }

    #[test]
    fn spans_cover_what_was_written() {
        let text = "é: x\nlist:\n  - name: a\n    v: |\n      b\n  - c\nend: 1\n";
        let node = &read(text).unwrap()[0];
        let cut = |node: &Node| &text[node.origin.span.start as usize..node.origin.span.end as usize];
        assert_eq!(cut(node.get("é").unwrap()), "x");
        let list = node.get("list").unwrap().as_sequence().unwrap();
        assert!(cut(&list[0]).starts_with("name: a\n    v: |"), "{:?}", cut(&list[0]));
        assert_eq!(cut(list[0].get("name").unwrap()), "a");
        assert_eq!(cut(list[0].get("v").unwrap()), "b");
        assert_eq!(cut(&list[1]), "c");
        assert_eq!(cut(node.get("end").unwrap()), "1");
    }

    #[test]
    fn embedded_yaml_points_into_its_file() {
        let text = "patch: |-\n    - op: replace\n      value: 6\nquoted: \"a: b\"\n";
        let files = Files::default();
        let file = files.add(&RepoPath::new("k.yaml").unwrap(), ContentId::of(b"k"), text);
        let outer = &parse(&Source::file(file, text), Step::File, Dialect::Resource).unwrap()[0];
        for (key, path, expected) in [("patch", "value", "6"), ("quoted", "a", "b")] {
            let scalar = outer.get(key).unwrap();
            let source = Source::embedded(scalar.as_text().unwrap(), scalar.origin.span, &files.get(file));
            let inner = &parse(&source, Step::Patch, Dialect::Resource).unwrap()[0];
            let found = inner.as_sequence().map_or(inner, |items| &items[0]).get(path).unwrap();
            assert_eq!(files.slice(found.origin.span), expected);
        }
    }

    #[test]
    fn folded_blocks_gain_a_break_before_an_indented_line() {
        assert_eq!(folded_again("a b\n"), "a b\n");
        assert_eq!(folded_again("{\n  x\n}\n"), "{\n\n  x\n}\n");
        assert_eq!(folded_again("a\nb\n\n"), "a\nb\n\n\n");
        assert_eq!(folded_again(" a\nb\nc"), " a\nb c");
    }

    #[test]
    fn hostile_texts_are_refused() {
        let bomb: String = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
            format!("{text}a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1)
        });
        assert!(read(&bomb).unwrap_err().message.contains("aliases"));
        assert!(read(&"[".repeat(300)).is_err());
        assert!(read(&"- ".repeat(300)).is_err());
        assert!(read("a: 1\na: 2\n").unwrap_err().message.contains("twice"));
        assert!(read("a: &x [*x]\n").is_err());
        assert!(read("a: [1\n").is_err());
        assert!(read("? {a: 1}\n: 2\n").is_err());
        assert!(read("a: !!int x\n").is_err());
    }

    #[test]
    fn empty_documents_are_null() {
        // kustomize cuts documents at every line that begins with three dashes, and passes over a byte order mark there.
        let cut = read("a: 1\n---# comment\nb: 2\n---\n\u{feff}c: 3\n").unwrap();
        assert_eq!(cut.iter().filter(|document| document.as_mapping().is_some()).count(), 3);
        let documents = read("---\n---\na: 1\n---\n# only a comment\n").unwrap();
        let shapes: Vec<_> = documents.iter().map(Node::shape).collect();
        assert_eq!(shapes, ["nothing", "a mapping", "nothing"]);
        assert!(read("# nothing\n").unwrap().is_empty());
    }
}
