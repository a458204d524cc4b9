//! The functions of `JMESPath` (<https://jmespath.org/specification.html#built-in-functions>) and those of Kyverno.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::parse::Node;
use super::{Failed, Work, equal, number};
use crate::config::glob_matches;
use crate::policy::amount::{Amount, duration, duration_text};
use crate::words;

/// Every function that an expression can call.
const KNOWN: &str = "
    abs avg ceil contains ends_with floor join keys length map max max_by merge min min_by not_null reverse sort sort_by
    starts_with sum to_array to_number to_string type values
    add base64_decode base64_encode compare divide equal_fold items label_match lookup modulo multiply object_from_lists
    parse_json parse_yaml path_canonicalize pattern_match regex_match regex_replace_all regex_replace_all_literal replace
    replace_all round semver_compare sha256 split subtract to_boolean to_lower to_upper trim trim_prefix truncate
";

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.split_whitespace().any(|known| known == name)
}

/// An argument of a call.
pub(super) enum Argument<'n> {
    Value(Json),
    Reference(&'n Node),
}

/// The arguments of a call, with the function's name for what is said of them.
struct Arguments<'a, 'n> {
    name: &'a str,
    all: &'a [Argument<'n>],
}

impl<'a, 'n> Arguments<'a, 'n> {
    fn wrong(&self, why: &str) -> Failed {
        Failed::Wrong(format!("the function `{}`: {why}", self.name))
    }

    fn value(&self, at: usize) -> Result<&'a Json, Failed> {
        match self.all.get(at) {
            Some(Argument::Value(value)) => Ok(value),
            Some(Argument::Reference(_)) => Err(self.wrong("`&` is not expected")),
            None => Err(self.wrong("an argument is missing")),
        }
    }

    fn reference(&self, at: usize) -> Result<&'n Node, Failed> {
        match self.all.get(at) {
            Some(Argument::Reference(node)) => Ok(node),
            _ => Err(self.wrong("an expression (`&…`) is expected")),
        }
    }

    fn text(&self, at: usize) -> Result<&'a str, Failed> {
        self.value(at)?.as_str().ok_or_else(|| self.wrong("a text is expected"))
    }

    fn number(&self, at: usize) -> Result<f64, Failed> {
        self.value(at)?.as_f64().ok_or_else(|| self.wrong("a number is expected"))
    }

    fn list(&self, at: usize) -> Result<&'a [Json], Failed> {
        self.value(at)?.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong("a list is expected"))
    }

    fn object(&self, at: usize) -> Result<&'a Map<String, Json>, Failed> {
        self.value(at)?.as_object().ok_or_else(|| self.wrong("an object is expected"))
    }

    /// A text, or a number as one.
    fn text_or_number(&self, at: usize) -> Result<String, Failed> {
        match self.value(at)? {
            Json::String(text) => Ok(text.clone()),
            Json::Number(number) => Ok(number.to_string()),
            _ => Err(self.wrong("a text or a number is expected")),
        }
    }

    fn regex(&self, at: usize) -> Result<Regex, Failed> {
        Regex::new(self.text(at)?).map_err(|error| self.wrong(&error.to_string()))
    }

    fn operand(&self, at: usize) -> Result<Operand, Failed> {
        Operand::read(self.value(at)?).ok_or_else(|| self.wrong("a number, an amount or a duration is expected"))
    }
}

