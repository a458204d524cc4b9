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
    let functions: [(&str, u8, Function); 4] = [
        ("concat", 2, concat),
        ("replace", 3, replace),
        ("numbers.range", 2, range),
        ("array.concat", 2, array_concat),
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

fn array_concat(values: &[Value]) -> Result<Value, std::io::Error> {
    let (Some(Value::Array(one)), Some(Value::Array(other))) = (values.first(), values.get(1)) else {
        return Ok(Value::Undefined);
    };
    spend("array.concat", (one.len() + other.len()).checked_mul(size_of::<Value>()))?;
    Ok(Value::from(one.iter().chain(other.iter()).cloned().collect::<Vec<Value>>()))
}
