//! Preconditions and deny conditions (<https://kyverno.io/docs/policy-types/cluster-policy/preconditions/>).

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::values::{Operator, fits_text, operator};
use super::variables::Variables;
use crate::config::glob_matches;
use crate::policy::amount::{Amount, duration};
use crate::policy::jmespath::{Failed, equal};

/// What conditions come to.
pub(super) struct Held<'a> {
    pub(super) holds: bool,
    /// The messages of the conditions that decided.
    pub(super) messages: Vec<String>,
    /// Those that held.
    pub(super) conditions: Vec<&'a Json>,
}

/// Whether conditions hold: `any` and `all`, a list of these, or a list of conditions.
pub(super) fn hold<'a>(conditions: &'a Json, variables: &Variables<'_>) -> Result<Held<'a>, Failed> {
    let mut held = Held { holds: true, messages: Vec::new(), conditions: Vec::new() };
    let blocks = match conditions {
        Json::Array(items) => items.as_slice(),
        Json::Null => &[],
        one => std::slice::from_ref(one),
    };
    for block in blocks {
        if block.get("operator").is_some() {
            held.holds = hold_all(std::slice::from_ref(block), variables, &mut held)?;
        } else {
            let list = |name: &str| Some(block.get(name)?.as_array()?.as_slice()).filter(|list| !list.is_empty());
            let any = list("any").map(|any| hold_any(any, variables, &mut held)).transpose()?;
            let all = hold_all(list("all").unwrap_or_default(), variables, &mut held)?;
            held.holds = any.unwrap_or(true) && all;
        }
        if !held.holds {
            break;
        }
    }
    Ok(held)
}

fn hold_any<'a>(any: &'a [Json], variables: &Variables<'_>, held: &mut Held<'a>) -> Result<bool, Failed> {
    for condition in any {
        if holds_one(condition, variables)? {
            note(condition, held);
            return Ok(true);
        }
    }
    Ok(false)
}

fn hold_all<'a>(all: &'a [Json], variables: &Variables<'_>, held: &mut Held<'a>) -> Result<bool, Failed> {
    for condition in all {
        if !holds_one(condition, variables)? {
            return Ok(false);
        }
        note(condition, held);
    }
    Ok(true)
}

fn note<'a>(condition: &'a Json, held: &mut Held<'a>) {
    let message = condition.get("message").and_then(Json::as_str).filter(|message| !message.is_empty());
    held.messages.extend(message.map(str::to_owned));
    held.conditions.push(condition);
}

fn holds_one(condition: &Json, variables: &Variables<'_>) -> Result<bool, Failed> {
    let part = |name: &str| variables.substituted(condition.get(name).unwrap_or(&Json::Null));
    let (key, value) = (part("key")?, part("value")?);
    let operator = condition.get("operator").and_then(Json::as_str).unwrap_or_default();
    compared(&key, operator, &value)
        .ok_or_else(|| Failed::Unanswered(format!("the operator `{operator}` is not known")))
}

/// Every operator of a condition.
const OPERATORS: [&str; 18] = [
    "Equal",
    "Equals",
    "NotEqual",
    "NotEquals",
    "In",
    "AnyIn",
    "AllIn",
    "NotIn",
    "AnyNotIn",
    "AllNotIn",
    "GreaterThan",
    "GreaterThanOrEquals",
    "LessThan",
    "LessThanOrEquals",
    "DurationGreaterThan",
    "DurationGreaterThanOrEquals",
    "DurationLessThan",
    "DurationLessThanOrEquals",
];