/// Calls a function.
#[expect(clippy::too_many_lines, reason = "a table of functions, each a line or two")]
pub(super) fn call(work: &Work, name: &str, all: &[Argument<'_>]) -> Result<Json, Failed> {
    let with = Arguments { name, all };
    let texts =
        |list: &[Json]| -> Option<Vec<String>> { list.iter().map(|it| it.as_str().map(str::to_owned)).collect() };
    Ok(match name {
        "abs" => number(with.number(0)?.abs()),
        "ceil" => number(with.number(0)?.ceil()),
        "floor" => number(with.number(0)?.floor()),
        "avg" => {
            let list = with.list(0)?;
            let sum: f64 = numbers(list).ok_or_else(|| with.wrong("numbers are expected"))?.iter().sum();
            #[expect(clippy::cast_precision_loss, reason = "lists are short")]
            if list.is_empty() { Json::Null } else { number(sum / list.len() as f64) }
        }
        "contains" => match with.value(0)? {
            Json::String(text) => Json::Bool(with.value(1)?.as_str().is_some_and(|part| text.contains(part))),
            Json::Array(items) => {
                let wanted = with.value(1)?;
                Json::Bool(items.iter().any(|item| equal(item, wanted)))
            }
            _ => return Err(with.wrong("a text or a list is expected")),
        },
        "ends_with" => Json::Bool(with.text(0)?.ends_with(with.text(1)?)),
        "starts_with" => Json::Bool(with.text(0)?.starts_with(with.text(1)?)),
        "join" => {
            let parts = texts(with.list(1)?).ok_or_else(|| with.wrong("texts are expected"))?;
            let separator = with.text(0)?;
            work.spend(parts.iter().map(|part| part.len() + separator.len()).sum::<usize>() / 64)?;
            Json::String(parts.join(separator))
        }
        "keys" => with.object(0)?.keys().cloned().map(Json::String).collect(),
        "values" => with.object(0)?.values().cloned().collect(),
        "length" => match with.value(0)? {
            Json::String(text) => Json::from(text.chars().count()),
            Json::Array(items) => Json::from(items.len()),
            Json::Object(fields) => Json::from(fields.len()),
            _ => return Err(with.wrong("a text, a list or an object is expected")),
        },
        "map" => {
            let node = with.reference(0)?;
            let mapped =
                with.list(1)?.iter().map(|item| super::or_null(work.evaluate(node, item)).map(|it| work.keep(it)));
            mapped.collect::<Result<Result<Vec<Json>, _>, _>>()??.into()
        }
        "max" | "min" => {
            let list = with.list(0)?;
            chosen(&with, list, name == "max", |item| Ok(item.clone()))?
        }
        "max_by" | "min_by" => {
            let node = with.reference(1)?;
            chosen(&with, with.list(0)?, name == "max_by", |item| {
                work.evaluate(node, item).map(std::borrow::Cow::into_owned)
            })?
        }
        "merge" => {
            let mut merged = Map::new();
            for at in 0..all.len() {
                merged.extend(with.object(at)?.clone());
            }
            Json::Object(merged)
        }
        "not_null" => {
            let mut values = (0..all.len()).map(|at| with.value(at));
            values
                .find(|value| value.as_ref().is_ok_and(|it| !it.is_null()))
                .transpose()?
                .cloned()
                .unwrap_or(Json::Null)
        }
        "reverse" => match with.value(0)? {
            Json::String(text) => Json::String(text.chars().rev().collect()),
            Json::Array(items) => items.iter().rev().cloned().collect(),
            _ => return Err(with.wrong("a text or a list is expected")),
        },
        "sort" => sorted(with.list(0)?).ok_or_else(|| with.wrong("numbers or texts are expected"))?.into(),
        "sort_by" => {
            let node = with.reference(1)?;
            let keyed = with.list(0)?.iter().map(|item| Ok((work.evaluate(node, item)?.into_owned(), item.clone())));
            let mut keyed: Vec<(Json, Json)> = keyed.collect::<Result<_, Failed>>()?;
            if !is_one_kind(keyed.iter().map(|(key, _)| key)) {
                return Err(with.wrong("numbers or texts are expected"));
            }
            keyed.sort_by(|(one, _), (other, _)| ordered(one, other));
            keyed.into_iter().map(|(_, item)| item).collect()
        }
        "to_array" => match with.value(0)? {
            Json::Array(items) => items.clone().into(),
            other => vec![other.clone()].into(),
        },
        "to_number" => match with.value(0)? {
            Json::Number(number) => Json::Number(number.clone()),
            Json::String(text) => text.parse().ok().filter(|it: &f64| it.is_finite()).map_or(Json::Null, number),
            _ => Json::Null,
        },
        "to_string" => match with.value(0)? {
            Json::String(text) => Json::String(text.clone()),
            other => Json::String(other.to_string()),
        },
        "type" => Json::from(match with.value(0)? {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }),
        "add" | "subtract" | "multiply" | "divide" | "modulo" => {
            with.operand(0)?.compute(name, with.operand(1)?).ok_or_else(|| with.wrong("these do not go together"))?
        }
        "sum" => {
            let list = with.list(0)?;
            let mut total = list.first().cloned().ok_or_else(|| with.wrong("the list is empty"))?;
            for item in list.iter().skip(1) {
                let operands = Operand::read(&total).zip(Operand::read(item));
                let added = operands.and_then(|(one, other)| one.compute("add", other));
                total = added.ok_or_else(|| with.wrong("numbers, amounts or durations are expected"))?;
            }
            total
        }
        "base64_decode" => {
            let decoded = STANDARD.decode(with.text(0)?).map_err(|error| with.wrong(&error.to_string()))?;
            Json::String(String::from_utf8_lossy(&decoded).into_owned())
        }
        "base64_encode" => Json::String(STANDARD.encode(with.text(0)?)),
        "compare" => Json::from(with.text(0)?.cmp(with.text(1)?) as i64),
        "equal_fold" => Json::Bool(with.text(0)?.to_lowercase() == with.text(1)?.to_lowercase()),
        "items" => {
            let (key_name, value_name) = (with.text(1)?, with.text(2)?);
            let pair = |key: Json, value: &Json| {
                let pair = [(key_name.to_owned(), key), (value_name.to_owned(), value.clone())];
                Json::Object(pair.into_iter().collect())
            };
            match with.value(0)? {
                Json::Object(fields) => {
                    fields.iter().map(|(key, value)| pair(Json::String(key.clone()), value)).collect()
                }
                Json::Array(items) => items.iter().enumerate().map(|(at, value)| pair(Json::from(at), value)).collect(),
                _ => return Err(with.wrong("a list or an object is expected")),
            }
        }
        "label_match" => {
            let (wanted, labels) = (with.object(0)?, with.object(1)?);
            Json::Bool(wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
        }
        "lookup" => match with.value(0)? {
            Json::Object(fields) => fields.get(with.text(1)?).cloned().unwrap_or(Json::Null),
            Json::Array(items) => whole(with.number(1)?)
                .and_then(|at| items.get(usize::try_from(at).ok()?))
                .cloned()
                .unwrap_or(Json::Null),
            _ => return Err(with.wrong("a list or an object is expected")),
        },
        "object_from_lists" => {
            let values = with.list(1)?;
            let mut fields = Map::new();
            for (at, key) in with.list(0)?.iter().enumerate() {
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                fields.insert(key, values.get(at).cloned().unwrap_or(Json::Null));
            }
            Json::Object(fields)
        }
        "parse_json" => serde_json::from_str(with.text(0)?).map_err(|error| with.wrong(&error.to_string()))?,
        "parse_yaml" => {
            let text = with.text(0)?;
            if ALIAS.as_ref().is_none_or(|alias| alias.is_match(text)) {
                return Err(Failed::Unanswered("aliases in YAML (`*name`) are not read by `parse_yaml`".to_owned()));
            }
            serde_yaml::from_str(text).map_err(|error| with.wrong(&error.to_string()))?
        }
        "path_canonicalize" => Json::String(canonical(with.text(0)?)),
        "pattern_match" => Json::Bool(glob_matches(with.text(0)?, &with.text_or_number(1)?)),
        "regex_match" => Json::Bool(with.regex(0)?.is_match(&with.text_or_number(1)?)),
        "regex_replace_all" => {
            let (text, by) = (with.text_or_number(1)?, with.text_or_number(2)?);
            work.spend((text.len() + 1).saturating_mul(by.len() + 1) / 64)?;
            Json::String(with.regex(0)?.replace_all(&text, by.as_str()).into_owned())
        }
        "regex_replace_all_literal" => {
            let (text, by) = (with.text_or_number(1)?, with.text_or_number(2)?);
            work.spend((text.len() + 1).saturating_mul(by.len() + 1) / 64)?;
            Json::String(with.regex(0)?.replace_all(&text, regex::NoExpand(&by)).into_owned())
        }
        "replace" => {
            let (text, old, by) = (with.text(0)?, with.text(1)?, with.text(2)?);
            let most = whole(with.number(3)?).ok_or_else(|| with.wrong("a whole number is expected"))?;
            work.spend((text.len() + 1).saturating_mul(by.len() + 1) / 64)?;
            Json::String(match usize::try_from(most) {
                Ok(most) => text.replacen(old, by, most),
                Err(_) => text.replace(old, by),
            })
        }
        "replace_all" => {
            let (text, by) = (with.text(0)?, with.text(2)?);
            work.spend((text.len() + 1).saturating_mul(by.len() + 1) / 64)?;
            Json::String(text.replace(with.text(1)?, by))
        }
        "round" => {
            let places =
                whole(with.number(1)?).and_then(|it| i32::try_from(it).ok()).filter(|it| (0..=300).contains(it));
            let shift = 10f64.powi(places.ok_or_else(|| with.wrong("a whole number is expected"))?);
            number((with.number(0)? * shift).round() / shift)
        }
        "semver_compare" => {
            Json::Bool(in_range(with.text(0)?, with.text(1)?).ok_or_else(|| with.wrong("the range cannot be read"))?)
        }
        "sha256" => Json::String(words::hexadecimal(&Sha256::digest(with.text(0)?))),
        "split" => {
            let (text, separator) = (with.text(0)?, with.text(1)?);
            if separator.is_empty() {
                text.chars().map(|it| Json::String(it.to_string())).collect()
            } else {
                text.split(separator).map(Json::from).collect()
            }
        }
        "to_boolean" => match with.text(0)?.to_lowercase().as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => return Err(with.wrong("`true` or `false` is expected")),
        },
        "to_lower" => Json::String(with.text(0)?.to_lowercase()),
        "to_upper" => Json::String(with.text(0)?.to_uppercase()),
        "trim" => {
            let cut = with.text(1)?;
            Json::from(with.text(0)?.trim_matches(|it| cut.contains(it)))
        }
        "trim_prefix" => {
            let text = with.text(0)?;
            Json::from(text.strip_prefix(with.text(1)?).unwrap_or(text))
        }
        "truncate" => {
            let most =
                whole(with.number(1)?.max(0.0).floor()).and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
            Json::String(with.text(0)?.chars().take(most).collect())
        }
        _ => return Err(with.wrong("it is not available")),
    })
}

fn numbers(list: &[Json]) -> Option<Vec<f64>> {
    list.iter().map(Json::as_f64).collect()
}

fn ordered(one: &Json, other: &Json) -> std::cmp::Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.as_str().cmp(&other.as_str()),
    }
}

