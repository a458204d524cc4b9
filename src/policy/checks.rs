//! What all policies in CEL have: match conditions, variables, validations
//! (<https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>).

use std::sync::Arc;

use serde_json::Value as Json;

use super::cel::{Expression, Failed, Outcome, RESOURCES, Scope, blamed, short};
use super::review::text;

/// Conditions, variables and validations, ready to be asked.
pub(super) struct Checks {
    conditions: Conditions,
    variables: Vec<(String, Arc<Expression>)>,
    validations: Vec<Validation>,
    /// Whether an expression that fails does not deny.
    ignores_failures: bool,
    /// Whether an expression looks up other objects.
    pub(super) looks_up: bool,
}

struct Validation {
    expression: Expression,
    message: Option<String>,
    message_expression: Option<Expression>,
}

/// What a validation has denied.
#[derive(Debug, PartialEq)]
pub(super) struct Denied {
    pub(super) message: String,
    /// The field that it is about, as a JSON pointer.
    pub(super) field: Option<String>,
}

/// What every expression may name.
const NAMES: [&str; 6] = ["object", "oldObject", "request", "params", "namespaceObject", "variables"];
/// What expressions of Kyverno may name besides.
const NAMES_OF_KYVERNO: [&str; 7] =
    ["object", "oldObject", "request", "params", "namespaceObject", "variables", RESOURCES];

/// Whose expressions they are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Dialect {
    Kubernetes,
    Kyverno,
}

impl Dialect {
    fn names(self) -> &'static [&'static str] {
        if self == Self::Kyverno { &NAMES_OF_KYVERNO } else { &NAMES }
    }
}

/// Conditions by themselves.
pub(super) struct Conditions(Vec<Expression>);

