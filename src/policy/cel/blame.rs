//! Which field of the object makes an expression false: the one whose line is to be edited.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::CelBool;
use cel::{Context, Value};

use super::bounds::{optional, tested, uncounted};
use super::{Expression, Scope};
use crate::yaml::pointer_token;

/// How many parts of expressions are looked at.
const MOST: usize = 2_000;
/// The variable that stands for the object.
const OBJECT: &str = "object";

/// How many fields are told.
const MOST_FIELDS: usize = 50;

/// The JSON pointers of the fields that an expression is false about: in a list, of every item that makes it false.
pub(in crate::policy) fn blamed(expression: &Expression, scope: &Scope<'_>) -> Vec<String> {
    let mut search = Search { scope, left: MOST };
    let object = Bound { name: OBJECT, path: String::new(), outer: None };
    let mut fields = search.at_fault(&expression.tree, &scope.context, &object, false);
    fields.retain(|path| !path.is_empty());
    fields.dedup();
    fields.truncate(MOST_FIELDS);
    fields
}

/// A name, and where in the object its value is.
struct Bound<'a> {
    name: &'a str,
    path: String,
    outer: Option<&'a Bound<'a>>,
}

struct Search<'a> {
    scope: &'a Scope<'a>,
    left: usize,
}

type Variables<'p> = Context<'p, 'static>;