/// Whether values can be put in order: they are all numbers, or all texts.
fn is_one_kind<'j>(values: impl Iterator<Item = &'j Json>) -> bool {
    let (mut numbers, mut texts) = (true, true);
    for value in values {
        numbers &= value.is_number();
        texts &= value.is_string();
    }
    numbers || texts
}

/// A list of numbers or of texts in order.
fn sorted(list: &[Json]) -> Option<Vec<Json>> {
    let mut items = is_one_kind(list.iter()).then(|| list.to_vec())?;
    items.sort_by(ordered);
    Some(items)
}

/// The item with the largest, or the smallest, key.
fn chosen(
    with: &Arguments<'_, '_>,
    list: &[Json],
    is_largest: bool,
    key: impl Fn(&Json) -> Result<Json, Failed>,
) -> Result<Json, Failed> {
    let keys = list.iter().map(key).collect::<Result<Vec<Json>, Failed>>()?;
    if !is_one_kind(keys.iter()) {
        return Err(with.wrong("numbers or texts are expected"));
    }
    let mut best: Option<(&Json, &Json)> = None;
    for (key, item) in keys.iter().zip(list) {
        let is_better = best.is_none_or(|(known, _)| {
            let order = ordered(key, known);
            if is_largest { order.is_gt() } else { order.is_lt() }
        });
        if is_better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or(Json::Null, |(_, item)| item.clone()))
}

