use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use chrono::DateTime;

use super::kubernetes::Kubernetes;
use super::patterns;
use super::quantity::is_quantity;
use super::types::{Field, Limits, Record, Type};
use crate::kustomize::nearest;
use crate::yaml::{Kind, Mapping, Node, Origin, Scalar, Value, pointer_token};

/// Something that the API would refuse.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Who wrote it; where something is missing, who wrote what lacks it.
    pub origin: Origin,
    /// JSON pointer to it.
    pub pointer: String,
    /// The same as people write it: `spec.containers[0].image`.
    pub field: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No such field.
    Unknown {
        /// The known field that was probably meant.
        near: Option<String>,
        /// Fields that are known there.
        known: Vec<String>,
        /// The version of Kubernetes that has the field: the next later one, else the last earlier one.
        elsewhere: Option<String>,
    },
    /// A field that is required.
    Missing,
    /// A value of another type, or one that is not allowed.
    Value {
        /// What it is: `a string`; empty where it is only not allowed.
        found: &'static str,
        /// What it must be.
        expected: String,
        /// What to write.
        fix: String,
    },
    /// No such kind in this API version.
    Kind {
        /// What to write: an API version that has it, else a kind of this API version.
        fix: Option<String>,
    },
}

/// A step on the way to a value.
#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    /// The position, and the name of what is there.
    Item(usize, Option<&'a str>),
}

/// Holds one object against its type.
pub(super) struct Walk<'a> {
    version: usize,
    /// After how many faults the rest is not looked at.
    most: usize,
    /// Whether values must not be told.
    is_secret: bool,
    path: Vec<Step<'a>>,
    faults: Vec<Fault>,
}

/// How many faults of one object are told.
pub(super) const MOST_FAULTS: usize = 200;
/// How many of the fields that can stand somewhere are told.
const MOST_KNOWN: usize = 12;

impl<'a> Walk<'a> {
    /// `version` is the position of the version whose definitions count.
    pub(super) fn new(node: &'a Node, version: usize, most: usize) -> Self {
        let is_secret = node.get("kind").and_then(Node::as_text) == Some("Secret");
        Self { version, most, is_secret, path: Vec::new(), faults: Vec::new() }
    }

    /// The faults of an object. Its status is the cluster's to write.
    pub(super) fn object(mut self, node: &'a Node, of: &Type) -> Vec<Fault> {
        let place = node.get("kind").map_or(&node.origin, |kind| &kind.origin);
        self.value(node, of, place);
        self.faults
    }

