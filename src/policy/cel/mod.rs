//! CEL (<https://cel.dev>) as Kubernetes speaks it. The only place that names the crate `cel`.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;
use cel::{Context, Env, ExecutionError, Value};
use serde_json::Value as Json;

pub(super) use blame::blamed;

mod blame;
mod bounds;
mod functions;
mod lists;
mod network;
mod opaque;
mod quantity;

/// An expression that is ready to be evaluated.
pub(super) struct Expression {
    tree: IdedExpr,
    /// As it is written.
    pub(super) text: String,
    /// Whether it looks up other objects.
    pub(super) looks_up: bool,
}

/// The name by which an expression may look up other objects, as in Kyverno.
pub(super) const RESOURCES: &str = bounds::RESOURCES;

static ENVIRONMENT: LazyLock<Result<Arc<Env>, String>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(true);
    let added = environment
        .add_extension(cel::extensions::strings)
        .and_then(|()| environment.add_extension(cel::extensions::lists))
        .and_then(|()| environment.add_extension(cel::extensions::math))
        .and_then(|()| environment.add_extension(cel::extensions::encoders))
        .and_then(|()| environment.add_extension(bounds::functions))
        .and_then(|()| environment.add_extension(functions::functions))
        .and_then(|()| environment.add_extension(lists::functions))
        .and_then(|()| environment.add_extension(network::functions))
        .and_then(|()| environment.add_extension(quantity::functions));
    added.map(|()| Arc::new(environment)).map_err(|error| error.to_string())
});

fn environment() -> Result<&'static Arc<Env>, String> {
    ENVIRONMENT.as_ref().map_err(Clone::clone)
}

impl Expression {
    /// Reads an expression in which `variables` may be named.
    ///
    /// # Errors
    /// What is wrong with it, or what it asks that has no answer here.
    pub(super) fn read(text: &str, variables: &[&str]) -> Result<Self, String> {
        let told = |why: String| format!("the expression `{}`: {why}", short(text));
        bounds::check_depth(text).map_err(told)?;
        let mut tree = environment()?.parser().parse(text).map_err(|errors| told(first_line(&errors.to_string())))?;
        let known = variables.iter().map(|name| (*name).to_owned()).collect();
        let mut names = Names { known, looks_up: false };
        names.check(&tree).map_err(told)?;
        bounds::bound(&mut tree);
        Ok(Self { tree, text: text.to_owned(), looks_up: names.looks_up })
    }
}

/// The beginning of a text, for messages.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// Names of types, which are values of their own.
const TYPES: [&str; 13] = [
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "optional_type",
    "dyn",
    "google",
];

/// Looks at the names of an expression.
struct Names {
    known: Vec<String>,
    looks_up: bool,
}

impl Names {
    fn check(&mut self, node: &IdedExpr) -> Result<(), String> {
        match &node.expr {
            Expr::Ident(name) => {
                if !self.known.contains(name) && !TYPES.contains(&name.as_str()) && !name.starts_with('@') {
                    return Err(format!("nothing is known about `{name}` here"));
                }
            }
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && name == "request"
                    && matches!(select.field.as_str(), "userInfo" | "options")
                {
                    return Err(format!("`request.{}` is not known before a change is applied", select.field));
                }
                self.check(&select.operand)?;
            }
            Expr::Call(call) => {
                let namespace = match call.target.as_deref().map(|target| &target.expr) {
                    Some(Expr::Ident(name)) if !self.known.contains(name) => Some(name),
                    _ => None,
                };
                let name = match namespace {
                    Some(namespace) => format!("{namespace}.{}", call.func_name),
                    None => call.func_name.clone(),
                };
                if let (Some(target), None) = (&call.target, namespace) {
                    self.check(target)?;
                }
                let looks_up = namespace.is_some_and(|namespace| namespace == "resource")
                    && bounds::RESOURCE_GET.contains(&call.func_name.as_str())
                    && self.known.iter().any(|known| known == RESOURCES);
                self.looks_up |= looks_up;
                if !looks_up && !functions::is_known(&name) {
                    return Err(format!("the function `{name}` is not available"));
                }
                call.args.iter().try_for_each(|argument| self.check(argument))?;
            }
            Expr::Comprehension(it) => {
                self.check(&it.iter_range)?;
                self.check(&it.accu_init)?;
                let before = self.known.len();
                self.known.extend([it.iter_var.clone(), it.accu_var.clone()]);
                for part in [&it.loop_cond, &it.loop_step, &it.result] {
                    self.check(part)?;
                }
                self.known.truncate(before);
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.check(element))?,
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.check(&entry.key)?;
                        self.check(&entry.value)?;
                    }
                }
            }
            Expr::Struct(it) => return Err(format!("the type `{}` is not available", it.type_name)),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
        Ok(())
    }
}

/// The values that expressions see.
pub(super) struct Scope<'p> {
    context: Context<'p, 'static>,
    /// What cannot be named because its own expression failed, and why.
    failed: Vec<(String, Failed)>,
    /// The expressions of variables, for those who look where a value comes from.
    definitions: Vec<(String, Arc<Expression>)>,
    /// What has a value in a cluster that is not known here, and why.
    unknown: Vec<(&'static str, String)>,
}

