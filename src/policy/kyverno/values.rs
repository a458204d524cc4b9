//! How Kyverno compares a value with what is wanted: operators, ranges, wildcards, amounts, durations
//! (<https://kyverno.io/docs/policy-types/cluster-policy/validate/#operators>).

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use crate::config::glob_matches;
use crate::policy::amount::{Amount, duration};

/// What a text that is a pattern begins with, or has in its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    More,
    MoreOrEqual,
    Less,
    LessOrEqual,
    InRange,
    NotInRange,
}

static RANGE: LazyLock<Option<Regex>> = LazyLock::new(|| range("-"));
static NO_RANGE: LazyLock<Option<Regex>> = LazyLock::new(|| range("!-"));

fn range(between: &str) -> Option<Regex> {
    const END: &str = r"([-|\+]?\d+(?:\.\d+)?[A-Za-z]*)";
    Regex::new(&format!("^{END}{between}{END}$")).ok()
}

fn ends<'a>(pattern: &'a str, regex: &LazyLock<Option<Regex>>) -> Option<(&'a str, &'a str)> {
    let captures = regex.as_ref()?.captures(pattern)?;
    Some((captures.get(1)?.as_str(), captures.get(2)?.as_str()))
}

/// The operator of a pattern, and the length of what it begins with.
pub(super) fn operator(pattern: &str) -> (Operator, usize) {
    if pattern.len() < 2 {
        return (Operator::Equal, 0);
    }
    for (sign, operator) in [
        (">=", Operator::MoreOrEqual),
        ("<=", Operator::LessOrEqual),
        (">", Operator::More),
        ("<", Operator::Less),
        ("!", Operator::NotEqual),
    ] {
        if pattern.starts_with(sign) {
            return (operator, sign.len());
        }
    }
    if ends(pattern, &NO_RANGE).is_some() {
        (Operator::NotInRange, 0)
    } else if ends(pattern, &RANGE).is_some() {
        (Operator::InRange, 0)
    } else {
        (Operator::Equal, 0)
    }
}

/// Whether a value is what a pattern wants.
pub(super) fn fits(value: &Json, pattern: &Json) -> bool {
    match pattern {
        Json::Bool(_) => value == pattern,
        Json::Number(wanted) => match value {
            Json::Number(number) => number.as_f64() == wanted.as_f64(),
            Json::String(text) if wanted.is_i64() => text.parse::<i64>().ok() == wanted.as_i64(),
            Json::String(text) => text.parse::<f64>().ok() == wanted.as_f64(),
            _ => false,
        },
        Json::Null => match value {
            Json::Null => true,
            Json::Bool(truth) => !truth,
            Json::Number(number) => number.as_f64() == Some(0.0),
            Json::String(text) => text.is_empty(),
            Json::Array(_) | Json::Object(_) => false,
        },
        Json::Object(_) => value.is_object(),
        Json::String(pattern) => fits_text(value, pattern),
        Json::Array(_) => false,
    }
}

/// Whether a value fits one of the alternatives (`|`), each of which may be several conditions (`&`).
pub(super) fn fits_text(value: &Json, pattern: &str) -> bool {
    value.as_str() == Some(pattern)
        || pattern
            .split('|')
            .any(|one| one.trim_matches(' ').split('&').all(|part| fits_one(value, part.trim_matches(' '))))
}

fn fits_one(value: &Json, pattern: &str) -> bool {
    let (operator, length) = operator(pattern);
    match operator {
        Operator::InRange => ends(pattern, &RANGE).is_some_and(|(low, high)| {
            compares(value, low, Operator::MoreOrEqual) && compares(value, high, Operator::LessOrEqual)
        }),
        Operator::NotInRange => ends(pattern, &NO_RANGE)
            .is_some_and(|(low, high)| compares(value, low, Operator::Less) || compares(value, high, Operator::More)),
        operator => compares(value, pattern.get(length..).unwrap_or_default().trim(), operator),
    }
}

fn compares(value: &Json, pattern: &str, operator: Operator) -> bool {
    let text = match value {
        Json::Null => Some("0".to_owned()),
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let text = text.as_deref();
    let order = duration(pattern).and_then(|wanted| Some(duration(text?)?.cmp(&wanted)));
    let order = order.or_else(|| Some(Amount::read(text?)?.cmp(&Amount::read(pattern)?)));
    if let Some(order) = order {
        return match operator {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::More => order == Ordering::Greater,
            Operator::MoreOrEqual => order != Ordering::Less,
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::InRange | Operator::NotInRange => false,
        };
    }
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(truth) => truth.to_string(),
        _ => return false,
    };
    match operator {
        Operator::Equal => glob_matches(pattern, &text),
        Operator::NotEqual => !glob_matches(pattern, &text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What Kyverno 1.18 says of each (`pkg/engine/pattern/pattern_test.go` has most of them).
    #[test]
    fn values_fit_what_they_fit_in_kyverno() {
        for (value, pattern, expected) in [
            (json!("abc"), json!("a*"), true),
            (json!("abc"), json!("a?c"), true),
            (json!(""), json!("?*"), false),
            (json!("x"), json!("?*"), true),
            (json!(null), json!("?*"), false),
            (json!("nginx:latest"), json!("!*:latest"), false),
            (json!("nginx:1"), json!("!*:latest & *:*"), true),
            (json!("a"), json!("b | a"), true),
            (json!(5), json!(">3"), true),
            (json!(5), json!("<=4"), false),
            (json!("512Mi"), json!("<1Gi"), true),
            (json!("1h"), json!(">30m"), true),
            (json!(5), json!("1-10"), true),
            (json!(5), json!("1!-10"), false),
            (json!("50Mi"), json!("10Mi-100Mi"), true),
            (json!(true), json!(true), true),
            (json!("true"), json!(true), false),
            (json!(true), json!("true"), true),
            (json!(null), json!("null"), false),
            (json!(null), json!(null), true),
            (json!(false), json!(null), true),
            (json!("0"), json!(0), true),
            (json!(0), json!("0"), true),
            (json!(null), json!("0"), true),
            (json!(1.0), json!(1), true),
            (json!({"a": 1}), json!({}), true),
            (json!("text"), json!(">3"), false),
            (json!("a"), json!("!"), false),
        ] {
            assert_eq!(fits(&value, &pattern), expected, "{value} {pattern}");
        }
    }
}
