//! What the crate does otherwise than Kubernetes: it has no bounds, `has(null.x)` fails in it, and so does `orValue` of what is not
//! optional. Expressions are rewritten after they are read.

#![expect(clippy::needless_pass_by_value, reason = "it is the crate's type of a function")]

use std::cell::Cell;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::{CelBool, CelInt, CelOptional, CelString, DYN_TYPE, Kind, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use crate::policy::deadline;
use crate::policy::depth::Depth;

/// How much work one expression may take, in values that are copied or looked at. Kubernetes has a budget of its own units of the same
/// order.
const MOST_WORK: u64 = 500_000;
/// How many bytes of text are one value.
const TEXT: usize = 64;
/// The functions that are put into an expression; no expression can call them itself.
const SPEND: &str = "@spend";
const HAS: &str = "@has";
const OR_VALUE: &str = "@orValue";
const REPLACE: &str = "@replace";
const LOOK_UP: &str = "@lookUp";
/// The variable that holds what expressions of Kyverno can look up, by `API version/plural/namespace/name`.
pub(super) const RESOURCES: &str = "@resources";
/// As Kyverno names it, in older versions and in newer ones.
pub(super) const RESOURCE_GET: [&str; 2] = ["Get", "get"];

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(MOST_WORK) };
}

/// Begins the work of one expression.
pub(super) fn begin() {
    LEFT.set(MOST_WORK);
}

/// Whether the work that has begun was too much.
pub(super) fn has_run_out() -> bool {
    LEFT.get() == 0
}

pub(super) fn exhausted() -> ExecutionError {
    ExecutionError::function_error("work", "it takes too much work")
}

/// Takes the work of a value from what is left.
fn spend<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    let mut left = LEFT.get();
    take(value.as_ref(), &mut left);
    if deadline::is_over() {
        left = 0;
    }
    LEFT.set(left);
    if left == 0 { Err(exhausted()) } else { Ok(value) }
}

/// Takes one for each value that is held, until nothing is left. The values of an object are as deep as YAML may be.
fn take(value: &dyn Val, left: &mut u64) {
    *left = left.saturating_sub(1);
    if let Some(text) = value.downcast_ref::<CelString>() {
        *left = left.saturating_sub((text.inner().len() / TEXT) as u64);
    } else if value.get_type().kind() == Kind::List
        && let Some(list) = value.as_iterable()
    {
        let mut items = list.iter();
        while *left > 0
            && let Some(item) = items.next()
        {
            take(item, left);
        }
    } else if let Some(sizer) = value.as_sizer() {
        // What a map holds is at most what was in an object.
        *left = left.saturating_sub(sizer.size().inner().unsigned_abs());
    }
}

/// `has(OPERAND.FIELD)`, which is false for `null`, as in Kubernetes.
fn has<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, field] = arguments.as_slice() else { return Err(ExecutionError::missing_argument_or_target()) };
    let is_there = match value.as_indexer() {
        Some(indexer) => match indexer.get(field.as_ref()) {
            Ok(_) => true,
            Err(ExecutionError::NoSuchKey(_)) => false,
            Err(error) => return Err(error),
        },
        None if value.get_type().kind() == Kind::NullType => false,
        None => return Err(ExecutionError::no_such_overload("has", vec![value.get_type().name().to_owned()])),
    };
    Ok(CowVal::owned(CelBool::from(is_there)))
}

/// `replace`, which accounts for its result before it is made.
fn replace<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = |at: usize| arguments.get(at).and_then(|it| it.downcast_ref::<CelString>()).map(CelString::inner);
    let (Some(whole), Some(old), Some(new)) = (text(0), text(1), text(2)) else {
        return Err(ExecutionError::no_such_overload("replace", Vec::new()));
    };
    let most =
        arguments.get(3).and_then(|it| it.downcast_ref::<CelInt>()).and_then(|it| usize::try_from(*it.inner()).ok());
    let size = (whole.len() + 1).saturating_mul(new.len() + 1) / TEXT;
    let left = LEFT.get().saturating_sub(size as u64);
    LEFT.set(left);
    if left == 0 {
        return Err(exhausted());
    }
    let replaced = most.map_or_else(|| whole.replace(old, new), |most| whole.replacen(old, new, most));
    Ok(CowVal::owned(CelString::from(replaced)))
}

