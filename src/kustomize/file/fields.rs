//! Reads instructions out of mappings: strictly as a kustomization is read, or passing over what is not known, as the
//! configuration of a built-in plugin is read.

use crate::kustomize::error::{RenderError, nearest};
use crate::kustomize::limits::MOST_ENTRIES;
use crate::span::Span;
use crate::yaml::{Key, Kind, LargeIntegers, Mapping, Node, number_text, through_json};

/// A string and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The string.
    pub value: String,
    /// Where it is written.
    pub span: Span,
}

/// A label or an annotation and where its value is written.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where the value is written.
    pub span: Span,
}

/// How strictly instructions are read. kustomize is not of one mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A kustomization: unknown fields are refused, and a number is no string.
    Kustomization,
    /// A transformer configuration: unknown fields are refused, but a number does for a string.
    Configuration,
    /// The configuration of a plugin: unknown fields are passed over, and a number does for a string.
    Plugin,
}

/// The fields of one mapping, found whatever their case, as Go's JSON decoder finds them.
pub(crate) struct Fields<'a> {
    entries: Vec<(&'static str, Span, &'a Node)>,
    reading: Reading,
    span: Span,
}

impl<'a> Fields<'a> {
    /// Reads a mapping; null has no fields. `what` names it in messages.
    ///
    /// # Errors
    /// When it is no mapping, or has a field that is not known and not passed over.
    pub(crate) fn read(
        node: &'a Node,
        known: &[&'static str],
        reading: Reading,
        what: &str,
    ) -> Result<Self, RenderError> {
        let span = node.origin.span;
        let mut fields = Self { entries: Vec::new(), reading, span };
        if node.is_null() {
            return Ok(fields);
        }
        let Some(mapping) = node.as_mapping() else {
            return Err(RenderError::at(span, format!("{what} is a mapping, but this is {}", node.shape())));
        };
        for (key, value) in mapping.iter() {
            if !key.text.is_ascii() {
                let message = format!(
                    "the field `{}` has a letter outside of ASCII, which kustomize may take for another",
                    key.text
                );
                return Err(RenderError::at(key.span, message).help("write the field's name in plain letters"));
            }
            let exact = known.iter().find(|name| ***name == *key.text);
            match exact.or_else(|| known.iter().find(|name| name.eq_ignore_ascii_case(&key.text))) {
                Some(name) => {
                    if let Some((_, first, _)) = fields.entries.iter().find(|(known, ..)| known == name) {
                        let message = format!("`{name}` is written twice here, in two spellings");
                        return Err(RenderError::at(key.span, message)
                            .related(*first, "the other one")
                            .help(format!("keep one of them, as `{name}`")));
                    }
                    fields.entries.push((name, key.span, value));
                }
                None if reading == Reading::Plugin => {}
                None => {
                    let error = RenderError::at(key.span, format!("{what} has no field `{}`", key.text));
                    return Err(match nearest(&key.text, known) {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error.help(format!("it has: {}", known.join(", "))),
                    });
                }
            }
        }
        Ok(fields)
    }

    /// The whole mapping.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// How strictly it is read.
    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// A mapping under a field, read as strictly as this one; `None` where it is missing or null.
    ///
    /// # Errors
    /// As [`Fields::read`].
    pub(crate) fn inner(&self, name: &str, known: &[&'static str]) -> Result<Option<Self>, RenderError> {
        let node = self.get(name).filter(|node| !node.is_null());
        node.map(|node| Self::read(node, known, self.reading, &format!("`{name}`"))).transpose()
    }

    /// A field with the place of its key.
    pub(crate) fn entry(&self, name: &str) -> Option<(Span, &'a Node)> {
        self.entries.iter().find(|(known, ..)| *known == name).map(|(_, key, value)| (*key, *value))
    }

    /// A field.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|(_, value)| value)
    }

    /// A string.
    ///
    /// # Errors
    /// When something else is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Text>, RenderError> {
        self.get(name).map_or(Ok(None), |node| text_of(node, name, self.reading))
    }

    /// A string that says something; empty ones count as missing.
    ///
    /// # Errors
    /// When something else is there.
    pub(crate) fn filled(&self, name: &str) -> Result<Option<Text>, RenderError> {
        Ok(self.text(name)?.filter(|text| !text.value.is_empty()))
    }