    /// `place` is who wrote what shows best where the value is.
    fn value(&mut self, node: &'a Node, of: &Type, place: &Origin) {
        if node.is_null() || self.faults.len() >= self.most {
            return;
        }
        match (of, &node.value) {
            (Type::Any, _) | (Type::Object, Value::Mapping(_)) => {}
            (Type::Named(at), _) => match (Kubernetes::get().definition(*at, self.version), &node.value) {
                (Type::Record(record), Value::Mapping(mapping)) => self.record(mapping, record, Some(*at), place),
                (of, _) => self.value(node, of, place),
            },
            (Type::Limited(of, limits), _) => {
                let before = self.faults.len();
                self.value(node, of, place);
                if self.faults.len() == before {
                    self.limited(node, limits);
                }
            }
            (Type::Record(record), Value::Mapping(mapping)) => self.record(mapping, record, None, place),
            (Type::Map(of), Value::Mapping(mapping)) => {
                for (key, node) in mapping.iter() {
                    self.path.push(Step::Key(&key.text));
                    self.value(node, of, &Origin::new(key.span, node.origin.step));
                    self.path.pop();
                }
            }
            (Type::List(of), Value::Sequence(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(at, item.get("name").and_then(Node::as_text)));
                    self.value(item, of, &shown(item));
                    self.path.pop();
                }
            }
            (_, Value::Scalar(scalar)) if is_filled_in_later(scalar, of) => {}
            (_, Value::Scalar(scalar)) => self.scalar(node, scalar, of),
            _ => self.wrong_type(node, of),
        }
    }

    /// `named` is the definition of Kubernetes that the record is.
    fn record(&mut self, mapping: &'a Mapping, record: &Record, named: Option<usize>, place: &Origin) {
        for (key, node) in mapping.iter() {
            if self.faults.len() >= self.most {
                return;
            }
            let is_status = self.path.is_empty() && &*key.text == "status";
            self.path.push(Step::Key(&key.text));
            let here = Origin::new(key.span, node.origin.step);
            match record.fields.get(&*key.text) {
                _ if is_status => {}
                Some(field) => self.value(node, &field.of, &here),
                None if record.is_open => {}
                None => {
                    let known: Vec<&str> = record.fields.keys().map(|name| &**name).collect();
                    let elsewhere = named.and_then(|at| Kubernetes::get().other_with(at, &key.text, self.version));
                    let near = nearest(&key.text, &known).filter(|_| elsewhere.is_none()).map(str::to_owned);
                    let known = known.into_iter().take(MOST_KNOWN).map(str::to_owned).collect();
                    let elsewhere = elsewhere.map(str::to_owned);
                    self.fault(here, FaultKind::Unknown { near, known, elsewhere });
                }
            }
            self.path.pop();
        }
        let is_missing =
            |name: &str, field: &Field| mapping.get(name).is_none_or(|node| node.is_null() && !field.is_nullable);
        for (name, _) in record.fields.iter().filter(|(name, field)| field.is_required && is_missing(name, field)) {
            // Who took it away is who must put it back.
            let origin = match mapping.removal(name) {
                Some(span) => Origin::new(span, place.step),
                None => place.clone(),
            };
            let (pointer, field) = self.path_to(Some(name));
            self.faults.push(Fault { origin, pointer, field, kind: FaultKind::Missing });
        }
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, of: &Type) {
        let text = &*scalar.text;
        let is_text = matches!(scalar.kind, Kind::String | Kind::Timestamp);
        let fits = match of {
            Type::Text | Type::OneOf(_) | Type::Bytes | Type::Time => is_text,
            Type::Bool => matches!(scalar.kind, Kind::Bool(_)),
            Type::Int32 => whole(scalar.kind).is_some_and(|value| i32::try_from(value).is_ok()),
            Type::Int64 => whole(scalar.kind).is_some(),
            Type::Number => matches!(scalar.kind, Kind::Int(_) | Kind::Uint(_) | Kind::Float(_)),
            Type::Int64OrString => is_text || whole(scalar.kind).is_some(),
            Type::IntOrString => is_text || whole(scalar.kind).is_some_and(|value| i32::try_from(value).is_ok()),
            Type::Quantity => is_text || matches!(scalar.kind, Kind::Int(_) | Kind::Uint(_) | Kind::Float(_)),
            _ => false,
        };
        if !fits {
            return self.wrong_type(node, of);
        }
        let expected = match of {
            // The zero value is as good as none.
            Type::OneOf(words) if !text.is_empty() && !words.iter().any(|word| &**word == text) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                format!("one of {}", words.join(", "))
            }
            Type::Quantity if is_text && !is_quantity(text) => "an amount, such as `100m` or `1Gi`".to_owned(),
            Type::Bytes if !is_base64(text) => "base64".to_owned(),
            Type::Time if DateTime::parse_from_rfc3339(text).is_err() => {
                "a time, such as `2026-01-31T12:00:00Z`".to_owned()
            }
            _ => return,
        };
        let fix = match of {
            Type::OneOf(words) => {
                let words: Vec<&str> = words.iter().map(|word| &**word).collect();
                let same = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
                same.or_else(|| nearest(text, &words)).map(|word| format!("write `{word}`"))
            }
            Type::Bytes if self.is_secret => Some("encode it in base64, or write it under `stringData`".to_owned()),
            Type::Bytes => Some("encode it in base64".to_owned()),
            _ => None,
        };
        let fix = fix.unwrap_or_else(|| format!("write {expected}"));
        self.fault(node.origin.clone(), FaultKind::Value { found: "", expected, fix });
    }

    fn limited(&mut self, node: &Node, limits: &Limits) {
        let (number, length) = match &node.value {
            Value::Scalar(scalar) => match scalar.kind {
                Kind::String | Kind::Timestamp => (None, Some(scalar.text.chars().count() as u64)),
                _ => (scalar.text.parse::<f64>().ok(), None),
            },
            Value::Sequence(items) => (None, Some(items.len() as u64)),
            Value::Mapping(_) => return,
        };
        let noun = if node.as_sequence().is_some() { "items" } else { "characters" };
        let below = |limit: Option<f64>| limit.filter(|limit| number.is_some_and(|number| number < *limit));
        let above = |limit: Option<f64>| limit.filter(|limit| number.is_some_and(|number| number > *limit));
        let unlike = |pattern: &&str| {
            node.as_scalar()
                .is_some_and(|scalar| scalar.kind == Kind::String && patterns::differs(pattern, &scalar.text))
        };
        let (expected, fix) = if let Some(least) = below(limits.least) {
            (format!("at least {least}"), format!("write a number that is at least {least}"))
        } else if let Some(most) = above(limits.most) {
            (format!("at most {most}"), format!("write a number that is at most {most}"))
        } else if let Some(shortest) = limits.shortest.filter(|shortest| length.is_some_and(|it| it < *shortest)) {
            (format!("of at least {shortest} {noun}"), format!("write at least {shortest} {noun}"))
        } else if let Some(longest) = limits.longest.filter(|longest| length.is_some_and(|it| it > *longest)) {
            (format!("of at most {longest} {noun}"), format!("write at most {longest} {noun}"))
        } else if let Some(pattern) = limits.pattern.as_deref().filter(unlike) {
            (format!("a text that matches `{pattern}`"), format!("write a text that matches `{pattern}`"))
        } else {
            return;
        };
        self.fault(node.origin.clone(), FaultKind::Value { found: "", expected, fix });
    }

    fn wrong_type(&mut self, node: &Node, of: &Type) {
        let expected = match of {
            Type::Text | Type::OneOf(_) | Type::Bytes | Type::Time => "a string",
            Type::Bool => "`true` or `false`",
            Type::Int32 => "a whole number of 32 bits",
            Type::Int64 => "a whole number",
            Type::Number => "a number",
            Type::IntOrString | Type::Int64OrString => "a whole number or a string",
            Type::Quantity => "an amount, such as `100m` or `1Gi`",
            Type::List(_) => "a list",
            _ => "a mapping",
        };
        let found = match &node.value {
            Value::Mapping(_) => "a mapping",
            Value::Sequence(_) => "a list",
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Bool(_) => "a boolean",
                Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => "a number",
                _ => "a string",
            },
        };
        let fix = node.as_scalar().and_then(|scalar| self.fix(scalar, of));
        let fix = fix.unwrap_or_else(|| format!("write {expected}"));
        self.fault(node.origin.clone(), FaultKind::Value { found, expected: expected.to_owned(), fix });
    }

    /// What to write in the place of a scalar of a wrong type.
    fn fix(&self, scalar: &Scalar, of: &Type) -> Option<String> {
        let is_number = matches!(Scalar::plain(&scalar.text).kind, Kind::Int(_) | Kind::Uint(_));
        match of {
            Type::Text if scalar.kind != Kind::String && self.is_secret => Some("put it in quotes".to_owned()),
            Type::Text if scalar.kind != Kind::String => Some(format!("put it in quotes: `\"{}\"`", scalar.text)),
            Type::Int32 | Type::Int64 | Type::Number if scalar.kind == Kind::String && is_number => {
                Some(format!("write it without quotes: `{}`", scalar.text))
            }
            Type::Bool if matches!(Scalar::plain(&scalar.text).kind, Kind::Bool(_)) => {
                Some(format!("write it without quotes: `{}`", scalar.text))
            }
            _ => None,
        }
    }

    fn fault(&mut self, origin: Origin, kind: FaultKind) {
        let (pointer, field) = self.path_to(None);
        self.faults.push(Fault { origin, pointer, field, kind });
    }

    /// Where it is: as a JSON pointer, and as people write it.
    fn path_to(&self, last: Option<&str>) -> (String, String) {
        let (mut pointer, mut field) = (String::new(), String::new());
        for step in self.path.iter().copied().chain(last.map(Step::Key)) {
            match step {
                Step::Key(key) => {
                    pointer.push_str(&format!("/{}", pointer_token(key)));
                    match (key.contains('.'), field.is_empty()) {
                        (true, _) => field.push_str(&format!("[{key}]")),
                        (false, true) => field.push_str(key),
                        (false, false) => field.push_str(&format!(".{key}")),
                    }
                }
                Step::Item(at, name) => {
                    pointer.push_str(&format!("/{at}"));
                    // A name stays where others are added before it.
                    field.push_str(&name.map_or_else(|| format!("[{at}]"), |name| format!("[{name}]")));
                }
            }
        }
        (pointer, field)
    }
}