/// `resource.Get(API version, plural, namespace, name)`.
fn look_up<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = |at: usize| arguments.get(at).and_then(|it| it.downcast_ref::<CelString>()).map(CelString::inner);
    let (Some(resources), Some(api_version), Some(plural), Some(namespace), Some(name)) =
        (arguments.first(), text(1), text(2), text(3), text(4))
    else {
        return Err(ExecutionError::no_such_overload("resource.Get", Vec::new()));
    };
    let missing = || {
        let what = format!("`{name}` of the {plural} ({api_version}) in the namespace `{namespace}`");
        let why = format!("{what} is neither in the folder of the policies nor rendered beside the object");
        ExecutionError::function_error(LOOK_UP, why)
    };
    let indexer = resources.as_indexer().ok_or_else(missing)?;
    // What is written without a namespace may be in any.
    let found = [namespace, ""].iter().find_map(|place| {
        let key = CelString::from(format!("{api_version}/{plural}/{place}/{name}"));
        indexer.get(&key).ok().map(CowVal::into_owned)
    });
    found.map(CowVal::Owned).ok_or_else(missing)
}

/// Why something that is looked up is not there; `None` where an expression fails for another reason.
pub(super) fn not_found(error: &ExecutionError) -> Option<&str> {
    match error {
        ExecutionError::FunctionError { function, message } if function == LOOK_UP => Some(message),
        _ => None,
    }
}

/// `orValue`. What is not optional is the value itself, as in the versions of CEL that published policies were written for.
fn or_value<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, other] = <[_; 2]>::try_from(arguments).map_err(|_| ExecutionError::missing_argument_or_target())?;
    match value.downcast_ref::<CelOptional>().map(|optional| optional.option().map(Val::clone_as_boxed)) {
        None => Ok(value),
        Some(Some(held)) => Ok(CowVal::Owned(held)),
        Some(None) => Ok(other),
    }
}

pub(super) fn functions(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_overload(SPEND, "spend", vec![DYN_TYPE], spend)?;
    environment.add_overload(HAS, "has", vec![DYN_TYPE, STRING_TYPE], has)?;
    environment.add_overload(LOOK_UP, "lookUp", vec![DYN_TYPE, DYN_TYPE, DYN_TYPE, DYN_TYPE, DYN_TYPE], look_up)?;
    environment.add_overload(REPLACE, "replace", vec![DYN_TYPE, DYN_TYPE, DYN_TYPE], replace)?;
    environment.add_overload(REPLACE, "replace(int)", vec![DYN_TYPE, DYN_TYPE, DYN_TYPE, DYN_TYPE], replace)?;
    environment.add_overload(OR_VALUE, "orValue", vec![DYN_TYPE, DYN_TYPE], or_value)
}

