//! Flux's `postBuild`: variables that are filled into what was rendered (`fluxcd/pkg/kustomize`, `drone/envsubst`).

use std::collections::HashMap;

use crate::kustomize::error::RenderError;
use crate::kustomize::limits::MOST_REPLACED_TEXT;
use crate::span::Span;
use crate::yaml::{Node, Step};

/// The label or annotation by which an object keeps its text.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The values of variables, and where each is written.
#[derive(Default)]
pub(crate) struct Variables {
    pub(crate) known: HashMap<String, (String, Span)>,
    /// Whether some come from a place that is not seen: what is not known is then not known to be empty either.
    pub(crate) is_partial: bool,
}

impl Variables {
    /// Takes over the entries of a mapping.
    pub(crate) fn take(&mut self, node: Option<&Node>) {
        let entries = node.and_then(Node::as_mapping).into_iter().flat_map(crate::yaml::Mapping::iter);
        for (key, value) in entries {
            if let Some(scalar) = value.as_scalar() {
                self.known.insert(key.text.to_string(), (scalar.text.to_string(), value.origin.span));
            }
        }
    }

    /// Fills the variables into objects.
    ///
    /// # Errors
    /// When that makes too much text.
    pub(crate) fn fill(&self, objects: &mut [Node]) -> Result<(), RenderError> {
        if self.known.is_empty() && !self.is_partial {
            return Ok(());
        }
        let mut filler = Filler { variables: self, place: None, depth: 0, left: MOST_REPLACED_TEXT };
        for object in objects {
            let is_off = ["annotations", "labels"]
                .iter()
                .any(|holder| object.find(&["metadata", holder, SWITCH]).and_then(Node::as_text) == Some("disabled"));
            if !is_off {
                filler.fill(object);
            }
            if filler.left == 0 {
                let message = format!("variables make more than {MOST_REPLACED_TEXT} bytes of text");
                return Err(RenderError::at(object.origin.span, message).help("give shorter values to variables"));
            }
        }
        Ok(())
    }
}

struct Filler<'a> {
    variables: &'a Variables,
    /// Where the last value that was filled in is written.
    place: Option<Span>,
    depth: usize,
    /// How much text may still be made.
    left: usize,
}

impl Filler<'_> {
    fn fill(&mut self, node: &mut Node) {
        if let Some(scalar) = node.as_scalar() {
            if !scalar.text.contains('$') {
                return;
            }
            self.place = None;
            let text = self.filled(&scalar.text);
            if *text != *scalar.text {
                let (scalar, span) = (scalar.rewritten(&text), self.place.unwrap_or(node.origin.span));
                node.replace_scalar(scalar, span, Step::Var);
            }
        } else if let Some(items) = node.as_sequence_mut() {
            for item in items {
                self.fill(item);
            }
        } else if let Some(mapping) = node.as_mapping_mut() {
            for (_, value) in mapping.iter_mut() {
                self.fill(value);
            }
        }
    }

    fn filled(&mut self, text: &str) -> String {
        /// A default may hold variables.
        const DEEPEST: usize = 8;
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("$$") {
                out.push('$');
                rest = after;
                continue;
            }
            let Some(length) = expression(rest).filter(|_| self.depth < DEEPEST) else {
                out.push('$');
                rest = &rest[1..];
                continue;
            };
            let (whole, after) = rest.split_at(length);
            match self.value(&whole[2..length - 1]) {
                Some(value) if value.len() <= self.left => {
                    self.left -= value.len();
                    out.push_str(&value);
                }
                Some(_) => {
                    self.left = 0;
                    return out;
                }
                None => out.push_str(whole),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// What stands for an expression; `None` where it stays as written.
    fn value(&mut self, expression: &str) -> Option<String> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = expression.find(|character| !is_part(character)).unwrap_or(expression.len());
        let (name, operation) = expression.split_at(end);
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let known = self.variables.known.get(name);
        let value = known.map_or("", |(text, _)| text.as_str());
        let default = [":-", ":=", "="].iter().find_map(|mark| operation.strip_prefix(mark));
        let new = match (operation, default) {
            ("", _) => value.to_owned(),
            ("^^", _) => value.to_uppercase(),
            (",,", _) => value.to_lowercase(),
            (_, Some(default)) if value.is_empty() => {
                if known.is_none() && self.variables.is_partial {
                    return None;
                }
                self.depth += 1;
                let default = self.filled(default);
                self.depth -= 1;
                return Some(default);
            }
            (_, Some(_)) => value.to_owned(),
            _ => return None,
        };
        match known {
            Some((_, span)) => self.place = Some(*span),
            None if self.variables.is_partial => return None,
            None => {}
        }
        Some(new)
    }
}

/// The length of the expression in braces that a text begins with.
fn expression(text: &str) -> Option<usize> {
    text.strip_prefix("${")?;
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if byte == b'}' && depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{ContentId, RepoPath};
    use crate::span::Files;

    fn filled(variables: &Variables, text: &str) -> String {
        Filler { variables, place: None, depth: 0, left: 100 }.filled(text)
    }

    #[test]
    fn variables_are_filled_in_as_flux_does() {
        let file = Files::default().add(&RepoPath::root(), ContentId::of(b""), "");
        let span = Span::start_of(file);
        let mut variables = Variables::default();
        for (name, text) in [("env", "prod"), ("empty", ""), ("Case", "aB")] {
            variables.known.insert(name.to_owned(), (text.to_owned(), span));
        }
        for (text, expected) in [
            ("x-${env}-y", "x-prod-y"),
            ("${unknown}", ""),
            ("${unknown:-a${env}}", "aprod"),
            ("${empty:=b}", "b"),
            ("${env:-c}", "prod"),
            ("$${env}", "${env}"),
            ("$env", "$env"),
            ("${Case^^}${Case,,}", "ABab"),
            ("${env:0:2}", "${env:0:2}"),
            ("${env", "${env"),
            ("${1}", "${1}"),
        ] {
            assert_eq!(filled(&variables, text), expected, "{text}");
        }
        variables.is_partial = true;
        assert_eq!(filled(&variables, "${env} ${unknown} ${unknown:-x}"), "prod ${unknown} ${unknown:-x}");
    }
}
