//! Rego that teams have written for other tools. One set of modules is prepared and cloned for every object.

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::unstable::{Expr, Rule, RuleHead};
use regorus::utils::limits::{ExecutionTimerConfig, PolicyLengthConfig};
use regorus::{Engine, Value};
use serde_json::Value as Json;

use super::go_format::{self, Argument};
use super::{bounded, calls, opa};
use crate::policy::catalog::LIBRARIES;
use crate::policy::deadline::LIMIT;
use crate::policy::rule_set::is_own_style;

/// How large a policy may be: what is generated has long lines.
pub(super) const LENGTHS: PolicyLengthConfig = PolicyLengthConfig {
    max_col: NonZeroU32::new(100_000).unwrap(),
    max_file_bytes: NonZeroUsize::new(1 << 20).unwrap(),
    max_lines: NonZeroUsize::new(20_000).unwrap(),
};
/// After how many steps the clock is looked at.
const STEPS: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// How long a rule may take.
pub(super) fn timer() -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit: LIMIT, check_interval: STEPS }
}

/// One file of Rego.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// Its path, as messages name it.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Modules and data that are ready to be asked.
pub(in crate::policy) struct TeamEngine {
    prepared: Engine,
}

/// A rule that a module declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredRule {
    /// The path of its package below `data`, such as `main`.
    pub package: String,
    /// Its name.
    pub name: String,
    /// The module.
    pub path: String,
    /// The line of its first head, from 1.
    pub line: u32,
}

impl TeamEngine {
    /// Reads modules: as Rego v1, else as v0, in which much is written that is still in use.
    ///
    /// # Errors
    /// The engine's words for the first module that it does not take, which begin with the path and the place.
    pub(in crate::policy) fn new(modules: &[Module<'_>], data: &Json) -> Result<Self, String> {
        let mut prepared = Engine::new();
        prepared.set_strict_builtin_errors(false);
        prepared.set_gather_prints(true);
        prepared.set_execution_timer_config(timer());
        supply(&mut prepared)?;
        prepared.set_policy_length_config(LENGTHS);
        for module in modules {
            add(&mut prepared, module)?;
        }
        prepared.add_data(Value::from(data.clone())).map_err(|error| error.to_string())?;
        if let Some(function) = calls::recursive(prepared.get_modules().iter().map(|module| &**module)) {
            return Err(format!("the function `{function}` calls itself, which Rego does not allow"));
        }
        Ok(Self { prepared })
    }

    /// The rules that modules declare, each once.
    pub(in crate::policy) fn rules(&mut self) -> Vec<DeclaredRule> {
        let mut found: Vec<DeclaredRule> = Vec::new();
        for module in self.prepared.get_modules() {
            let Some(package) = reference(&module.package.refr) else { continue };
            for rule in &module.policy {
                let (refr, span) = match &**rule {
                    Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, span, .. }
                    | Rule::Default { refr, span, .. } => (refr, span),
                    // What is called is not asked.
                    Rule::Spec { head: RuleHead::Func { .. }, .. } => continue,
                };
                let Some(name) = first_name(refr) else { continue };
                if !found.iter().any(|known| known.package == package && known.name == name) {
                    let path = span.source.get_path().clone();
                    found.push(DeclaredRule { package: package.clone(), name, path, line: span.line });
                }
            }
        }
        found
    }

    /// An evaluation of one input.
    pub(in crate::policy) fn ask(&self, input: &Json) -> Question {
        let mut engine = self.prepared.clone();
        engine.set_input(Value::from(input.clone()));
        Question { engine }
    }
}

/// A test of a policy, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The test: a rule `test_…`, as OPA has them.
    pub rule: DeclaredRule,
    /// Why it failed; `None` where it passed.
    pub failure: Option<String>,
}

/// Which lines of a module tests have reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The module.
    pub path: String,
    /// How many lines were.
    pub lines: usize,
    /// The lines that were not, from 1.
    pub missed: Vec<u32>,
}

