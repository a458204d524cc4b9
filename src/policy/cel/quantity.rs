//! Amounts such as `500m` and `1Gi`, and what CEL in Kubernetes does with them
//! (<https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-quantity-library>).

#![expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "it is the crate's type of a function")]

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelDouble, CelInt, CelString, INT_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::opaque::{Arguments, Returned, opaque};
use crate::policy::amount::Amount;

opaque!(QUANTITY, "kubernetes.Quantity", struct Quantity(Amount));

fn read(value: &dyn Val) -> Option<Amount> {
    value.downcast_ref::<CelString>().and_then(|text| Amount::read(text.inner()))
}

fn quantity<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let amount = arguments.first().and_then(|text| read(text.as_ref()));
    let wrong = || ExecutionError::function_error("quantity", "it is not an amount such as `500m` or `1Gi`");
    amount.map(|amount| CowVal::owned(Quantity(amount))).ok_or_else(wrong)
}

fn is_quantity<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(arguments.first().is_some_and(|text| read(text.as_ref()).is_some()))))
}

/// The amounts of the arguments; numbers count as such.
fn amounts(arguments: &[CowVal<'_, '_>]) -> Result<(Amount, Option<Amount>), ExecutionError> {
    let amount = |value: &CowVal<'_, '_>| {
        let whole = value.downcast_ref::<CelInt>().and_then(|whole| Amount::whole(*whole.inner()));
        value.downcast_ref::<Quantity>().map(|quantity| quantity.0).or(whole)
    };
    let first = arguments.first().and_then(amount).ok_or_else(ExecutionError::missing_argument_or_target)?;
    Ok((first, arguments.get(1).and_then(amount)))
}

fn both(arguments: &[CowVal<'_, '_>]) -> Result<(Amount, Amount), ExecutionError> {
    let (first, second) = amounts(arguments)?;
    Ok((first, second.ok_or_else(ExecutionError::missing_argument_or_target)?))
}

fn compared(arguments: &[CowVal<'_, '_>]) -> Result<Ordering, ExecutionError> {
    both(arguments).map(|(first, second)| first.cmp(&second))
}

fn is_greater<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(compared(&arguments)? == Ordering::Greater)))
}

fn is_less<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(compared(&arguments)? == Ordering::Less)))
}

fn compare<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(compared(&arguments)? as i64)))
}

fn sign<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(amounts(&arguments)?.0.sign())))
}

fn is_integer<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(amounts(&arguments)?.0.as_integer().is_some())))
}

fn as_integer<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let whole = amounts(&arguments)?.0.as_integer();
    let wrong = || ExecutionError::function_error("asInteger", "it is not a whole number");
    whole.map(|whole| CowVal::owned(CelInt::from(whole))).ok_or_else(wrong)
}

fn as_float<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelDouble::from(amounts(&arguments)?.0.as_float())))
}

fn result<'b, 'v>(amount: Option<Amount>) -> Returned<'b, 'v> {
    let wrong = || ExecutionError::function_error("quantity", "it is too large");
    amount.map(|amount| CowVal::owned(Quantity(amount))).ok_or_else(wrong)
}

fn add<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    both(&arguments).and_then(|(first, second)| result(first.add(second)))
}

fn subtract<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    both(&arguments).and_then(|(first, second)| result(first.subtract(second)))
}

pub(super) fn functions(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_type(QUANTITY.to_owned())?;
    environment.add_overload("quantity", "quantity(string)", vec![STRING_TYPE], quantity)?;
    environment.add_overload("isQuantity", "isQuantity(string)", vec![STRING_TYPE], is_quantity)?;
    let members: [(&str, bool, cel::common::functions::Function); 8] = [
        ("isGreaterThan", true, is_greater),
        ("isLessThan", true, is_less),
        ("compareTo", true, compare),
        ("sign", false, sign),
        ("isInteger", false, is_integer),
        ("asInteger", false, as_integer),
        ("asApproximateFloat", false, as_float),
        ("add", true, add),
    ];
    for (name, has_argument, function) in members {
        let arguments = has_argument.then(|| QUANTITY.to_owned()).into_iter().collect();
        let id = format!("quantity.{name}");
        environment.add_member_overload(name, &id, QUANTITY.to_owned(), arguments, function)?;
    }
    environment.add_member_overload("add", "quantity.add(int)", QUANTITY.to_owned(), vec![INT_TYPE], add)?;
    for (id, argument) in [("quantity.sub", QUANTITY.to_owned()), ("quantity.sub(int)", INT_TYPE)] {
        environment.add_member_overload("sub", id, QUANTITY.to_owned(), vec![argument], subtract)?;
    }
    Ok(())
}