/// What shows best where an item of a list is: its name, else its first field.
fn shown(item: &Node) -> Origin {
    let Some(mapping) = item.as_mapping() else { return item.origin.clone() };
    match mapping.get("name").filter(|name| !name.is_null()) {
        Some(name) => name.origin.clone(),
        None => match mapping.iter().next() {
            Some((key, node)) => Origin::new(key.span, node.origin.step),
            None => item.origin.clone(),
        },
    }
}

/// Whether another program puts something else there before it reaches the API: Flux's `${NAME}`, and what argocd-vault-plugin and
/// templates fill in. A list or a mapping only takes the place of a whole text.
fn is_filled_in_later(scalar: &Scalar, of: &Type) -> bool {
    if scalar.kind != Kind::String {
        return false;
    }
    let text = scalar.text.trim();
    let is_whole = [("${", "}"), ("{{", "}}"), ("<", ">")]
        .iter()
        .any(|(open, close)| text.starts_with(open) && text.ends_with(close) && text.matches(open).count() == 1);
    let is_plain = !matches!(of, Type::List(_) | Type::Map(_) | Type::Record(_) | Type::Object);
    is_whole || is_plain && ["${", "{{", "<path:"].iter().any(|mark| text.contains(mark))
}

/// The whole number that a value is, as JSON's decoder in Go reads it: `80.0` is one.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(kind: Kind) -> Option<i64> {
    match kind {
        Kind::Int(value) => Some(value),
        Kind::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e18 => Some(value as i64),
        _ => None,
    }
}

/// Base64 as Go's decoder reads it: line breaks may stand anywhere, and the last character may have bits to spare.
fn is_base64(text: &str) -> bool {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));
    let joined: String = text.chars().filter(|character| !matches!(character, '\n' | '\r')).collect();
    LENIENT.decode(joined).is_ok()
}