/// Runs the tests of modules.
///
/// # Errors
/// The engine's words for the first module that it does not take.
pub fn run_tests(modules: &[Module<'_>], data: &Json) -> Result<(Vec<Tested>, Vec<Reached>), String> {
    let mut all: Vec<Module<'_>> = modules.to_vec();
    if modules.iter().any(|module| is_own_style(module.text)) {
        all.extend(LIBRARIES.iter().map(|(path, text)| Module { path, text }));
    }
    let mut engine = TeamEngine::new(&all, data)?;
    let tests: Vec<DeclaredRule> = engine.rules().into_iter().filter(|rule| rule.name.starts_with("test_")).collect();
    engine.prepared.set_enable_coverage(true);
    let mut tested = Vec::new();
    for rule in tests {
        bounded::begin();
        let value = engine.prepared.eval_rule(format!("data.{}.{}", rule.package, rule.name));
        let failure = match value {
            Ok(value) if value == Value::from(true) => None,
            Ok(Value::Undefined) => Some("it is undefined".to_owned()),
            Ok(value) => Some(format!("it is {value}, and not true")),
            Err(error) => Some(error.to_string()),
        };
        tested.push(Tested { rule, failure });
    }
    let report = engine.prepared.get_coverage_report().map_err(|error| error.to_string())?;
    let is_rule = |path: &str| !path.ends_with("_test.rego") && LIBRARIES.iter().all(|(library, _)| *library != path);
    let reached = report.files.iter().filter(|file| is_rule(&file.path)).map(|file| Reached {
        path: file.path.clone(),
        lines: file.covered.len(),
        missed: file.not_covered.iter().copied().collect(),
    });
    let mut reached: Vec<Reached> = reached.collect();
    // What no test has anything to do with is not in the report.
    let in_report: Vec<String> = reached.iter().map(|file| file.path.clone()).collect();
    for rule in engine.rules().into_iter().filter(|rule| is_rule(&rule.path) && !in_report.contains(&rule.path)) {
        match reached.iter_mut().find(|file| file.path == rule.path) {
            Some(file) => file.missed.push(rule.line),
            None => reached.push(Reached { path: rule.path, lines: 0, missed: vec![rule.line] }),
        }
    }
    Ok((tested, reached))
}

/// Modules with one input before them.
pub(in crate::policy) struct Question {
    engine: Engine,
}

impl Question {
    /// Puts further data under `data`.
    ///
    /// # Errors
    /// When it contradicts what is there.
    pub(in crate::policy) fn add_data(&mut self, data: &Json) -> Result<(), String> {
        self.engine.add_data(Value::from(data.clone())).map_err(|error| error.to_string())
    }

    /// What a rule says, `null` where that is undefined. Sets become lists.
    ///
    /// # Errors
    /// When it fails, or takes too long.
    pub(in crate::policy) fn value(&mut self, package: &str, rule: &str) -> Result<Json, String> {
        bounded::begin();
        let value = self.engine.eval_rule(format!("data.{package}.{rule}")).map_err(|error| error.to_string())?;
        if value == Value::Undefined {
            return Ok(Json::Null);
        }
        let text = value.to_json_str().map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

fn add(engine: &mut Engine, module: &Module<'_>) -> Result<(), String> {
    let mut first = None;
    for is_v0 in [false, true] {
        engine.set_rego_v0(is_v0);
        let added = opa::rewritten(module, is_v0)
            .and_then(|text| engine.add_policy(module.path.to_owned(), text).map_err(|error| format!("{error:#}")));
        match added {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(format!("{}: {}", module.path, first.unwrap_or_default().trim()))
}

/// Supplies what OPA has and regorus has not, or has otherwise; and refuses what would make a verdict depend on more than its input.
fn supply(engine: &mut Engine) -> Result<(), String> {
    let own = Box::new(|values: Vec<Value>| Ok(sprintf(&values)));
    engine.add_extension("sprintf".to_owned(), 2, own).map_err(|error| error.to_string())?;
    bounded::supply(engine)?;
    for (name, arity) in [("http.send", 1), ("net.lookup_ip_addr", 1), ("opa.runtime", 0), ("rego.parse_module", 2)] {
        let refuse = move |_: Vec<Value>| {
            let why = format!("`{name}` is not available: the same change must have the same verdict everywhere");
            Err(std::io::Error::other(why).into())
        };
        engine.add_extension(name.to_owned(), arity, Box::new(refuse)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn sprintf(values: &[Value]) -> Value {
    let (Some(format), Some(Value::Array(arguments))) = (values.first(), values.get(1)) else {
        return Value::Undefined;
    };
    let Ok(format) = format.as_string() else { return Value::Undefined };
    let arguments: Vec<Argument> = arguments.iter().map(argument).collect();
    Value::from(go_format::format(format, &arguments))
}

fn argument(value: &Value) -> Argument {
    match value {
        Value::String(text) => Argument::Text(text.to_string()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Argument::Int(whole),
            (None, Some(number)) => Argument::Float(number),
            (None, None) => Argument::Text(value.to_string()),
        },
        other => Argument::Text(as_rego(other)),
    }
}

/// A value as Rego writes it.
fn as_rego(value: &Value) -> String {
    let joined = |values: &mut dyn Iterator<Item = &Value>| values.map(as_rego).collect::<Vec<_>>().join(", ");
    match value {
        Value::Array(values) => format!("[{}]", joined(&mut values.iter())),
        Value::Set(values) if values.is_empty() => "set()".to_owned(),
        Value::Set(values) => format!("{{{}}}", joined(&mut values.iter())),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{}: {}", as_rego(key), as_rego(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The path of a package: `main`, `main.gke`.
pub(super) fn reference(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Var { value, .. } => value.as_string().ok().map(ToString::to_string),
        Expr::RefDot { refr, field, .. } => {
            let name = field.1.as_string().ok()?.to_string();
            Some(format!("{}.{name}", reference(refr)?))
        }
        Expr::RefBrack { refr, index, .. } => match &**index {
            Expr::String { value, .. } => Some(format!("{}.{}", reference(refr)?, value.as_string().ok()?)),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a rule: what its head begins with.
fn first_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => first_name(refr),
        _ => reference(expression),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str, input: &Json) -> Result<Json, String> {
        let mut engine = TeamEngine::new(&[Module { path: "a.rego", text }], &json!({}))?;
        assert!(!engine.rules().is_empty());
        engine.ask(input).value("t", "r")
    }

    /// What OPA 1.22 says of each.
    #[test]
    fn a_negation_is_undefined_where_an_operand_is() {
        let input = json!({"one": 1, "k": "zzz", "arr": [1]});
        for (body, holds) in [
            ("not startswith(input.missing, \"a\")", false),
            ("not f(input.missing)", false),
            ("not input.missing == 1", true),
            ("not input.missing != 1", false),
            ("not count(input.missing) > 0", false),
            ("not \"a\" in input.missing", false),
            ("not input.missing in [\"b\"]", false),
            ("not f(input.one)", false),
            ("not f(2)", true),
            ("x := input; not f(x.missing)", false),
            ("not object.get(input, \"missing\", \"b\") == \"b\"", false),
            ("not input.a.b.c", true),
            ("x := [y | y := 1; not f(input.missing)]; count(x) == 0", true),
            ("not f(input.one) with input as {\"one\": 2}", false),
        ] {
            for head in ["import future.keywords.in\nr = true {", "import rego.v1\nr if {"] {
                let function =
                    if head.contains("v1") { "f(x) if { x == input.one }" } else { "f(x) { x == input.one }" };
                let text = format!("package t\n{head} {body} }}\n{function}\n");
                let expected = if holds { json!(true) } else { Json::Null };
                assert_eq!(value(&text, &input), Ok(expected), "{text}");
            }
        }
        let braceless = "package t\nimport rego.v1\nr if not startswith(input.missing, \"a\")\n";
        assert_eq!(value(braceless, &input), Ok(Json::Null));
    }

    #[test]
    fn what_is_written_for_opa_is_read() {
        for (text, expected) in [
            ("package t\nr[x] { x := 1 } { x := 2 }\n", json!([1, 2])),
            ("package t\nr { x := 3\n(x + 1) == 4 }\n", json!(true)),
            ("package t\nr = sprintf(\"%v of %v: %v\", [1, {2}]) { true }\n", json!("1 of {2}: %!v(MISSING)")),
            ("package t\nr := [p | walk(input, [p, 5])]\n", json!([["a", 0]])),
            (
                "package t\nimport rego.v1\n# rego.v2 later\nr if not ok\nok if not startswith(input.missing, `a\nb`)\n",
                json!(true),
            ),
            ("package t\nimport rego.v1\nr if not input.x in [ # one\n  \"a\", # two\n]\n", Json::Null),
            ("package t\nr := base64.encode(\"a\")\n", json!("YQ==")),
        ] {
            assert_eq!(value(text, &json!({"a": [5]})), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_depends_on_more_than_its_input_is_refused() {
        for call in ["http.send({\"method\": \"GET\", \"url\": \"http://x\"})", "opa.runtime()"] {
            let refused = value(&format!("package t\nr := {call}\n"), &json!({}));
            assert!(refused.as_ref().is_err_and(|why| why.contains("is not available")), "{refused:?}");
        }
        let endless = value(
            "package t\nr := count([1 | x := numbers.range(1, 5000)[_]; y := numbers.range(1, 5000)[_]; x + y == 0])\n",
            &json!({}),
        );
        assert!(endless.is_err(), "{endless:?}");
        let doubled: Vec<String> = (0..60).map(|n| format!("a{} := array.concat(a{n}, a{n})", n + 1)).collect();
        for (body, name) in [
            ("x := numbers.range(1, 100000000); count(x) > 0".to_owned(), "numbers.range"),
            ("x := numbers.range(-9000000000000000000, 9000000000000000000); count(x) > 0".to_owned(), "numbers.range"),
            ("b := concat(\"\", [\"aaaaaaaaaa\" | some i in numbers.range(1, 60000)]); c := replace(b, \"a\", b); count(c) > 0".to_owned(), "replace"),
            (format!("a0 := [1]; {}; count(a60) > 0", doubled.join("; ")), "array.concat"),
            ("x := numbers.range_step(1, 300000000, 1); count(x) > 0".to_owned(), "numbers.range_step"),
        ] {
            let refused = value(&format!("package t\nimport rego.v1\nr if {{ {body} }}\n"), &json!({}));
            assert!(refused.as_ref().is_err_and(|why| why.contains(name) && why.contains("64 MB")), "{name}: {refused:?}");
        }
        let same = value(
            "package t\nr := [concat(\",\", {\"b\", \"a\"}), replace(\"aXa\", \"X\", \"-\"), numbers.range(3, 1), array.concat([1], [2])]\n",
            &json!({}),
        );
        assert_eq!(same, Ok(json!(["a,b", "a-a", [3, 2, 1], [1, 2]])));
        let amounts = value(
            "package t\nr := [numbers.range_step(1, 7, 3), units.parse_bytes(\"1.5Gi\"), units.parse_bytes(\"10KB\"), \
             units.parse(\"100m\"), units.parse(\"2Ki\"), units.parse_bytes(\"7\")]\n",
            &json!({}),
        );
        assert_eq!(amounts, Ok(json!([[1, 4, 7], 1_610_612_736, 10_000, 0.1, 2048, 7])));
        assert_eq!(value("package t\nr := units.parse_bytes(\"1e2147483647\")\n", &json!({})), Ok(Json::Null));
        for recursion in
            ["f(x) := f(x + 1)\nr := f(1)", "f(x) := g(x)\ng(x) := y if { y := [z | z := data.t.f(x)] }\nr := f(1)"]
        {
            let refused = value(&format!("package t\nimport rego.v1\n{recursion}\n"), &json!({}));
            assert!(refused.as_ref().is_err_and(|why| why.contains("calls itself")), "{refused:?}");
        }
        for (open, inner, close) in [
            ("[", "1", "]"),
            ("count(", "[]", ")"),
            ("-", "1", ""),
            ("1 + ", "1", ""),
            ("{\"a\": ", "1", "}"),
            ("[1 | ", "true", "]"),
        ] {
            let text = |n: usize| format!("package t\nr := {}{inner}{}\n", open.repeat(n), close.repeat(n));
            let refused = value(&text(10_000), &json!({}));
            assert!(refused.as_ref().is_err_and(|why| why.contains("deep")), "{open}: {refused:?}");
            // What it says of what is not too deep is its own affair, as long as it says anything.
            let _ = value(&text(12), &json!({}));
        }
        let chain = value(&format!("package t\nr := 0{}\n", " + 1".repeat(390)), &json!({}));
        assert_eq!(chain, Ok(json!(390)));
        let broken = value("package t\nr := {\n", &json!({}));
        assert!(broken.as_ref().is_err_and(|why| why.contains("a.rego")), "{broken:?}");
    }
}