/// Why an expression comes to nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failed {
    /// It would fail in a cluster, too.
    Expression(String),
    /// There is no answer here.
    Unanswered(String),
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Truth(bool),
    Text(String),
    Other,
}

impl Scope<'_> {
    /// # Errors
    /// When the environment is broken, which is a mistake in this program.
    pub(super) fn new() -> Result<Self, String> {
        let context = Context::with_env(Arc::clone(environment()?));
        Ok(Self { context, failed: Vec::new(), definitions: Vec::new(), unknown: Vec::new() })
    }

    /// A scope in which further names can be given.
    pub(super) fn inner(&self) -> Scope<'_> {
        Scope {
            context: self.context.new_inner_scope(),
            failed: Vec::new(),
            definitions: Vec::new(),
            unknown: self.unknown.clone(),
        }
    }

    /// Gives a name to a value.
    pub(super) fn set(&mut self, name: &str, value: &Json) {
        self.context.add_variable_from_value(name, converted(value));
    }

    /// Says why a name has no value here: who names it has no answer.
    pub(super) fn set_unknown(&mut self, name: &'static str, why: String) {
        self.unknown.push((name, why));
    }

    /// Names `variables.NAME` after its expression. One that fails only fails where it is named.
    pub(super) fn define(&mut self, name: &str, expression: &Arc<Expression>) {
        let value = self.value(&expression.tree).map(CowVal::into_owned);
        match value {
            Ok(value) => self.context.add_variable_as_val(format!("variables.{name}"), value),
            Err(failed) => self.failed.push((name.to_owned(), failed)),
        }
        self.definitions.push((name.to_owned(), Arc::clone(expression)));
    }

    /// What an expression comes to.
    ///
    /// # Errors
    /// Why it comes to nothing.
    pub(super) fn evaluate(&self, expression: &Expression) -> Result<Outcome, Failed> {
        let value = self.value(&expression.tree)?;
        if let Some(truth) = value.downcast_ref::<CelBool>() {
            return Ok(Outcome::Truth(*truth.inner()));
        }
        match value.downcast_ref::<CelString>() {
            Some(text) => Ok(Outcome::Text(text.inner().to_owned())),
            None => Ok(Outcome::Other),
        }
    }

    fn value<'e>(&'e self, tree: &'e IdedExpr) -> Result<CowVal<'e, 'static>, Failed> {
        bounds::begin();
        let value = Value::resolve_val(tree, &self.context);
        if bounds::has_run_out() {
            return Err(Failed::Unanswered("it takes too much work".to_owned()));
        }
        value.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &ExecutionError) -> Failed {
        let mut told = match error {
            ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
            ExecutionError::UndeclaredReference(name) => {
                if let Some((_, why)) = self.unknown.iter().find(|(unknown, _)| *unknown == name.as_str()) {
                    return Failed::Unanswered(format!("`{name}`: {why}"));
                }
                format!("nothing is known about `{name}`")
            }
            error if bounds::not_found(error).is_some() => {
                return Failed::Unanswered(bounds::not_found(error).unwrap_or_default().to_owned());
            }
            ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
            other => first_line(&other.to_string()),
        };
        // The first variable that failed is the cause of the others.
        if let (ExecutionError::UndeclaredReference(name), Some((cause, why))) = (error, self.failed.first())
            && name.as_str() == "variables"
        {
            match why {
                Failed::Expression(why) => told = format!("`variables.{cause}` failed: {why}"),
                Failed::Unanswered(why) => return Failed::Unanswered(format!("`variables.{cause}`: {why}")),
            }
        }
        Failed::Expression(told)
    }
}