/// Makes an expression account for what it walks through and for what it puts together.
pub(super) fn bound(node: &mut IdedExpr) {
    let id = node.id;
    match &mut node.expr {
        Expr::Call(call) => {
            let is_resource =
                matches!(call.target.as_deref().map(|it| &it.expr), Some(Expr::Ident(name)) if name == "resource");
            if is_resource && RESOURCE_GET.contains(&call.func_name.as_str()) {
                LOOK_UP.clone_into(&mut call.func_name);
                call.args.insert(0, IdedExpr { id, expr: Expr::Ident(RESOURCES.to_owned()) });
                call.target = None;
            }
            if let Some(target) = &mut call.target {
                bound(target);
            }
            call.args.iter_mut().for_each(bound);
            let own = match call.func_name.as_str() {
                "orValue" => Some(OR_VALUE),
                "replace" => Some(REPLACE),
                _ => None,
            };
            if let (Some(own), Some(target)) = (own, call.target.take_if(|_| own.is_some())) {
                call.args.insert(0, *target);
                own.clone_into(&mut call.func_name);
            }
            let is_counted = call.func_name == operators::ADD || !call.func_name.starts_with(['_', '!', '-', '@']);
            if is_counted {
                counted(node);
            }
        }
        Expr::Comprehension(it) => {
            bound(&mut it.iter_range);
            counted(&mut it.iter_range);
            bound(&mut it.accu_init);
            bound_step(&mut it.loop_step, &it.accu_var);
            for part in [&mut it.loop_cond, &mut it.result] {
                bound(part);
            }
        }
        Expr::List(list) => {
            for element in &mut list.elements {
                bound(element);
                counted(element);
            }
        }
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    bound(&mut entry.key);
                    bound(&mut entry.value);
                    counted(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => {
            bound(&mut select.operand);
            if select.test && matches!(&select.operand.expr, Expr::Ident(name) if name == "variables") {
                // A variable that is declared is there, whatever its value.
                node.expr = Expr::Literal(LiteralValue::Boolean(true.into()));
            } else if select.test {
                let operand = std::mem::take(&mut *select.operand);
                let field = LiteralValue::String(std::mem::take(&mut select.field).into());
                let field = IdedExpr { id, expr: Expr::Literal(field) };
                node.expr =
                    Expr::Call(CallExpr { func_name: HAS.to_owned(), target: None, args: vec![operand, field] });
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

/// The step of a `map` or `filter` appends to its list, which the crate does without a copy as long as it looks like that.
fn bound_step(node: &mut IdedExpr, list: &str) {
    let is_list = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == list);
    match &mut node.expr {
        Expr::Call(call) if call.func_name == operators::ADD && call.args.first().is_some_and(is_list) => {
            call.args.iter_mut().skip(1).for_each(bound);
        }
        Expr::Call(call) if call.func_name == operators::CONDITIONAL && call.args.iter().skip(2).any(is_list) => {
            for (at, argument) in call.args.iter_mut().enumerate() {
                if at == 0 { bound(argument) } else { bound_step(argument, list) }
            }
        }
        _ => bound(node),
    }
}

/// Puts `@spend` around an expression.
fn counted(node: &mut IdedExpr) {
    let inner = std::mem::take(node);
    let id = inner.id;
    *node =
        IdedExpr { id, expr: Expr::Call(CallExpr { func_name: SPEND.to_owned(), target: None, args: vec![inner] }) };
}

/// What `@spend` stands around.
pub(super) fn uncounted(node: &IdedExpr) -> &IdedExpr {
    match &node.expr {
        Expr::Call(call) if call.func_name == SPEND => call.args.first().map_or(node, uncounted),
        _ => node,
    }
}

/// What `orValue` is asked of.
pub(super) fn optional(node: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(call) = &node.expr else { return None };
    call.args.first().filter(|_| call.func_name == OR_VALUE)
}

/// The operand and the field of `has(OPERAND.FIELD)`.
pub(super) fn tested(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    let Expr::Call(call) = &node.expr else { return None };
    let (HAS, [operand, field]) = (call.func_name.as_str(), call.args.as_slice()) else { return None };
    match &field.expr {
        Expr::Literal(LiteralValue::String(field)) => Some((operand, field.inner())),
        _ => None,
    }
}

/// How large an expression may be.
const MOST_BYTES: usize = 1 << 16;

/// The parser and the interpreter walk expressions by recursion.
pub(super) fn check_depth(text: &str) -> Result<(), String> {
    if text.len() > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes"));
    }
    let mut depth = Depth::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '"' | '\'' => string_length(rest, false),
            _ if character.is_alphanumeric() || character == '_' => {
                let word = rest.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap_or_default();
                let after = rest.get(word.len()..).unwrap_or_default();
                let is_prefix = matches!(word, "r" | "R" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB");
                let is_raw = is_prefix && after.starts_with(['"', '\'']);
                word.len() + if is_raw { string_length(after, true) } else { 0 }
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '(' | '[' | '{' => {
                depth.link();
                depth.open();
                1
            }
            ')' | ']' | '}' => {
                depth.close();
                1
            }
            ',' => {
                depth.separate();
                1
            }
            _ if character.is_whitespace() => character.len_utf8(),
            '&' | '|' | '?' | ':' => {
                depth.join();
                if rest.starts_with("&&") || rest.starts_with("||") { 2 } else { 1 }
            }
            _ => {
                depth.link();
                character.len_utf8()
            }
        };
        depth.check()?;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// The length of the string that a text begins with.
fn string_length(text: &str, is_raw: bool) -> usize {
    let quote = text.get(..1).unwrap_or_default();
    let tripled = quote.repeat(3);
    let end = if text.starts_with(&tripled) { tripled.as_str() } else { quote };
    let mut at = end.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(end) {
            return at + end.len();
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let next = rest.get(first..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        at += if rest.starts_with('\\') && !is_raw { first + next } else { first };
    }
    text.len()
}
