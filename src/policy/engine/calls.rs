//! Which functions of a policy call which. One that calls itself, by whatever way, would end the process: regorus does not stop it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Query, Rule, RuleHead};

use super::team::reference;

/// The path of a function that calls itself, such as `main.f`.
pub(super) fn recursive<'a>(modules: impl Iterator<Item = &'a Module>) -> Option<String> {
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules {
        let Some(package) = reference(&module.package.refr) else { continue };
        let imported = imports(module);
        for rule in &module.policy {
            let Rule::Spec { head: RuleHead::Func { refr, assign, .. }, bodies, .. } = &**rule else { continue };
            let Some(name) = reference(refr) else { continue };
            let mut called = BTreeSet::new();
            let mut note = |expression: &Expr| {
                if let Expr::Call { fcn, .. } = expression {
                    called.extend(reference(fcn).map(|name| absolute(&name, &package, &imported)));
                }
            };
            for assign in assign.iter().chain(bodies.iter().filter_map(|body| body.assign.as_ref())) {
                each(&assign.value, &mut note);
            }
            for body in bodies {
                each_in(&body.query, &mut note);
            }
            calls.entry(format!("{package}.{name}")).or_default().extend(called);
        }
    }
    calls.keys().find(|start| reaches_itself(start, &calls)).cloned()
}

/// What imported names stand for.
fn imports(module: &Module) -> BTreeMap<String, String> {
    let imports = module.imports.iter().filter_map(|import| {
        let path = reference(&import.refr)?;
        let alias = import.r#as.as_ref().map(|alias| alias.text().to_owned());
        let name = alias.or_else(|| path.rsplit('.').next().map(str::to_owned))?;
        Some((name, path))
    });
    imports.collect()
}

/// A called name as a path below `data`.
fn absolute(name: &str, package: &str, imported: &BTreeMap<String, String>) -> String {
    if let Some(path) = name.strip_prefix("data.") {
        return path.to_owned();
    }
    match name.split_once('.') {
        None => imported
            .get(name)
            .map_or_else(|| format!("{package}.{name}"), |path| path.trim_start_matches("data.").to_owned()),
        Some((first, rest)) => match imported.get(first) {
            Some(path) => format!("{}.{rest}", path.trim_start_matches("data.")),
            // A built-in, such as `regex.match`.
            None => name.to_owned(),
        },
    }
}

fn reaches_itself(start: &str, calls: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut pending: Vec<&str> = calls.get(start).into_iter().flatten().map(String::as_str).collect();
    while let Some(name) = pending.pop() {
        if name == start {
            return true;
        }
        if seen.insert(name) {
            pending.extend(calls.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

fn each_in(query: &Query, visit: &mut dyn FnMut(&Expr)) {
    for statement in &query.stmts {
        match &statement.literal {
            Literal::SomeIn { collection, value, .. } => {
                each(value, visit);
                each(collection, visit);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => each(expr, visit),
            Literal::Every { domain, query, .. } => {
                each(domain, visit);
                each_in(query, visit);
            }
            Literal::SomeVars { .. } => {}
        }
        for modifier in &statement.with_mods {
            each(&modifier.r#as, visit);
        }
    }
}

fn each(expression: &Expr, visit: &mut dyn FnMut(&Expr)) {
    visit(expression);
    match expression {
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            for item in items {
                each(item, visit);
            }
        }
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                each(key, visit);
                each(value, visit);
            }
        }
        Expr::ArrayCompr { query, term, .. } | Expr::SetCompr { query, term, .. } => {
            each(term, visit);
            each_in(query, visit);
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            each(key, visit);
            each(value, visit);
            each_in(query, visit);
        }
        Expr::Call { params, .. } => {
            for parameter in params {
                each(parameter, visit);
            }
        }
        Expr::UnaryExpr { expr, .. } => each(expr, visit),
        Expr::RefDot { refr, .. } => each(refr, visit),
        Expr::RefBrack { refr, index, .. } => {
            each(refr, visit);
            each(index, visit);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            each(lhs, visit);
            each(rhs, visit);
        }
        Expr::Membership { value, collection, .. } => {
            each(value, visit);
            each(collection, visit);
        }
        _ => {}
    }
}