impl Conditions {
    /// Reads `matchConditions`.
    ///
    /// # Errors
    /// What is wrong with an expression, or what it asks that has no answer here.
    pub(super) fn read(spec: &Json, dialect: Dialect) -> Result<Self, String> {
        let entries = spec.get("matchConditions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let read = |entry: &Json| match entry.get("expression").and_then(Json::as_str) {
            Some(expression) => Expression::read(expression, dialect.names()),
            None => Err("an entry has no `expression`".to_owned()),
        };
        entries.iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// Whether all of them hold. One that fails does not.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn hold(&self, scope: &Scope<'_>) -> Result<bool, String> {
        for condition in &self.0 {
            match scope.evaluate(condition) {
                Ok(Outcome::Truth(true)) => {}
                Err(Failed::Unanswered(why)) => return Err(why),
                Ok(_) | Err(Failed::Expression(_)) => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Checks {
    /// Reads `matchConditions`, `variables`, `validations` and `failurePolicy`, as they are in a `ValidatingAdmissionPolicy`.
    /// `validations` is the list where it goes by another name.
    ///
    /// # Errors
    /// What is wrong with an expression, or what it asks that has no answer here.
    pub(super) fn read(spec: &Json, validations: &str, dialect: Dialect) -> Result<Self, String> {
        let list = |name: &str| spec.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let read = |entry: &Json, name: &str| match entry.get(name).and_then(Json::as_str) {
            Some(expression) => Expression::read(expression, dialect.names()),
            None => Err(format!("an entry has no `{name}`")),
        };
        let conditions = Conditions::read(spec, dialect)?;
        let variables = list("variables").iter().map(|entry| {
            let expression = read(entry, "expression")?;
            Ok((text(entry, "/name").to_owned(), Arc::new(expression)))
        });
        let all = list(validations).iter().map(|entry| {
            let message_expression = entry.get("messageExpression").and_then(Json::as_str);
            Ok(Validation {
                expression: read(entry, "expression")?,
                message: entry.get("message").and_then(Json::as_str).map(|message| message.trim().to_owned()),
                message_expression: message_expression
                    .map(|text| Expression::read(text, dialect.names()))
                    .transpose()?,
            })
        });
        let mut read = Self {
            looks_up: false,
            conditions,
            variables: variables.collect::<Result<_, String>>()?,
            validations: all.collect::<Result<_, String>>()?,
            ignores_failures: text(spec, "/failurePolicy") == "Ignore",
        };
        let conditions = read.conditions.0.iter().chain(read.variables.iter().map(|(_, expression)| &**expression));
        let validations_of =
            |it: &'_ Validation| it.expression.looks_up || it.message_expression.as_ref().is_some_and(|it| it.looks_up);
        read.looks_up =
            conditions.into_iter().any(|expression| expression.looks_up) || read.validations.iter().any(validations_of);
        if read.validations.is_empty() { Err(format!("there is no entry in `{validations}`")) } else { Ok(read) }
    }

    /// What is denied; `None` where a match condition does not hold.
    ///
    /// # Errors
    /// When there is no answer here.
    pub(super) fn judge(&self, mut scope: Scope<'_>) -> Result<Option<Vec<Denied>>, String> {
        let mut denied = Vec::new();
        for condition in &self.conditions.0 {
            match scope.evaluate(condition) {
                Ok(Outcome::Truth(true)) => {}
                Ok(_) => return Ok(None),
                Err(Failed::Unanswered(why)) => return Err(why),
                Err(Failed::Expression(_)) if self.ignores_failures => return Ok(None),
                Err(Failed::Expression(why)) => denied.push(Denied { message: failure(condition, &why), field: None }),
            }
        }
        if !denied.is_empty() {
            return Ok(Some(denied));
        }
        for (name, expression) in &self.variables {
            scope.define(name, expression);
        }
        for validation in &self.validations {
            let expression = &validation.expression;
            let message = match scope.evaluate(expression) {
                Ok(Outcome::Truth(true)) => continue,
                Ok(_) => validation.message(&scope)?,
                Err(Failed::Unanswered(why)) => return Err(why),
                Err(Failed::Expression(_)) if self.ignores_failures => continue,
                Err(Failed::Expression(why)) => failure(expression, &why),
            };
            let fields = blamed(expression, &scope);
            if fields.is_empty() {
                denied.push(Denied { message, field: None });
            } else {
                denied.extend(fields.into_iter().map(|field| Denied { message: message.clone(), field: Some(field) }));
            }
        }
        Ok(Some(denied))
    }
}

fn failure(expression: &Expression, why: &str) -> String {
    format!("expression `{}` resulted in error: {why}", short(&expression.text))
}

impl Validation {
    fn message(&self, scope: &Scope<'_>) -> Result<String, String> {
        const LONGEST: usize = 5 * 1024;
        if let Some(expression) = &self.message_expression {
            match scope.evaluate(expression) {
                Ok(Outcome::Text(message)) => {
                    let message = message.trim().to_owned();
                    if !message.is_empty() && !message.contains('\n') && message.len() <= LONGEST {
                        return Ok(message);
                    }
                }
                Err(Failed::Unanswered(why)) => return Err(why),
                Ok(_) | Err(Failed::Expression(_)) => {}
            }
        }
        let message = self.message.clone().filter(|message| !message.is_empty());
        Ok(message.unwrap_or_else(|| format!("failed expression: {}", short(&self.expression.text))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_variable_that_fails_only_fails_where_it_is_named() {
        let spec = json!({"variables": [
            {"name": "broken", "expression": "object.missing.x"},
            {"name": "next", "expression": "variables.broken + 1"},
            {"name": "fine", "expression": "1"}],
            "validations": [{"expression": "variables.fine == 1"}, {"expression": "variables.next == 1"}]});
        let mut scope = Scope::new().unwrap();
        scope.set("object", &json!({}));
        let denied = Checks::read(&spec, "validations", Dialect::Kubernetes).unwrap().judge(scope).unwrap().unwrap();
        assert_eq!(denied.len(), 1);
        let expected =
            "expression `variables.next == 1` resulted in error: `variables.broken` failed: no such key: missing";
        assert_eq!(denied[0].message, expected);
    }
}
