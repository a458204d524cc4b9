//! Whether all that a rule uses is available here.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use super::conditions::is_operator;
use super::variables::{found_in, inside};
use crate::policy::jmespath::Expression;
use crate::policy::review::text;

/// What only the API server knows about a request.
const UNKNOWN: [&str; 5] =
    ["request.userInfo", "request.roles", "request.clusterRoles", "serviceAccountName", "serviceAccountNamespace"];

/// Names what a rule uses that is not available: before it lands, and not when it is first needed.
pub(super) fn check_parts(part: &Json) -> Result<(), String> {
    for entry in part.get("context").and_then(Json::as_array).into_iter().flatten() {
        let name = text(entry, "/name");
        for unavailable in ["apiCall", "imageRegistry", "globalReference"] {
            if entry.get(unavailable).is_some() {
                return Err(format!(
                    "its context `{name}` asks a cluster or a registry (`{unavailable}`), which is not available"
                ));
            }
        }
    }
    check_conditions(part.get("preconditions").unwrap_or(&Json::Null))?;
    let validate = part.get("validate").unwrap_or(part);
    check_conditions(validate.pointer("/deny/conditions").unwrap_or(&Json::Null))?;
    for inner in validate.get("foreach").and_then(Json::as_array).into_iter().flatten() {
        if let Some(list) = inner.get("list").and_then(Json::as_str).filter(|list| !list.contains("{{")) {
            Expression::read(list)?;
        }
        check_parts(inner)?;
    }
    check_texts(part)
}

pub(super) fn check_conditions(conditions: &Json) -> Result<(), String> {
    match conditions {
        Json::Array(items) => items.iter().try_for_each(check_conditions),
        Json::Object(fields) => {
            if let Some(operator) = fields.get("operator").and_then(Json::as_str)
                && !is_operator(operator)
            {
                return Err(format!("the operator `{operator}` is not known"));
            }
            ["any", "all"].iter().filter_map(|name| fields.get(*name)).try_for_each(check_conditions)
        }
        _ => Ok(()),
    }
}

static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:^|[^\\])\$\([./][^ ]*\)").ok());

/// Looks at the variables of all texts.
pub(super) fn check_texts(value: &Json) -> Result<(), String> {
    match value {
        Json::String(text) => {
            if text.contains("{{") {
                check_known(text)?;
            }
            if REFERENCE.as_ref().is_some_and(|reference| reference.is_match(text)) {
                return Err(format!("references such as `{text}` are not available"));
            }
            for variable in found_in(text) {
                let (expression, _) = inside(variable);
                // What is built of other variables is only known when it is needed.
                if expression != "@" && found_in(text).len() == text.matches("{{").count() {
                    Expression::read(expression)?;
                }
            }
            Ok(())
        }
        Json::Array(items) => items.iter().try_for_each(check_texts),
        Json::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            if matches!(key.as_str(), "jmesPath" | "list") {
                check_known(value.as_str().unwrap_or_default())?;
            }
            check_texts(value)
        }),
        _ => Ok(()),
    }
}

/// Whether an expression asks only what is known.
fn check_known(expression: &str) -> Result<(), String> {
    let plain = expression.replace(['"', ' '], "");
    match UNKNOWN.iter().find(|unknown| plain.contains(**unknown)) {
        Some(unknown) => Err(format!("`{unknown}` is not known before a change is applied")),
        None => Ok(()),
    }
}
