//! `JMESPath` (<https://jmespath.org>) as Kyverno speaks it: a field that is not there is an error unless something around it takes that
//! for `null`, and there are functions of its own (<https://kyverno.io/docs/policy-types/cluster-policy/jmespath/>).

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value as Json};

use self::parse::{Comparison, Node};
use super::deadline;

mod functions;
mod parse;

/// How much work one expression may take, in values that are looked at or copied.
const MOST_WORK: usize = 500_000;

/// An expression that is ready to be evaluated.
pub(super) struct Expression {
    node: Node,
}

/// Why an expression comes to nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failed {
    /// A field is not there.
    NotFound(String),
    /// Anything else that is wrong with it.
    Wrong(String),
    /// There is no answer here.
    Unanswered(String),
}

impl Failed {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::NotFound(key) => format!("there is no field `{key}`"),
            Self::Wrong(why) | Self::Unanswered(why) => why.clone(),
        }
    }
}

type Found<'v> = Result<Cow<'v, Json>, Failed>;

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, or which function is not available.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let node = parse::parse(text).map_err(|why| format!("the expression `{}`: {why}", text.trim()))?;
        if let Some(name) = unknown_function(&node) {
            return Err(format!("the expression `{}`: the function `{name}` is not available", text.trim()));
        }
        Ok(Self { node })
    }

    /// What an expression comes to.
    ///
    /// # Errors
    /// Why it comes to nothing.
    pub(super) fn evaluate(&self, value: &Json) -> Result<Json, Failed> {
        let work = Work { left: Cell::new(MOST_WORK) };
        work.evaluate(&self.node, value).map(Cow::into_owned)
    }
}

/// A function that is called and not there.
fn unknown_function(node: &Node) -> Option<&str> {
    match node {
        Node::Function(name, _) if !functions::is_known(name) => Some(name),
        other => other.parts().into_iter().find_map(unknown_function),
    }
}

/// An evaluation, and how much of its work is left.
struct Work {
    left: Cell<usize>,
}

