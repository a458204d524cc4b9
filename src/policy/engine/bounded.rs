//! Built-ins of Rego that make something large of something small. The engine looks at the clock only between its own steps, and at
//! memory not at all, so these are supplied with a bound.

use std::cell::Cell;

use regorus::{Engine, Value};

/// How many bytes they may make for one rule.
const MOST: usize = 64 << 20;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(MOST) };
}

/// A rule is asked.
pub(super) fn begin() {
    LEFT.set(MOST);
}

/// Takes what a result needs from what is left, before it is made.
fn spend(name: &str, bytes: Option<usize>) -> Result<(), std::io::Error> {
    let left = bytes.and_then(|bytes| LEFT.get().checked_sub(bytes));
    LEFT.set(left.unwrap_or_default());
    match left {
        Some(_) => Ok(()),
        None => Err(std::io::Error::other(format!("`{name}` makes more than {} MB", MOST >> 20))),
    }
}

/// Supplies them.
///
/// # Errors
/// When the engine does not take one, which is a mistake in this program.
pub(super) fn supply(engine: &mut Engine) -> Result<(), String> {
    type Function = fn(&[Value]) -> Result<Value, std::io::Error>;
    let functions: [(&str, u8, Function); 7] = [
        ("concat", 2, concat),
        ("replace", 3, replace),
        ("numbers.range", 2, range),
        ("numbers.range_step", 3, range_step),
        ("array.concat", 2, array_concat),
        ("units.parse", 1, units),
        ("units.parse_bytes", 1, bytes),
    ];
    for (name, arity, function) in functions {
        let own = Box::new(move |values: Vec<Value>| Ok(function(&values)?));
        engine.add_extension(name.to_owned(), arity, own).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn text(values: &[Value], at: usize) -> Option<&str> {
    values.get(at)?.as_string().ok().map(AsRef::as_ref)
}

fn concat(values: &[Value]) -> Result<Value, std::io::Error> {
    let parts: Option<Vec<&str>> = match values.get(1) {
        Some(Value::Array(items)) => items.iter().map(|item| item.as_string().ok().map(AsRef::as_ref)).collect(),
        Some(Value::Set(items)) => items.iter().map(|item| item.as_string().ok().map(AsRef::as_ref)).collect(),
        _ => None,
    };
    let (Some(separator), Some(parts)) = (text(values, 0), parts) else { return Ok(Value::Undefined) };
    spend("concat", Some(parts.iter().map(|part| part.len() + separator.len()).sum()))?;
    Ok(Value::from(parts.join(separator)))
}

fn replace(values: &[Value]) -> Result<Value, std::io::Error> {
    let (Some(whole), Some(old), Some(new)) = (text(values, 0), text(values, 1), text(values, 2)) else {
        return Ok(Value::Undefined);
    };
    let times = if old.is_empty() { whole.len() + 1 } else { whole.matches(old).count() };
    spend("replace", times.checked_mul(new.len()).and_then(|more| more.checked_add(whole.len())))?;
    Ok(Value::from(whole.replace(old, new)))
}

fn range(values: &[Value]) -> Result<Value, std::io::Error> {
    let whole = |at: usize| values.get(at).and_then(|value| value.as_i64().ok());
    let (Some(from), Some(to)) = (whole(0), whole(1)) else { return Ok(Value::Undefined) };
    let length = usize::try_from(from.abs_diff(to)).ok().and_then(|length| length.checked_add(1));
    spend("numbers.range", length.and_then(|length| length.checked_mul(size_of::<Value>())))?;
    let numbers: Vec<Value> =
        if from <= to { (from..=to).map(Value::from).collect() } else { (to..=from).rev().map(Value::from).collect() };
    Ok(Value::from(numbers))
}

fn range_step(values: &[Value]) -> Result<Value, std::io::Error> {
    let whole = |at: usize| values.get(at).and_then(|value| value.as_i64().ok());
    let (Some(from), Some(to), Some(step)) = (whole(0), whole(1), whole(2).filter(|step| *step > 0)) else {
        return Ok(Value::Undefined);
    };
    let length = usize::try_from(from.abs_diff(to) / step.unsigned_abs()).ok().and_then(|length| length.checked_add(1));
    spend("numbers.range_step", length.and_then(|length| length.checked_mul(size_of::<Value>())))?;
    let is_within = |number: &i64| if from <= to { *number <= to } else { *number >= to };
    let step = if from <= to { step } else { -step };
    let numbers = std::iter::successors(Some(from), |number| number.checked_add(step)).take_while(is_within);
    Ok(Value::from(numbers.map(Value::from).collect::<Vec<Value>>()))
}

/// An amount and what its unit multiplies it by; nothing where there is none, and where it is too large to be meant.
fn amount(values: &[Value], unit: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let text = text(values, 0)?.trim_matches('"');
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let amount = number.parse::<f64>().ok()? * unit(suffix)?;
    (amount.abs() <= LARGEST).then_some(amount)
}

#[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
fn number(amount: Option<f64>) -> Value {
    match amount {
        Some(amount) if amount.fract() == 0.0 => Value::from(amount as i64),
        Some(amount) => Value::from(amount),
        None => Value::Undefined,
    }
}

fn power(name: &str, base: f64) -> Option<f64> {
    let at = ["k", "m", "g", "t", "p", "e"].iter().position(|known| *known == name)?;
    Some(base.powi(i32::try_from(at).ok()? + 1))
}

/// `units.parse`: `m` is a thousandth.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the functions that are supplied")]
fn units(values: &[Value]) -> Result<Value, std::io::Error> {
    let unit = |suffix: &str| match (suffix, suffix.to_lowercase()) {
        ("", _) => Some(1.0),
        ("m", _) => Some(0.001),
        (_, lower) => match lower.strip_suffix('i') {
            Some(name) => power(name, 1024.0),
            None => power(&lower, 1000.0),
        },
    };
    Ok(number(amount(values, unit)))
}

/// `units.parse_bytes`: with or without a `B`, and without fractions.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the functions that are supplied")]
fn bytes(values: &[Value]) -> Result<Value, std::io::Error> {
    let unit = |suffix: &str| {
        let suffix = suffix.to_lowercase();
        let suffix = suffix.strip_suffix('b').unwrap_or(&suffix);
        match (suffix, suffix.strip_suffix('i')) {
            ("", _) => Some(1.0),
            (_, Some(name)) => power(name, 1024.0),
            (name, None) => power(name, 1000.0),
        }
    };
    Ok(number(amount(values, unit).map(f64::trunc)))
}

fn array_concat(values: &[Value]) -> Result<Value, std::io::Error> {
    let (Some(Value::Array(one)), Some(Value::Array(other))) = (values.first(), values.get(1)) else {
        return Ok(Value::Undefined);
    };
    spend("array.concat", (one.len() + other.len()).checked_mul(size_of::<Value>()))?;
    Ok(Value::from(one.iter().chain(other.iter()).cloned().collect::<Vec<Value>>()))
}