/// A value as Kubernetes hands it to CEL: whole numbers are `int`.
fn converted(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(items) => Value::List(items.iter().map(converted).collect::<Vec<_>>().into()),
        Json::Object(fields) => {
            let key = |key: &String| cel::objects::Key::String(Arc::new(key.clone()));
            let map = fields.iter().map(|(name, value)| (key(name), converted(value))).collect();
            Value::Map(cel::objects::Map { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::depth::with_room;

    fn evaluated(text: &str) -> Result<Outcome, String> {
        let mut scope = Scope::new().unwrap();
        scope.set(
            "object",
            &json!({"spec": {"replicas": 3, "none": null, "cpu": "500m", "list": [3, 1, 2], "ports": [{"port": 80}]}}),
        );
        let expression = Expression::read(text, &["object", "request", "variables"])?;
        scope.evaluate(&expression).map_err(|failed| match failed {
            Failed::Expression(why) | Failed::Unanswered(why) => why,
        })
    }

    #[test]
    fn expressions_mean_what_they_mean_in_kubernetes() {
        for text in [
            "object.spec.replicas + 1 == 4",
            "!has(object.spec.none.x)",
            "has(variables.anything)",
            "math.greatest(1, object.spec.replicas) == 3 && 'aXbX'.replace('X', '-') == 'a-b-' && 'aa'.replace('a', 'b', 1) == 'ba'",
            "!has(object.spec.missing) && object.spec.?missing.orValue(5) == 5",
            "object.spec.list.orValue([]).size() == 3",
            "object.spec.list.sum() == 6 && object.spec.list.min() == 1 && object.spec.list.max() == 3",
            "!object.spec.list.isSorted() && object.spec.list.sort() == [1, 2, 3]",
            "object.spec.list.indexOf(2) == 2 && object.spec.list.lastIndexOf(9) == -1",
            "quantity(object.spec.cpu).isLessThan(quantity('1')) && isQuantity('1Gi') && !isQuantity('x')",
            "quantity('1Gi').compareTo(quantity('1G')) == 1 && quantity('2k').asInteger() == 2000",
            "quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0 && quantity('1500m').asApproximateFloat() == 1.5",
            "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a'.find('x') == ''",
            "sets.contains([1, 2], [2]) && sets.intersects([1], [1, 3]) && sets.equivalent([1, 1], [1])",
            "url('https://example.com:80/a/b?x=1').getHost() == 'example.com:80' && isURL('https://a') && !isURL('a b')",
            "url('https://example.com:80/a').getHostname() == 'example.com' && url('https://a/b').getEscapedPath() == '/b'",
            "isIP('10.0.0.1') && !isIP('10.0.0') && !isIP('::ffff:1.2.3.4') && ip('10.0.0.1').family() == 4 && ip('127.0.0.1').isLoopback()",
            "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1')) && isCIDR('::/0')",
            "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.0.0.0/8').prefixLength() == 8",
            "object.spec.ports.all(p, p.port > 79) && object.spec.ports.exists(p, p.port == 80)",
            "'%s-%d'.format(['a', 1]) == 'a-1' && ['a', 'b'].join(',') == 'a,b' && 'A'.lowerAscii() == 'a'",
            "type(object.spec.replicas) == int && string(object.spec.replicas) == '3'",
        ] {
            assert_eq!(evaluated(text), Ok(Outcome::Truth(true)), "{text}");
        }
        assert_eq!(evaluated("'a' + 'b'"), Ok(Outcome::Text("ab".to_owned())));
        assert_eq!(evaluated("object.spec"), Ok(Outcome::Other));
        assert!(evaluated("object.spec.missing").is_err_and(|why| why.contains("no such key: missing")));
    }

    #[test]
    fn what_has_no_answer_is_named() {
        for (text, expected) in [
            ("authorizer.group('').resource('pods').check('get').allowed()", "`authorizer"),
            ("request.userInfo.username == 'a'", "`request.userInfo`"),
            ("resource.Get('v1', 'pods', 'a', 'b') == 1", "`resource.Get`"),
            ("object.frobnicate()", "`frobnicate`"),
            ("object.spec.all(x, y)", "`y`"),
            ("object.(", "expression"),
        ] {
            let refused = evaluated(text);
            assert!(refused.as_ref().is_err_and(|why| why.contains(expected)), "{text}: {refused:?}");
        }
    }

    #[test]
    fn work_and_depth_are_bounded() {
        let nested = |inner: &str| {
            let ranges = "lists.range(100).all(x, ".repeat(5);
            format!("{ranges}{inner}{}", ")".repeat(5))
        };
        assert!(evaluated(&nested("true")).is_err_and(|why| why.contains("too much work")));
        let absorbed = format!("true || {}", nested("true"));
        assert_eq!(evaluated(&absorbed), Ok(Outcome::Truth(true)));
        let doubled = "lists.range(60).map(x, 'aaaaaaaaaaaaaaaa' + string(x))".to_owned();
        assert!(evaluated(&doubled).is_ok());
        let mut scope = Scope::new().unwrap();
        scope.set("variables.v0", &json!("a".repeat(64)));
        for n in 1..60 {
            let text = format!("variables.v{0} + variables.v{0}", n - 1);
            let expression = Arc::new(Expression::read(&text, &["variables"]).unwrap());
            scope.define(&format!("v{n}"), &expression);
        }
        let last = Expression::read("variables.v59 == ''", &["variables"]).unwrap();
        assert!(matches!(scope.evaluate(&last), Err(Failed::Unanswered(_))));
        for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("1+", ""), ("a.", "")] {
            let text = format!("{}x{}", open.repeat(50_000), close.repeat(50_000));
            assert!(evaluated(&text).is_err(), "{open}");
            for n in [90, 190, 390] {
                let text = format!("{}object{}", open.repeat(n), close.repeat(n));
                // What it says of what is not too deep is its own affair, as long as it says anything.
                let _ = with_room(|| evaluated(&text)).unwrap();
            }
        }
        for text in ["'''a'b''' + ((((", "r'\\' + ((", "'a' // '\n + 1", "\"\\\"\" + \"(\" == ''"] {
            let _ = evaluated(text);
        }
    }
}