/// `*name` in the place of a value of YAML.
static ALIAS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)(?:^|[\s\[{,:-])\*[^\s,\]}]").ok());

fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// A path without `.`, `..` and empty parts, as Go's `filepath.Join` has it.
fn canonical(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) if !path.is_empty() => ".".to_owned(),
        (false, _) => joined,
    }
}

/// What can be computed with.
#[derive(Clone, Copy)]
enum Operand {
    Number(f64),
    Amount(Amount),
    /// In billionths of a second.
    Duration(i64),
}

impl Operand {
    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Number(number) => number.as_f64().map(Self::Number),
            Json::String(text) => Amount::read(text).map(Self::Amount).or_else(|| duration(text).map(Self::Duration)),
            _ => None,
        }
    }

    fn compute(self, name: &str, other: Self) -> Option<Json> {
        let finite = |result: f64| result.is_finite().then(|| number(result));
        let amount = |amount: Option<Amount>| amount.map(|amount| Json::String(amount.to_string()));
        let duration = |nanoseconds: Option<i64>| nanoseconds.map(|it| Json::String(duration_text(it)));
        #[expect(clippy::cast_precision_loss, reason = "a ratio is approximate")]
        match (name, self, other) {
            ("add", Self::Number(one), Self::Number(other)) => finite(one + other),
            ("subtract", Self::Number(one), Self::Number(other)) => finite(one - other),
            ("multiply", Self::Number(one), Self::Number(other)) => finite(one * other),
            ("divide", Self::Number(one), Self::Number(other)) => finite(one / other),
            ("modulo", Self::Number(one), Self::Number(other)) => finite(one % other),
            ("add", Self::Amount(one), Self::Amount(other)) => amount(one.add(other)),
            ("subtract", Self::Amount(one), Self::Amount(other)) => amount(one.subtract(other)),
            ("divide", Self::Amount(one), Self::Amount(other)) => finite(one.as_float() / other.as_float()),
            ("multiply", Self::Amount(one), Self::Number(by)) | ("multiply", Self::Number(by), Self::Amount(one)) => {
                amount(one.scale(by))
            }
            ("divide", Self::Amount(one), Self::Number(by)) => amount(one.scale(1.0 / by)),
            ("add", Self::Duration(one), Self::Duration(other)) => duration(one.checked_add(other)),
            ("subtract", Self::Duration(one), Self::Duration(other)) => duration(one.checked_sub(other)),
            ("divide", Self::Duration(one), Self::Duration(other)) => finite(one as f64 / other as f64),
            ("multiply", Self::Duration(one), Self::Number(by))
            | ("multiply", Self::Number(by), Self::Duration(one)) => duration(whole((one as f64 * by).trunc())),
            ("divide", Self::Duration(one), Self::Number(by)) => duration(whole((one as f64 / by).trunc())),
            ("modulo", Self::Duration(one), Self::Duration(other)) => duration(one.checked_rem(other)),
            _ => None,
        }
    }
}