impl Search<'_> {
    /// The fields because of which an expression has this value.
    fn at_fault(&mut self, node: &IdedExpr, variables: &Variables<'_>, bound: &Bound<'_>, is: bool) -> Vec<String> {
        if !self.goes_on() {
            return Vec::new();
        }
        let node = uncounted(node);
        if let Some(definition) = self.definition(node) {
            let object = Bound { name: OBJECT, path: String::new(), outer: None };
            return self.at_fault(&definition.tree, &self.scope.context, &object, is);
        }
        match &node.expr {
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_NOT, [inner]) => self.at_fault(inner, variables, bound, !is),
                (operators::LOGICAL_AND, operands) => self.of_operands(operands, variables, bound, is, false),
                (operators::LOGICAL_OR, operands) => self.of_operands(operands, variables, bound, is, true),
                (operators::CONDITIONAL, [condition, then, otherwise]) => {
                    let branch = match truth(condition, variables) {
                        Some(true) => self.at_fault(then, variables, bound, is),
                        Some(false) => self.at_fault(otherwise, variables, bound, is),
                        None => Vec::new(),
                    };
                    if branch.is_empty() { self.mentioned(condition, bound).into_iter().collect() } else { branch }
                }
                _ => self.mentioned(node, bound).into_iter().collect(),
            },
            Expr::Comprehension(it) => {
                let items = self.of_items(it, variables, bound, is).unwrap_or_default();
                if items.is_empty() { self.mentioned(&it.iter_range, bound).into_iter().collect() } else { items }
            }
            _ => self.mentioned(node, bound).into_iter().collect(),
        }
    }

    fn goes_on(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// Of `&&` and `||`: `decides` is the value by which one operand decides.
    fn of_operands(
        &mut self,
        operands: &[IdedExpr],
        variables: &Variables<'_>,
        bound: &Bound<'_>,
        is: bool,
        decides: bool,
    ) -> Vec<String> {
        let with = |value: Option<bool>| operands.iter().filter(|it| truth(it, variables) == value).collect::<Vec<_>>();
        let at_fault = if is == decides {
            // One that fails only counts where none decides.
            [with(Some(decides)), with(None)].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
        } else {
            operands.iter().collect()
        };
        let fields: Vec<Vec<String>> =
            at_fault.into_iter().map(|operand| self.at_fault(operand, variables, bound, is)).collect();
        if is == decides {
            return fields.concat();
        }
        // All of them have a part in it: the one that is told most exactly.
        let exactness = |fields: &Vec<String>| fields.first().map_or(0, |path| path.matches('/').count());
        fields.into_iter().rev().max_by_key(exactness).unwrap_or_default()
    }

    /// Of `all` and `exists`: the items that decide.
    fn of_items(
        &mut self,
        it: &ComprehensionExpr,
        variables: &Variables<'_>,
        bound: &Bound<'_>,
        is: bool,
    ) -> Option<Vec<String>> {
        let Expr::Call(step) = &it.loop_step.expr else { return None };
        let decides = match step.func_name.as_str() {
            operators::LOGICAL_AND => false,
            operators::LOGICAL_OR => true,
            _ => return None,
        };
        let predicate = step.args.last().filter(|_| is == decides)?;
        let paths = self.items(&it.iter_range, variables, bound)?;
        let list = Value::resolve_val(&it.iter_range, variables).ok()?;
        let mut items = list.as_iterable()?.iter();
        let mut fields = Vec::new();
        for path in paths {
            let Some(item) = items.next().filter(|_| self.goes_on() && fields.len() < MOST_FIELDS) else { break };
            let mut inner = variables.new_inner_scope();
            inner.add_variable_as_val(&it.iter_var, item.clone_as_boxed());
            if truth(predicate, &inner) != Some(!decides) {
                let item = Bound { name: &it.iter_var, path: path.clone(), outer: Some(bound) };
                let found = self.at_fault(predicate, &inner, &item, is);
                fields.extend(if found.is_empty() { vec![path] } else { found });
            }
        }
        Some(fields)
    }

    /// Where the items of a list, or the keys of a map, are.
    fn items(&mut self, node: &IdedExpr, variables: &Variables<'_>, bound: &Bound<'_>) -> Option<Vec<String>> {
        self.left = self.left.checked_sub(1)?;
        let node = uncounted(node);
        if let Some(definition) = self.definition(node) {
            let object = Bound { name: OBJECT, path: String::new(), outer: None };
            return self.items(&definition.tree, &self.scope.context, &object);
        }
        if let Expr::Call(call) = &node.expr
            && call.func_name == operators::ADD
        {
            let parts: Option<Vec<_>> = call.args.iter().map(|part| self.items(part, variables, bound)).collect();
            return Some(parts?.concat());
        }
        if let Expr::Comprehension(it) = &node.expr {
            return self.kept_items(it, variables, bound);
        }
        let path = self.path(node, bound)?;
        let value = Value::resolve_val(node, variables).ok()?;
        let is_map = value.get_type().kind() == cel::common::types::Kind::Map;
        let mut from = value.as_iterable()?.iter();
        let mut found = Vec::new();
        while let Some(item) = from.next() {
            self.left = self.left.checked_sub(1)?;
            let step = match item.downcast_ref::<cel::common::types::CelString>() {
                Some(key) if is_map => pointer_token(key.inner()),
                _ => found.len().to_string(),
            };
            found.push(format!("{path}/{step}"));
        }
        Some(found)
    }

    /// Where the items are that a `filter` keeps, or what a `map` makes of them.
    fn kept_items(
        &mut self,
        it: &ComprehensionExpr,
        variables: &Variables<'_>,
        bound: &Bound<'_>,
    ) -> Option<Vec<String>> {
        let Expr::Call(step) = &it.loop_step.expr else { return None };
        let paths = self.items(&it.iter_range, variables, bound)?;
        if let (operators::ADD, Some(Expr::List(mapped))) =
            (step.func_name.as_str(), step.args.get(1).map(|added| &added.expr))
        {
            let mapped = mapped.elements.first()?;
            let of_item = |path: String| {
                let item = Bound { name: &it.iter_var, path: path.clone(), outer: Some(bound) };
                self.path(mapped, &item).unwrap_or(path)
            };
            return Some(paths.into_iter().map(of_item).collect());
        }
        let (operators::CONDITIONAL, Some(predicate)) = (step.func_name.as_str(), step.args.first()) else {
            return None;
        };
        let list = Value::resolve_val(&it.iter_range, variables).ok()?;
        let mut items = list.as_iterable()?.iter();
        let mut kept = Vec::new();
        for path in paths {
            let item = items.next()?;
            let mut inner = variables.new_inner_scope();
            inner.add_variable_as_val(&it.iter_var, item.clone_as_boxed());
            if truth(predicate, &inner) == Some(true) {
                kept.push(path);
            }
        }
        Some(kept)
    }

    /// The first field that an expression mentions.
    fn mentioned(&mut self, node: &IdedExpr, bound: &Bound<'_>) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        let node = uncounted(node);
        if let Some(path) = self.path(node, bound).filter(|path| !path.is_empty()) {
            return Some(path);
        }
        match &node.expr {
            Expr::Call(call) => {
                let parts: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
                parts.into_iter().find_map(|part| self.mentioned(part, bound))
            }
            Expr::Comprehension(it) => self.mentioned(&it.iter_range, bound),
            Expr::Select(select) => self.mentioned(&select.operand, bound),
            Expr::List(list) => list.elements.iter().find_map(|element| self.mentioned(element, bound)),
            _ => None,
        }
    }

    /// Where in the object the value of an expression is, or what it is computed from.
    fn path(&mut self, node: &IdedExpr, bound: &Bound<'_>) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        let node = uncounted(node);
        if let Some(definition) = self.definition(node) {
            let object = Bound { name: OBJECT, path: String::new(), outer: None };
            return self.path(&definition.tree, &object);
        }
        if let Some((operand, field)) = tested(node) {
            return Some(format!("{}/{}", self.path(operand, bound)?, pointer_token(field)));
        }
        if let Some(inner) = optional(node) {
            return self.path(inner, bound);
        }
        match &node.expr {
            // What Gatekeeper calls the object.
            Expr::Select(select) if select.field == "anyObject" && is_variables(&select.operand) => Some(String::new()),
            Expr::Ident(name) => {
                let mut all = std::iter::successors(Some(bound), |bound| bound.outer);
                all.find(|bound| bound.name == name).map(|bound| bound.path.clone())
            }
            Expr::Select(select) => {
                Some(format!("{}/{}", self.path(&select.operand, bound)?, pointer_token(&select.field)))
            }
            Expr::Call(CallExpr { func_name, target: Some(target), .. }) if func_name != "map" => {
                self.path(target, bound)
            }
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [operand, key]) => {
                    let step = match &uncounted(key).expr {
                        Expr::Literal(LiteralValue::String(key)) => pointer_token(key.inner()),
                        Expr::Literal(LiteralValue::Int(index)) => index.inner().to_string(),
                        _ => return self.path(operand, bound),
                    };
                    Some(format!("{}/{step}", self.path(operand, bound)?))
                }
                (
                    "size" | "string" | "int" | "double" | "quantity" | "dyn" | "duration" | "url" | "ip" | "cidr",
                    [inner],
                ) => self.path(inner, bound),
                _ => None,
            },
            _ => None,
        }
    }

    /// The expression of `variables.NAME`.
    fn definition(&self, node: &IdedExpr) -> Option<std::sync::Arc<Expression>> {
        let Expr::Select(select) = &node.expr else { return None };
        let Expr::Ident(name) = &select.operand.expr else { return None };
        let is_asked = name == "variables" && !select.test;
        let mut all = self.scope.definitions.iter().rev().filter(|_| is_asked);
        all.find(|(name, _)| *name == select.field).map(|(_, expression)| std::sync::Arc::clone(expression))
    }
}

fn is_variables(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == "variables")
}

fn truth(node: &IdedExpr, variables: &Variables<'_>) -> Option<bool> {
    let value = Value::resolve_val(node, variables).ok()?;
    value.downcast_ref::<CelBool>().map(|truth| *truth.inner())
}