/// Whether there is an operator of this name.
pub(super) fn is_operator(name: &str) -> bool {
    OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether `key OPERATOR value` holds; `None` where there is no such operator.
fn compared(key: &Json, operator: &str, value: &Json) -> Option<bool> {
    Some(match operator.to_lowercase().as_str() {
        "equal" | "equals" => equals(key, value).unwrap_or(false),
        "notequal" | "notequals" => match key {
            Json::Null => false,
            _ => !equals(key, value).unwrap_or(false),
        },
        "in" => old_is_in(key, value, false).unwrap_or(false),
        "notin" => old_is_in(key, value, true).unwrap_or(false),
        "allin" => is_in(key, value, Quantifier::All),
        "anyin" => is_in(key, value, Quantifier::Any),
        "allnotin" => is_in(key, value, Quantifier::None),
        "anynotin" => is_in(key, value, Quantifier::NotAll),
        other => {
            let (name, order) = match other.strip_prefix("duration") {
                Some(name) => (name, duration_order(key, value)),
                None => (other, order(key, value)),
            };
            let holds: fn(Ordering) -> bool = match name {
                "greaterthan" => Ordering::is_gt,
                "greaterthanorequals" => Ordering::is_ge,
                "lessthan" => Ordering::is_lt,
                "lessthanorequals" => Ordering::is_le,
                _ => return None,
            };
            order.is_some_and(holds)
        }
    })
}

/// Both as durations, where at least one is written as one; the other may be seconds.
fn durations(key: &Json, value: &Json) -> Option<(i64, i64)> {
    let written = |json: &Json| json.as_str().filter(|text| *text != "0").and_then(duration);
    let (one, other) = (written(key), written(value));
    if one.is_none() && other.is_none() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "Go truncates as well")]
    let seconds = |json: &Json| json.as_f64().and_then(|it| (it.trunc() as i64).checked_mul(1_000_000_000));
    Some((one.or_else(|| seconds(key))?, other.or_else(|| seconds(value))?))
}

/// Both as durations: texts that are written as one, and whole seconds.
fn duration_order(key: &Json, value: &Json) -> Option<Ordering> {
    #[expect(clippy::cast_possible_truncation, reason = "Go truncates as well")]
    let read = |json: &Json| match json {
        Json::String(text) => duration(text),
        other => (other.as_f64()?.trunc() as i64).checked_mul(1_000_000_000),
    };
    Some(read(key)?.cmp(&read(value)?))
}

/// `In` and `NotIn`, which are older than the others: a list is held against one item by item, without wildcards, and `NotIn` means
/// that any of it is missing. `None` where the value is of no kind that something can be in.
fn old_is_in(key: &Json, value: &Json, is_negated: bool) -> Option<bool> {
    let texts =
        |items: &[Json]| -> Option<Vec<String>> { items.iter().map(|it| it.as_str().map(str::to_owned)).collect() };
    let in_json = |text: &str| serde_json::from_str::<Json>(text).ok().and_then(|json| texts(json.as_array()?));
    let Json::Array(keys) = key else {
        if matches!(key, Json::Null | Json::Object(_)) {
            return None;
        }
        let key = written(key);
        let is_in = match value {
            Json::Array(items) => items.iter().any(|item| either_matches(&written(item), &key)),
            Json::String(text) => glob_matches(text, &key) || in_json(text)?.contains(&key),
            _ => return None,
        };
        return Some(is_in != is_negated);
    };
    let keys: Vec<String> = keys.iter().map(written).collect();
    let values = match value {
        Json::Array(items) => texts(items)?,
        Json::String(text) if keys == [text.clone()] => return Some(true),
        Json::String(text) => in_json(text)?,
        _ => return None,
    };
    Some(keys.iter().all(|key| values.contains(key)) != is_negated)
}