/// What stands for a field that is not there.
fn or_null(found: Found<'_>) -> Found<'_> {
    match found {
        Err(Failed::NotFound(_)) => Ok(Cow::Owned(Json::Null)),
        other => other,
    }
}

impl Work {
    fn spend(&self, units: usize) -> Result<(), Failed> {
        let left = self.left.get().saturating_sub(units);
        self.left.set(left);
        if left == 0 {
            return Err(Failed::Unanswered("an expression takes too much work".to_owned()));
        }
        if deadline::is_over() { Err(Failed::Unanswered(deadline::told())) } else { Ok(()) }
    }

    /// Makes a value that is kept, and accounts for the copy.
    fn keep(&self, value: Cow<'_, Json>) -> Result<Json, Failed> {
        self.spend(size(&value))?;
        Ok(value.into_owned())
    }

    /// Evaluates on a value that may only live that long.
    fn then<'v>(&self, node: &'v Node, value: Cow<'v, Json>) -> Found<'v> {
        match value {
            Cow::Borrowed(value) => self.evaluate(node, value),
            Cow::Owned(value) => self.evaluate(node, &value).map(|found| Cow::Owned(found.into_owned())),
        }
    }

    fn null_or<'v>(&self, node: &'v Node, value: &'v Json) -> Found<'v> {
        or_null(self.evaluate(node, value))
    }

    fn evaluate<'v>(&self, node: &'v Node, value: &'v Json) -> Found<'v> {
        self.spend(1)?;
        let null = || Ok(Cow::Owned(Json::Null));
        match node {
            Node::Current => Ok(Cow::Borrowed(value)),
            Node::Literal(literal) => Ok(Cow::Borrowed(literal)),
            Node::Field(name) => match value {
                Json::Object(fields) => {
                    fields.get(name).map(Cow::Borrowed).ok_or_else(|| Failed::NotFound(name.clone()))
                }
                _ => null(),
            },
            Node::Index(index) => match value {
                Json::Array(items) => Ok(item(items, *index).map_or(Cow::Owned(Json::Null), Cow::Borrowed)),
                _ => null(),
            },
            Node::Slice(start, stop, step) => match value {
                Json::Array(items) => {
                    let chosen = slice(items.len(), *start, *stop, *step)?;
                    let items: Vec<Json> = chosen.into_iter().filter_map(|at| items.get(at).cloned()).collect();
                    Ok(Cow::Owned(self.keep(Cow::Owned(Json::Array(items)))?))
                }
                _ => null(),
            },
            Node::Sub(left, right) => self.evaluate(left, value).and_then(|left| self.then(right, left)),
            Node::Pipe(left, right) => {
                let left = self.null_or(left, value)?;
                or_null(self.then(right, left))
            }
            Node::Or(left, right) => {
                let left = self.null_or(left, value)?;
                if is_false(&left) { self.null_or(right, value) } else { Ok(left) }
            }
            Node::And(left, right) => {
                let left = self.null_or(left, value)?;
                if is_false(&left) { Ok(left) } else { self.evaluate(right, value) }
            }
            Node::Not(inner) => Ok(Cow::Owned(Json::Bool(is_false(&*self.null_or(inner, value)?)))),
            Node::Compare(comparison, left, right) => {
                let (left, right) = (self.null_or(left, value)?, self.null_or(right, value)?);
                self.spend(size(&left).min(size(&right)))?;
                Ok(Cow::Owned(compared(*comparison, &left, &right)))
            }
            Node::List(parts) => {
                if value.is_null() {
                    return null();
                }
                let items = parts.iter().map(|part| self.keep(self.null_or(part, value)?));
                Ok(Cow::Owned(Json::Array(items.collect::<Result<_, _>>()?)))
            }
            Node::Hash(parts) => {
                if value.is_null() {
                    return null();
                }
                let fields = parts.iter().map(|(key, part)| Ok((key.clone(), self.keep(self.null_or(part, value)?)?)));
                Ok(Cow::Owned(Json::Object(fields.collect::<Result<Map<_, _>, Failed>>()?)))
            }
            Node::Flatten(inner) => {
                let Json::Array(items) = self.keep(self.lenient(inner, value)?)? else { return null() };
                let flat = items.into_iter().flat_map(|item| match item {
                    Json::Array(items) => items,
                    other => vec![other],
                });
                Ok(Cow::Owned(Json::Array(flat.collect())))
            }
            Node::Projection(left, right) => {
                let list = self.null_or(left, value)?;
                let Json::Array(items) = &*list else { return null() };
                self.projected(items.iter(), right)
            }
            Node::Values(left, right) => {
                let map = self.lenient(left, value)?;
                let Json::Object(fields) = &*map else { return null() };
                self.projected(fields.values(), right)
            }
            Node::Filter { left, condition, right } => {
                let list = self.lenient(left, value)?;
                let Json::Array(items) = &*list else { return null() };
                let mut kept = Vec::new();
                for item in items {
                    if !is_false(&*self.null_or(condition, item)?) {
                        kept.push(item);
                    }
                }
                self.projected(kept.into_iter(), right)
            }
            Node::Function(name, arguments) => self.called(name, arguments, value),
            Node::Reference(_) => Err(Failed::Wrong("`&` stands only before an argument".to_owned())),
        }
    }

    /// `null` where it fails.
    fn lenient<'v>(&self, node: &'v Node, value: &'v Json) -> Found<'v> {
        match self.evaluate(node, value) {
            Err(Failed::NotFound(_) | Failed::Wrong(_)) => Ok(Cow::Owned(Json::Null)),
            other => other,
        }
    }

    fn called<'v>(&self, name: &str, arguments: &[Node], value: &Json) -> Found<'v> {
        let mut values = Vec::new();
        for argument in arguments {
            values.push(match argument {
                Node::Reference(inner) => functions::Argument::Reference(inner),
                other => functions::Argument::Value(self.keep(self.null_or(other, value)?)?),
            });
        }
        let result = functions::call(self, name, &values)?;
        Ok(Cow::Owned(self.keep(Cow::Owned(result))?))
    }

    fn projected<'a, 'v>(&self, items: impl Iterator<Item = &'a Json>, right: &Node) -> Found<'v> {
        let mut kept = Vec::new();
        for item in items {
            let found = self.keep(or_null(self.evaluate(right, item))?)?;
            if !found.is_null() {
                kept.push(found);
            }
        }
        Ok(Cow::Owned(Json::Array(kept)))
    }
}

/// How many values a value holds, long texts as several.
fn size(value: &Json) -> usize {
    const TEXT: usize = 64;
    match value {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        Json::String(text) => 1 + text.len() / TEXT,
        _ => 1,
    }
}

fn item(items: &[Json], index: i64) -> Option<&Json> {
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn slice(length: usize, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Result<Vec<usize>, Failed> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Failed::Wrong("the step of a slice is 0".to_owned()));
    }
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bounded = |index: Option<i64>, otherwise: i64| match index {
        None => otherwise,
        Some(index) if index < 0 => index.saturating_add(length).clamp(lowest, highest),
        Some(index) => index.clamp(lowest, highest),
    };
    let (first, last) = if step > 0 { (0, length) } else { (length - 1, -1) };
    let (mut at, end) = (bounded(start, first), bounded(stop, last));
    let mut chosen = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        chosen.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    Ok(chosen)
}

fn is_false(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(truth) => !truth,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Number(_) => false,
    }
}