    /// The place of a flag that is set.
    ///
    /// # Errors
    /// When something other than true or false is there.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<Span>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
        match node.as_scalar().map(|scalar| scalar.kind) {
            Some(Kind::Bool(value)) => Ok(value.then_some(node.origin.span)),
            _ => Err(RenderError::at(node.origin.span, format!("`{name}` must be true or false, without quotes"))),
        }
    }

    /// A whole number and its place.
    ///
    /// # Errors
    /// When something else is there.
    pub(crate) fn number(&self, name: &str) -> Result<Option<(i64, Span)>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
        match node.as_scalar().map(|scalar| scalar.kind) {
            Some(Kind::Int(value)) => Ok(Some((value, node.origin.span))),
            _ => Err(RenderError::at(node.origin.span, format!("`{name}` must be a whole number, without quotes"))),
        }
    }

    /// The items of a list.
    ///
    /// # Errors
    /// When something else is there, or an item cannot be read.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&'a Node) -> Result<T, RenderError>,
    ) -> Result<Vec<T>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
        let Some(items) = node.as_sequence() else {
            return Err(RenderError::at(node.origin.span, format!("`{name}` is a list, but this is {}", node.shape())));
        };
        if items.len() > MOST_ENTRIES {
            return Err(RenderError::at(node.origin.span, format!("`{name}` has more than {MOST_ENTRIES} entries"))
                .help("split the kustomization"));
        }
        items.iter().map(read).collect()
    }

    /// A list of strings; nulls in it are empty strings.
    ///
    /// # Errors
    /// When something else is there.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<Text>, RenderError> {
        let text = |node: &Node| {
            let empty = Text { value: String::new(), span: node.origin.span };
            Ok(text_of(node, name, self.reading)?.unwrap_or(empty))
        };
        self.list(name, text)
    }

    /// Strings by key.
    ///
    /// # Errors
    /// When something else is there.
    pub(crate) fn pairs(&self, name: &str) -> Result<Vec<Pair>, RenderError> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
        let Some(mapping) = node.as_mapping() else {
            return Err(RenderError::at(
                node.origin.span,
                format!("`{name}` is a mapping, but this is {}", node.shape()),
            ));
        };
        let pair = |(key, node): (&Key, &Node)| {
            let value = text_of(node, &key.text, self.reading)?.map_or_else(String::new, |text| text.value);
            Ok(Pair { key: key.in_json().to_string(), value, span: node.origin.span })
        };
        mapping.iter().map(pair).collect()
    }
}

/// A string field.
fn text_of(node: &Node, name: &str, reading: Reading) -> Result<Option<Text>, RenderError> {
    let span = node.origin.span;
    let Some(scalar) = node.as_scalar() else {
        return Err(RenderError::at(span, format!("`{name}` is a string, but this is {}", node.shape())));
    };
    let is_read_as = |what: &str| {
        RenderError::at(span, format!("`{name}` is a string, but `{}` is read as {what}", scalar.text))
            .help(format!("write it in quotes: \"{}\"", scalar.text))
    };
    match scalar.kind {
        Kind::Null => Ok(None),
        Kind::String | Kind::Timestamp => Ok(Some(Text { value: scalar.text.to_string(), span })),
        Kind::Bool(value) if reading != Reading::Kustomization => Ok(Some(Text { value: value.to_string(), span })),
        kind if reading != Reading::Kustomization => {
            Ok(Some(Text { value: number_text(kind).unwrap_or_else(|| scalar.text.to_string()), span }))
        }
        Kind::Bool(_) => Err(is_read_as("a boolean")),
        Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => Err(is_read_as("a number")),
    }
}

/// Whether a field says nothing.
pub(crate) fn is_empty(node: &Node) -> bool {
    node.is_null()
        || node.as_sequence().is_some_and(<[Node]>::is_empty)
        || node.as_mapping().is_some_and(Mapping::is_empty)
}

/// An object of a resource file as kustomize hands it to a plugin: written out and read again.
pub(crate) fn as_configuration(object: &Node) -> Node {
    let mut node = object.clone();
    through_json(&mut node, LargeIntegers::Kept);
    node
}