/// `None` where they cannot be compared, which is as if they were different.
fn equals(key: &Json, value: &Json) -> Option<bool> {
    match key {
        Json::Null => None,
        Json::Bool(_) => Some(key == value),
        Json::Number(number) => match value {
            Json::Number(other) => Some(number.as_f64() == other.as_f64()),
            Json::String(text) => Some(text.parse::<f64>().ok()?.total_cmp(&number.as_f64()?).is_eq()),
            _ => None,
        },
        Json::String(text) => {
            if let Some((one, other)) = durations(key, value) {
                return Some(one == other);
            }
            let wanted = value.as_str()?;
            match Amount::read(text) {
                Some(amount) if !wanted.is_empty() => Some(amount == Amount::read(wanted)?),
                _ => Some(glob_matches(wanted, text)),
            }
        }
        Json::Array(_) | Json::Object(_) => Some(equal(key, value)),
    }
}

fn order(key: &Json, value: &Json) -> Option<Ordering> {
    if let Some((one, other)) = durations(key, value) {
        return Some(one.cmp(&other));
    }
    let number = |json: &Json| json.as_f64().or_else(|| json.as_str()?.parse().ok());
    match (key, value) {
        (Json::String(text), Json::String(other)) => {
            let amounts = Amount::read(text).zip(Amount::read(other)).map(|(one, other)| one.cmp(&other));
            amounts
                .or_else(|| number(key)?.partial_cmp(&number(value)?))
                .or_else(|| duration_order(&Json::from(number(key)?), value))
                .or_else(|| version(text)?.partial_cmp(&version(other)?))
        }
        (Json::String(_) | Json::Number(_), Json::String(_) | Json::Number(_)) => {
            number(key)?.partial_cmp(&number(value)?)
        }
        _ => None,
    }
}

