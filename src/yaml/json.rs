//! Values as JSON, as Go writes it: what kustomize passes every resource through before it prints it.

use std::sync::Arc;

use serde_json::Value as Json;

use super::parse::folded_again;
use super::resolve::{Kind, timestamp};
use super::{Node, Scalar, Value};

/// A value as JSON. Infinite numbers, which JSON lacks, become null; [`super::emit_document`] refuses them.
#[must_use]
pub fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(scalar) => match scalar.kind {
            Kind::Null if scalar.is_blank_in_flow() => "".into(),
            Kind::Null => Json::Null,
            Kind::Bool(value) => value.into(),
            Kind::Int(value) => value.into(),
            Kind::Uint(value) => value.into(),
            Kind::Float(value) => whole(value).map_or_else(|| value.into(), Json::from),
            Kind::Timestamp => timestamp(&scalar.text).unwrap_or_default().into(),
            Kind::String => scalar.text.as_ref().into(),
        },
        Value::Sequence(items) => items.iter().map(to_json).collect(),
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, node)| (key.text.to_string(), to_json(node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonLayout {
    /// On one line.
    Compact,
    /// With two blanks a level.
    Indented,
}

/// What becomes of integers past 2^53 on the way through JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeIntegers {
    /// They stay.
    Kept,
    /// They pass through a float, and lose digits.
    Rounded,
}

/// JSON as Go's `encoding/json` writes it: keys sorted, and what could end a script escaped.
#[must_use]
pub fn go_json(json: &Json, layout: JsonLayout) -> String {
    let text = match layout {
        JsonLayout::Indented => format!("{json:#}"),
        JsonLayout::Compact => json.to_string(),
    };
    // serde_json keeps keys sorted, as Go does, and escapes like Go but for these five characters.
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The integer that a float is, where it is one that fits.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.0e18).then_some(value as i64)
}

/// A number's text in the output: Go's `%g` of the shortest digits, integers without a fraction.
#[must_use]
pub fn number_text(kind: Kind) -> Option<String> {
    match kind {
        Kind::Int(value) => Some(value.to_string()),
        Kind::Uint(value) => Some(value.to_string()),
        Kind::Float(value) if value.is_finite() => Some(float_text(value)),
        _ => None,
    }
}

fn float_text(value: f64) -> String {
    // JSON has no exponent below 1e21, and what is then an integer that fits is read back as one.
    if value.fract() == 0.0 && (-9.3e18..1.9e19).contains(&value) {
        let digits = format!("{value}");
        if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
            return if digits == "-0" { "0".to_owned() } else { digits };
        }
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Passes a value through JSON, as kustomize does around JSON 6902 patches and list items: texts become canonical,
/// timestamps become strings. Origins stay.
pub fn through_json(node: &mut Node, large: LargeIntegers) {
    node.origin.shared = 0;
    match &mut node.value {
        Value::Scalar(scalar) => *scalar = canonical(scalar, large),
        Value::Sequence(items) => Arc::make_mut(items).iter_mut().for_each(|item| through_json(item, large)),
        Value::Mapping(mapping) => {
            Arc::make_mut(mapping).iter_mut().for_each(|(_, node)| through_json(node, large));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "kustomize loses the same digits")]
fn canonical(scalar: &Scalar, large: LargeIntegers) -> Scalar {
    let number = |kind: Kind| Scalar {
        text: Arc::from(number_text(kind).unwrap_or_default()),
        kind,
        plain: true,
        folded: false,
    };
    match scalar.kind {
        Kind::String if scalar.folded => {
            Scalar { plain: false, folded: false, text: Arc::from(folded_again(&scalar.text)), ..scalar.clone() }
        }
        Kind::String => Scalar { plain: false, ..scalar.clone() },
        Kind::Null if scalar.is_blank_in_flow() => Scalar { plain: false, ..Scalar::string("") },
        Kind::Null => Scalar { text: Arc::from("null"), kind: Kind::Null, plain: true, folded: false },
        Kind::Bool(value) => Scalar {
            text: Arc::from(if value { "true" } else { "false" }),
            kind: scalar.kind,
            plain: true,
            folded: false,
        },
        Kind::Timestamp => Scalar::string(&timestamp(&scalar.text).unwrap_or_default()),
        Kind::Int(value) if large == LargeIntegers::Rounded && value.unsigned_abs() > 1 << 53 => {
            number(Kind::Float(value as f64))
        }
        Kind::Uint(value) if large == LargeIntegers::Rounded => number(Kind::Float(value as f64)),
        Kind::Float(value) if !value.is_finite() => scalar.clone(),
        kind => number(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_go_prints_them() {
        for (value, text) in [
            (1.0, "1"),
            (0.5, "0.5"),
            (1e21, "1e+21"),
            (1e20, "1e+20"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456.5, "123456.5"),
            (-0.0, "0"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
        ] {
            assert_eq!(number_text(Kind::Float(value)).unwrap(), text);
        }
    }
}
