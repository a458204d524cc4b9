//! Prints values as `sigs.k8s.io/yaml` prints them: go-yaml v2's encoder and libyaml's emitter.
//!
//! Keys in natural order, sequences not indented under their key, strings quoted where YAML 1.1 would read something
//! else, lines folded at spaces past column 80.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use super::json::number_text;
use super::resolve::{Kind, resolve_yaml11, timestamp};
use super::{Mapping, Node, Origin, Scalar, Value};
use crate::span::Span;

/// The column past which scalars are folded.
const WIDTH: usize = 80;

/// A value that JSON cannot hold, so that kustomize cannot print it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct EmitError {
    /// What is wrong.
    pub message: String,
    /// Where it is written.
    pub span: Span,
}

/// Appends one document.
///
/// # Errors
/// When the document holds a key that is not a string below its top level, or an infinite number.
pub fn emit_document(node: &Node, out: &mut String) -> Result<(), EmitError> {
    emit_noting(node, out, &mut |_, _| {})
}

/// Appends one document, and tells for every key and value the byte at which it begins and who wrote it.
///
/// # Errors
/// As [`emit_document`].
pub fn emit_noting<'a>(
    node: &'a Node,
    out: &mut String,
    tell: &mut dyn FnMut(usize, Writer<'a>),
) -> Result<(), EmitError> {
    let mut emitter = Emitter { out, column: 0, tell };
    match &node.value {
        Value::Mapping(mapping) if !mapping.is_empty() => emitter.mapping(mapping, 0, true)?,
        Value::Sequence(items) if !items.is_empty() => emitter.sequence(items, 0)?,
        _ => emitter.inline(node, 2)?,
    }
    out.push('\n');
    Ok(())
}

/// Who wrote a part of the output.
#[derive(Clone, Copy, Debug)]
pub enum Writer<'a> {
    /// The key stands here.
    Key(Span),
    /// The value has this origin.
    Value(&'a Origin),
}

struct Emitter<'o, 'n, 'a> {
    out: &'o mut String,
    /// Characters since the last line break.
    column: usize,
    tell: &'n mut dyn FnMut(usize, Writer<'a>),
}