fn version(text: &str) -> Option<[u64; 3]> {
    let numbers: Option<Vec<u64>> = text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// How many of the keys must be among the values.
#[derive(Clone, Copy, PartialEq)]
enum Quantifier {
    All,
    Any,
    None,
    NotAll,
}

fn is_in(key: &Json, value: &Json, quantifier: Quantifier) -> bool {
    let is_negated = matches!(quantifier, Quantifier::None | Quantifier::NotAll);
    match key {
        Json::Null | Json::Object(_) => false,
        Json::Array(items) => {
            let keys: Vec<String> = items.iter().map(written).collect();
            set_is_in(&keys, value, quantifier)
        }
        one => key_is_in(&written(one), value).is_some_and(|is_in| is_in != is_negated),
    }
}

/// A value as Go prints it.
fn written(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

fn either_matches(one: &str, other: &str) -> bool {
    glob_matches(one, other) || glob_matches(other, one)
}

/// `None` where the value is of no kind that something can be in.
fn key_is_in(key: &str, value: &Json) -> Option<bool> {
    match value {
        Json::Array(items) => Some(items.iter().any(|item| either_matches(&written(item), key))),
        Json::String(text) => {
            if glob_matches(text, key) {
                return Some(true);
            }
            if operator(text).0 == Operator::InRange {
                return Some(fits_text(&Json::String(key.to_owned()), text));
            }
            Some(listed(text)?.iter().any(|item| item == key))
        }
        _ => None,
    }
}

/// A list of texts in JSON, or a text that is the only one.
fn listed(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Null) => Some(Vec::new()),
        Ok(Json::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Ok(_) => None,
        Err(_) => Some(vec![text.to_owned()]),
    }
}

fn set_is_in(keys: &[String], value: &Json, quantifier: Quantifier) -> bool {
    let quantified = |test: &dyn Fn(&String) -> bool| match quantifier {
        Quantifier::All => keys.iter().all(test),
        Quantifier::Any => keys.iter().any(test),
        Quantifier::None => !keys.iter().any(test),
        Quantifier::NotAll => !keys.iter().all(test),
    };
    let among = |values: &[String]| quantified(&|key: &String| values.iter().any(|value| either_matches(key, value)));
    match value {
        Json::Array(items) => among(&items.iter().map(written).collect::<Vec<_>>()),
        Json::Number(_) | Json::Bool(_) => {
            matches!(quantifier, Quantifier::Any | Quantifier::NotAll) && among(&[written(value)])
        }
        Json::String(text)
            if operator(text).0 == Operator::InRange && keys != [text.clone()] && quantifier == Quantifier::NotAll =>
        {
            // What is no number is neither in a range nor outside of it.
            let outside = text.replacen('-', "!-", 1);
            keys.iter().any(|key| fits_text(&Json::String(key.clone()), &outside))
        }
        Json::String(text) if operator(text).0 == Operator::InRange && keys != [text.clone()] => {
            quantified(&|key: &String| fits_text(&Json::String(key.clone()), text))
        }
        Json::String(text) if keys == [text.clone()] => quantified(&|_: &String| true),
        Json::String(text) => listed(text).is_some_and(|values| among(&values)),
        Json::Null | Json::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operators_mean_what_they_mean_in_kyverno() {
        for (key, operator, value, expected) in [
            (json!("a"), "Equals", json!("a"), true),
            (json!("abc"), "Equals", json!("a*"), true),
            (json!("1Gi"), "Equals", json!("1024Mi"), true),
            (json!("60s"), "Equals", json!("1m"), true),
            (json!(60), "Equals", json!(60.0), true),
            (json!("a"), "NotEquals", json!("b"), true),
            (json!(null), "Equals", json!(""), false),
            (json!(null), "NotEquals", json!("x"), false),
            (json!([1, 2]), "Equals", json!([1.0, 2]), true),
            (json!(3), "GreaterThan", json!(2), true),
            (json!("3"), "GreaterThan", json!("2"), true),
            (json!("1Gi"), "LessThan", json!("2Gi"), true),
            (json!("2h"), "GreaterThanOrEquals", json!("90m"), true),
            (json!("1.2.3"), "LessThan", json!("1.10.0"), true),
            (json!("a"), "AnyIn", json!(["a", "b"]), true),
            (json!("nginx"), "AnyIn", json!(["ng*"]), true),
            (json!(["a", "x"]), "AnyIn", json!(["a", "b"]), true),
            (json!(["a", "x"]), "AllIn", json!(["a", "b"]), false),
            (json!(["a", "x"]), "AnyNotIn", json!(["a", "b"]), true),
            (json!(["x", "y"]), "AllNotIn", json!(["a", "b"]), true),
            (json!([]), "AnyNotIn", json!(["a"]), false),
            (json!([]), "AllIn", json!(["a"]), true),
            (json!("a"), "AnyIn", json!("[\"a\", \"b\"]"), true),
            (json!(5), "AnyIn", json!("1-10"), true),
            (json!([5, 50]), "AnyNotIn", json!("1-10"), true),
            (json!("CREATE"), "In", json!(["CREATE", "UPDATE"]), true),
            (json!("DELETE"), "NotIn", json!(["CREATE", "UPDATE"]), true),
            (json!(true), "equals", json!(true), true),
            (json!({"a": 1}), "AnyIn", json!(["a"]), false),
            (json!("5"), "NotIn", json!("abc"), false),
            (json!(["a", "b"]), "NotIn", json!(["a"]), true),
            (json!([]), "NotIn", json!(["a"]), false),
            (json!(["a"]), "In", json!(["a*"]), false),
            (json!("5"), "In", json!("1-10"), false),
            (json!("1"), "DurationLessThan", json!(60), false),
            (json!("1h"), "DurationGreaterThan", json!("0"), true),
            (json!(1), "DurationGreaterThanOrEquals", json!(1.5), true),
            (json!("x"), "AnyNotIn", json!("null"), true),
            (json!(["a"]), "AllNotIn", json!(5), false),
            (json!("10"), "GreaterThan", json!("10us"), true),
            (json!(["a"]), "AnyNotIn", json!("1-10"), false),
        ] {
            assert_eq!(compared(&key, operator, &value), Some(expected), "{key} {operator} {value}");
            assert!(is_operator(operator));
        }
        assert_eq!(compared(&json!(1), "Like", &json!(1)), None);
    }
}