/// Whether two values are the same; numbers are, however they are written.
pub(super) fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

fn compared(comparison: Comparison, left: &Json, right: &Json) -> Json {
    let order = || left.as_f64()?.partial_cmp(&right.as_f64()?);
    let is = |test: fn(std::cmp::Ordering) -> bool| order().map_or(Json::Null, |order| Json::Bool(test(order)));
    match comparison {
        Comparison::Equal => Json::Bool(equal(left, right)),
        Comparison::NotEqual => Json::Bool(!equal(left, right)),
        Comparison::Less => is(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => is(std::cmp::Ordering::is_le),
        Comparison::Greater => is(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => is(std::cmp::Ordering::is_ge),
    }
}

/// A number as JSON has it: whole where it is.
pub(super) fn number(number: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
    if number.fract() == 0.0 && number.abs() <= EXACT { Json::from(number as i64) } else { Json::from(number) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluated(text: &str, value: &Json) -> Result<Json, Failed> {
        Expression::read(text).map_err(Failed::Wrong)?.evaluate(value)
    }

    fn document() -> Json {
        json!({"a": {"b": [1, 2, {"c": "x"}], "n": null, "empty": [], "s": "text"},
               "list": [{"name": "one", "n": 1, "tags": ["p", "q"]}, {"name": "two", "n": 2}, {"n": 3}],
               "map": {"k1": 1, "k2": 2}, "quoted key": 5})
    }

    /// What `JMESPath` says, and in Kyverno's dialect of it.
    #[test]
    fn expressions_mean_what_they_mean_in_kyverno() {
        for (text, expected) in [
            ("a.b[0]", json!(1)),
            ("a.b[-1].c", json!("x")),
            ("a.b[9]", json!(null)),
            ("a.b[:2]", json!([1, 2])),
            ("a.b[::-1] | [2]", json!(1)),
            ("\"quoted key\"", json!(5)),
            ("list[*].name", json!(["one", "two"])),
            ("list[].tags[]", json!(["p", "q"])),
            ("list[?n > `1`].n", json!([2, 3])),
            ("list[?name == 'one' || n == `3`] | length(@)", json!(2)),
            ("list[?!name].n", json!([3])),
            ("list[?contains(tags, 'p')] || 'none'", json!("wrong")),
            ("map.*", json!([1, 2])),
            ("map.* | [0]", json!(1)),
            ("{x: a.s, y: a.none}", json!({"x": "text", "y": null})),
            ("[a.s, a.none]", json!(["text", null])),
            ("a.none || 'x'", json!("x")),
            ("a.none == null", json!(true)),
            ("a.none.deeper || `[]`", json!([])),
            ("a.n.deeper", json!(null)),
            ("a.none | length(@ || `[]`)", json!(0)),
            ("a.s && a.b[0]", json!(1)),
            ("keys(map)", json!(["k1", "k2"])),
            ("sort_by(list, &n)[-1].n", json!(3)),
            ("max_by(list, &n).n", json!(3)),
            ("map(&n, list)", json!([1, 2, 3])),
            ("length('äöü')", json!(3)),
            ("to_string(map)", json!("{\"k1\":1,\"k2\":2}")),
            ("to_number('2.5')", json!(2.5)),
            ("to_number('x')", json!(null)),
            ("join('-', ['a', 'b'])", json!("a-b")),
            ("sum([`1`, `2`])", json!(3)),
            ("sum(['1Gi', '1Gi'])", json!("2Gi")),
            ("add('500m', '1500m')", json!("2")),
            ("divide('1Gi', '512Mi')", json!(2)),
            ("divide(`1`, `4`)", json!(0.25)),
            ("multiply('10m', `3`)", json!("30m")),
            ("add('1h', '30m0s')", json!("1h30m0s")),
            ("split('a/b/c', '/')[1]", json!("b")),
            ("regex_match('^a.*z$', 'abcz')", json!(true)),
            ("regex_replace_all('([a-z])-', 'a-b', '${1}+')", json!("a+b")),
            ("pattern_match('prod-*', 'prod-eu')", json!(true)),
            ("label_match({app: 'x'}, {app: 'x', tier: 'y'})", json!(true)),
            ("to_upper('ab')", json!("AB")),
            ("trim('  a ', ' ')", json!("a")),
            ("base64_decode('YQ==')", json!("a")),
            ("parse_json('{\"a\": [1]}').a[0]", json!(1)),
            ("parse_yaml('a: [1]').a[0]", json!(1)),
            ("semver_compare('1.2.3', '>=1.0.0 <2.0.0')", json!(true)),
            ("semver_compare('2.0.0', '<2.0.0 || >3.0.0')", json!(false)),
            ("lookup(map, 'k2')", json!(2)),
            ("items(map, 'key', 'value')[1]", json!({"key": "k2", "value": 2})),
            ("object_from_lists(['a'], [`1`])", json!({"a": 1})),
            ("truncate('hello', `2`)", json!("he")),
            ("round(`2.71459`, `1`)", json!(2.7)),
            ("to_boolean('True')", json!(true)),
            ("path_canonicalize('/a/../b//c')", json!("/b/c")),
            ("merge(map, {k3: `3`}).k3", json!(3)),
            ("not_null(a.n, a.s)", json!("text")),
            ("type(a.b)", json!("array")),
            ("'it\\'s'", json!("it's")),
            ("`\"lit\"`", json!("lit")),
            ("a.b | [?@ == `2`] | [0]", json!(2)),
            ("list[0].{n: n, t: tags[0]}", json!({"n": 1, "t": "p"})),
            ("@.a.s", json!("text")),
            ("(a.b)[0]", json!(1)),
            ("compare('a', 'b')", json!(-1)),
        ] {
            let found = evaluated(text, &document());
            if expected == json!("wrong") {
                // `contains` of what is not there is an error, in a filter too.
                assert!(matches!(found, Err(Failed::Wrong(_))), "{text}: {found:?}");
            } else {
                assert_eq!(found, Ok(expected), "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for text in ["a.none", "none", "a.none.deeper", "list[0].none"] {
            assert!(matches!(evaluated(text, &document()), Err(Failed::NotFound(_))), "{text}");
        }
        for text in
            ["a.", "a b", "[?", "frobnicate(a)", "random('[a-z]')", "length()", "length(`1`)", "a[1.5]", "'open"]
        {
            assert!(matches!(evaluated(text, &document()), Err(Failed::Wrong(_))), "{text}");
        }
    }

    #[test]
    fn depth_and_work_are_bounded() {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("!", ""), ("a.", ""), ("a|", ""), ("[?", "]"), ("length(", ")"), ("@&&", "")]
        {
            let text = format!("{}a{}", open.repeat(30_000), close.repeat(30_000));
            assert!(evaluated(&text, &document()).is_err(), "{open}");
            let text = format!("{}a{}", open.repeat(60), close.repeat(60));
            let _ = evaluated(&text, &document());
        }
        let doubled = "[@, @] | ".repeat(40) + "@";
        assert!(matches!(evaluated(&doubled, &document()), Err(Failed::Unanswered(_))));
        for mixed in ["sort(@)", "sort_by(@, &@)", "max(@)", "min_by(@, &@)"] {
            let values: Vec<Json> = (0..150)
                .map(|n| {
                    if n % 3 == 0 {
                        json!(n)
                    } else if n % 3 == 1 {
                        json!("a")
                    } else {
                        json!(true)
                    }
                })
                .collect();
            assert!(matches!(evaluated(mixed, &json!(values)), Err(Failed::Wrong(_))), "{mixed}");
        }
        let bomb = "a: &a [1, 2, 3]\nb: [*a, *a]\n";
        assert!(matches!(evaluated("parse_yaml(@)", &json!(bomb)), Err(Failed::Unanswered(_))));
        let joined = "join(@, [@, @, @, @]) | ".repeat(30) + "@";
        assert!(evaluated(&joined, &json!("aaaaaaaaaaaaaaaa")).is_err());
    }
}