impl<'a> Emitter<'_, '_, 'a> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_char(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    fn line_break(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn mapping(&mut self, mapping: &'a Mapping, indent: usize, at_top: bool) -> Result<(), EmitError> {
        let mut entries: Vec<_> = mapping.iter().collect();
        entries.sort_by(|(one, _), (other, _)| key_order(&one.text, &other.text));
        for (at, (key, node)) in entries.into_iter().enumerate() {
            if !key.is_string && !at_top {
                let message = format!("the key `{}` is not a string", key.text);
                return Err(EmitError { message, span: key.span });
            }
            if at > 0 {
                self.line_break(indent);
            }
            (self.tell)(self.out.len(), Writer::Key(key.span));
            let text = as_json_reads(&key.text, key.span)?;
            let is_long = text.len() > 128 || text.contains(is_break);
            if is_long {
                self.put("? ");
                self.string(&text, indent + 2, Context::Value);
                self.line_break(indent);
            } else {
                self.string(&text, indent, Context::Key);
            }
            self.put(":");
            match &node.value {
                Value::Mapping(inner) if !inner.is_empty() && is_long => {
                    self.put(" ");
                    self.mapping(inner, indent + 2, false)?;
                }
                Value::Mapping(inner) if !inner.is_empty() => {
                    self.line_break(indent + 2);
                    self.mapping(inner, indent + 2, false)?;
                }
                Value::Sequence(items) if !items.is_empty() && is_long => {
                    self.put(" ");
                    self.sequence(items, indent + 2)?;
                }
                Value::Sequence(items) if !items.is_empty() => {
                    self.line_break(indent);
                    self.sequence(items, indent)?;
                }
                _ => {
                    self.put(" ");
                    self.inline(node, indent + 2)?;
                }
            }
        }
        Ok(())
    }

    fn sequence(&mut self, items: &'a [Node], indent: usize) -> Result<(), EmitError> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.line_break(indent);
            }
            self.put("- ");
            match &item.value {
                Value::Mapping(inner) if !inner.is_empty() => self.mapping(inner, indent + 2, false)?,
                Value::Sequence(inner) if !inner.is_empty() => self.sequence(inner, indent + 2)?,
                _ => self.inline(item, indent + 2)?,
            }
        }
        Ok(())
    }

    /// A scalar or an empty collection. `indent` is where folded lines go on.
    fn inline(&mut self, node: &'a Node, indent: usize) -> Result<(), EmitError> {
        (self.tell)(self.out.len(), Writer::Value(&node.origin));
        match &node.value {
            Value::Mapping(_) => self.put("{}"),
            Value::Sequence(_) => self.put("[]"),
            Value::Scalar(scalar) => self.scalar(scalar, node.origin.span, indent)?,
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: &Scalar, span: Span, indent: usize) -> Result<(), EmitError> {
        match scalar.kind {
            Kind::Null if scalar.is_blank_in_flow() => self.put("\"\""),
            Kind::Null => self.put("null"),
            Kind::Bool(true) => self.put("true"),
            Kind::Bool(false) => self.put("false"),
            Kind::Timestamp => self.string(&timestamp(&scalar.text).unwrap_or_default(), indent, Context::Value),
            Kind::String => self.string(&as_json_reads(&scalar.text, span)?, indent, Context::Value),
            number => match number_text(number) {
                Some(text) => self.put(&text),
                None => return Err(EmitError { message: format!("`{}` is not a finite number", scalar.text), span }),
            },
        }
        Ok(())
    }

    fn string(&mut self, text: &str, indent: usize, context: Context) {
        let allowed = Allowed::of(text);
        let is_value = context == Context::Value;
        if text.contains('\n') {
            if allowed.block && is_value {
                self.literal(text, indent);
            } else {
                self.double_quoted(text, indent, is_value);
            }
        } else if resolve_yaml11(text) != Kind::String || is_base60(text) {
            self.double_quoted(text, indent, is_value);
        } else if allowed.plain {
            self.folded(text, indent, is_value, false);
        } else if allowed.single_quoted {
            self.put("'");
            self.folded(text, indent, is_value, true);
            self.put("'");
        } else {
            self.double_quoted(text, indent, is_value);
        }
    }

    /// A plain or single-quoted string on one line of source, folded at spaces past the width.
    fn folded(&mut self, text: &str, indent: usize, may_fold: bool, quoted: bool) {
        let (mut after_space, mut after_break) = (false, false);
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character == ' ' {
                let inside = !quoted || at > 0 && at + 1 < text.len();
                let more = characters.peek().is_some_and(|(_, next)| *next == ' ');
                if may_fold && !after_space && self.column > WIDTH && inside && !more {
                    self.line_break(indent);
                } else {
                    self.put_char(' ');
                }
                after_space = true;
            } else if is_break(character) {
                self.foreign_break(character);
                after_break = true;
            } else {
                if after_break {
                    self.pad(indent);
                }
                if quoted && character == '\'' {
                    self.put_char('\'');
                }
                self.put_char(character);
                (after_space, after_break) = (false, false);
            }
        }
    }

    /// A line break that only YAML 1.1 knows.
    fn foreign_break(&mut self, character: char) {
        self.out.push(character);
        self.column = 0;
    }

    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent.saturating_sub(self.column)));
        self.column = self.column.max(indent);
    }

    fn double_quoted(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.put("\"");
        let mut after_space = false;
        let mut characters = text.char_indices().peekable();
        // go-yaml looks at the beginning of the text where it means the character.
        let escapes_all = text.starts_with('\u{feff}');
        while let Some((at, character)) = characters.next() {
            if escapes_all || !is_printable(character) || is_break(character) || matches!(character, '"' | '\\') {
                self.escape(character);
                after_space = false;
            } else if character == ' ' {
                let inside = at > 0 && at + 1 < text.len();
                if may_fold && !after_space && self.column > WIDTH && inside {
                    self.line_break(indent);
                    if characters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put_char('\\');
                    }
                } else {
                    self.put_char(' ');
                }
                after_space = true;
            } else {
                self.put_char(character);
                after_space = false;
            }
        }
        self.put("\"");
    }

    fn escape(&mut self, character: char) {
        let short = match character {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            other => {
                let code = u32::from(other);
                let mut text = String::new();
                let written = match code {
                    0..=0xff => write!(text, "\\x{code:02X}"),
                    0x100..=0xffff => write!(text, "\\u{code:04X}"),
                    _ => write!(text, "\\U{code:08X}"),
                };
                debug_assert!(written.is_ok(), "writing to a string does not fail");
                self.put(&text);
                return;
            }
        };
        self.put_char('\\');
        self.put_char(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with(' ') || text.starts_with(is_break) {
            self.put("2");
        }
        let mut last = text.chars().rev();
        match (last.next(), last.next()) {
            (Some(last), _) if !is_break(last) => self.put("-"),
            (Some(_), Some(before)) if !is_break(before) => {}
            _ => self.put("+"),
        }
        // What comes next brings the last line break.
        self.foreign_break('\n');
        let mut after_break = true;
        for character in text.strip_suffix('\n').unwrap_or(text).chars() {
            if is_break(character) {
                self.foreign_break(character);
                after_break = true;
            } else {
                if after_break {
                    self.pad(indent);
                }
                self.put_char(character);
                after_break = false;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Key,
    Value,
}

/// Which styles a string may be written in: libyaml's analysis of scalars.
struct Allowed {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks) = (false, false);
        let (mut space_break, mut break_space) = (false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        let mut after_blank = true;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let before_blank = characters.peek().is_none_or(|next| is_blank(*next));
            indicators |= match character {
                '#' if first || after_blank => true,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
                '?' | '-' => first && before_blank,
                ':' => before_blank,
                _ => false,
            };
            special |= !is_printable(character);
            let (space, line_break) = (character == ' ', is_break(character));
            break_space |= space && previous_break;
            space_break |= line_break && previous_space;
            breaks |= line_break;
            (previous_space, previous_break) = (space, line_break);
            after_blank = is_blank(character);
            first = false;
        }
        let edge_space = text.starts_with(' ') || text.ends_with(' ');
        let edge_break = text.starts_with(is_break) || text.ends_with(is_break);
        let awkward = space_break || special;
        Self {
            plain: !(indicators || breaks || edge_space || edge_break || break_space || awkward),
            single_quoted: !(break_space || awkward),
            block: !(text.ends_with(' ') || awkward || text.is_empty()),
        }
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\0') || is_break(character)
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What a text is after kustomize has written it as JSON and read that as YAML: U+0085, which JSON does not escape, is a line break
/// there, and other control characters above ASCII are refused.
fn as_json_reads(text: &str, span: Span) -> Result<Cow<'_, str>, EmitError> {
    let is_refused =
        |character: &char| matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    // All of them begin with one of these bytes.
    if !text.bytes().any(|byte| matches!(byte, 0x7f | 0xc2 | 0xef)) {
        return Ok(Cow::Borrowed(text));
    }
    if let Some(character) = text.chars().find(is_refused) {
        let message = format!("kustomize refuses the control character U+{:04X}", u32::from(character));
        return Err(EmitError { message, span });
    }
    let next_line = '\u{85}';
    if !text.contains(next_line) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(next_line) {
        out.push_str(rest[..at].trim_end_matches([' ', '\t']));
        let behind = rest[at..].trim_start_matches([' ', '\t', next_line]);
        let breaks = rest[at..rest.len() - behind.len()].matches(next_line).count();
        if breaks == 1 {
            out.push(' ');
        }
        out.extend(std::iter::repeat_n('\n', breaks - 1));
        rest = behind;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// libyaml's notion: no tab, nothing above the basic plane, no byte order mark.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | '\x20'..='\x7e' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && character != '\u{feff}'
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: numbers of base 60 in YAML 1.1, such as `1:30`.
fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sixtieth = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let mut count = 0;
    first.starts_with(|digit: char| digit.is_ascii_digit())
        && digits(first)
        && digits(fraction)
        && parts.all(|part| {
            count += 1;
            sixtieth(part)
        })
        && count > 0
}

/// Natural order of keys (`a2` before `a10`): go-yaml's `keyList.Less`.
#[must_use]
pub fn key_order(one: &str, other: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let Some(at) = (0..a.len().min(b.len())).find(|at| a[*at] != b[*at]) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Zeros inside a longer number are digits, zeros before it are padding.
    let mut start = 0u64;
    if a[at] == '0' || b[at] == '0' {
        let digits_before = a[..at].iter().rev().take_while(|digit| digit.is_numeric());
        start = u64::from(digits_before.clone().any(|digit| *digit != '0'));
    }
    let number = |text: &[char]| {
        let digits = text[at..].iter().take_while(|digit| digit.is_numeric());
        let value = digits.clone().fold(start, |value, digit| {
            value.wrapping_mul(10).wrapping_add(u64::from(u32::from(*digit)).wrapping_sub(u64::from(u32::from('0'))))
        });
        (value.cast_signed(), digits.count())
    };
    number(&a).cmp(&number(&b)).then(a[at].cmp(&b[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;
    use crate::yaml::{Dialect, Source, Step, parse};

    fn round(text: &str) -> String {
        let files = Files::default();
        let file = files.add(&RepoPath::new("a.yaml").unwrap(), ContentId::of(text.as_bytes()), text);
        let nodes = parse(&Source::file(file, text), Step::File, Dialect::Resource).unwrap();
        let mut out = String::new();
        emit_document(&nodes[0], &mut out).unwrap();
        out
    }

    #[test]
    fn keys_sort_naturally() {
        let mut keys = ["a10", "a2", "b", "a", "A", "a-b", "a1", "a01", "1", "a100"];
        keys.sort_by(|one, other| key_order(one, other));
        assert_eq!(keys, ["1", "A", "a", "a-b", "a1", "a01", "a2", "a10", "a100", "b"]);
    }

    #[test]
    fn collections_are_laid_out_as_kustomize_lays_them_out() {
        let text = "b: [1, [2, {z: 1, y: []}]]\na: {c: {}, d: [{x: 1}, {x: 2, y: 3}]}\n";
        assert_eq!(
            round(text),
            "a:\n  c: {}\n  d:\n  - x: 1\n  - x: 2\n    \"y\": 3\nb:\n- 1\n- - 2\n  - \"y\": []\n    z: 1\n"
        );
    }

    #[test]
    fn strings_are_quoted_where_yaml_1_1_reads_something_else() {
        for (text, printed) in [
            ("'yes'", "\"yes\""),
            ("'1:30'", "\"1:30\""),
            ("'0x1F'", "\"0x1F\""),
            ("''", "\"\""),
            ("'2024-01-01'", "\"2024-01-01\""),
            ("2024-01-01", "\"2024-01-01T00:00:00Z\""),
            ("'='", "="),
            ("'a: b'", "'a: b'"),
            ("'- a'", "'- a'"),
            ("'it''s'", "it's"),
            ("'''a'", "'''a'"),
            ("\"a\\tb\"", "\"a\\tb\""),
            ("\"\\U0001F600\"", "\"\\U0001F600\""),
            ("é", "é"),
            ("' a'", "' a'"),
            ("'*a'", "'*a'"),
            ("a#b", "a#b"),
            ("'a #b'", "'a #b'"),
        ] {
            assert_eq!(round(&format!("k: {text}\n")), format!("k: {printed}\n"));
        }
    }

    #[test]
    fn long_lines_fold_past_column_80() {
        let words = "word ".repeat(20);
        let printed = round(&format!("k: {}\n", words.trim()));
        assert_eq!(printed.lines().next().unwrap().len(), 82);
        assert!(printed.lines().nth(1).unwrap().starts_with("  word"));
    }

    #[test]
    fn blocks_keep_their_line_breaks() {
        assert_eq!(round("k: \"a\\nb\\n\"\n"), "k: |\n  a\n  b\n");
        assert_eq!(round("k: \"a\\n\\nb\"\n"), "k: |-\n  a\n\n  b\n");
        assert_eq!(round("k: \"a\\n\\n\"\n"), "k: |+\n  a\n\n");
        assert_eq!(round("k: \" a\\n\"\n"), "k: |2\n   a\n");
        assert_eq!(round("k: \"a \\nb\"\n"), "k: \"a \\nb\"\n");
        assert_eq!(round("k: [\"a\\nb\\n\"]\n"), "k:\n- |\n  a\n  b\n");
    }
}