/// A version: its numbers, and what is before it.
type Version = (u64, u64, u64, Option<String>);

fn version(text: &str) -> Option<Version> {
    let text = text.split('+').next()?;
    let (numbers, early) = text.split_once('-').map_or((text, None), |(numbers, early)| (numbers, Some(early)));
    let mut parts = numbers.split('.').map(str::parse);
    let version = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?, early.map(str::to_owned));
    parts.next().is_none().then_some(version)
}

fn compare_versions(one: &Version, other: &Version) -> std::cmp::Ordering {
    let numbers = |version: &Version| (version.0, version.1, version.2);
    numbers(one).cmp(&numbers(other)).then_with(|| match (&one.3, &other.3) {
        (None, None) => std::cmp::Ordering::Equal,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(_), None) => std::cmp::Ordering::Less,
        (Some(one), Some(other)) => one.cmp(other),
    })
}

/// Whether a version is in a range such as `>=1.0.0 <2.0.0 || >3.0.0`; `None` where the range cannot be read.
fn in_range(text: &str, range: &str) -> Option<bool> {
    let version_of = version(text).unwrap_or((0, 0, 0, None));
    let mut holds = false;
    for alternative in range.split("||") {
        let mut all = true;
        for part in alternative.split_whitespace() {
            let end = part.find(|it: char| it.is_ascii_digit())?;
            let (operator, wanted) = part.split_at(end);
            let order = compare_versions(&version_of, &version(wanted)?);
            all &= match operator {
                "" | "=" | "==" => order.is_eq(),
                "!" | "!=" => order.is_ne(),
                ">" => order.is_gt(),
                ">=" => order.is_ge(),
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                _ => return None,
            };
        }
        holds |= all;
    }
    Some(holds)
}
