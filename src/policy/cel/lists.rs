//! Functions on lists and sets that Kubernetes adds to CEL
//! (<https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-list-library>).

#![expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "it is the crate's type of a function")]

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelDouble, CelDuration, CelInt, DYN_TYPE, LIST_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::opaque::{Arguments, Returned};

type Items<'v> = Vec<Box<dyn Val + 'v>>;

fn items<'v>(arguments: &[CowVal<'_, 'v>], at: usize) -> Result<Items<'v>, ExecutionError> {
    let list = arguments.get(at).and_then(|list| list.as_iterable());
    let mut from = list.ok_or_else(ExecutionError::missing_argument_or_target)?.iter();
    let mut items = Vec::new();
    while let Some(item) = from.next() {
        items.push(item.clone_as_boxed());
    }
    Ok(items)
}

fn compared(one: &dyn Val, other: &dyn Val) -> Result<Ordering, ExecutionError> {
    let comparer = one.as_comparer();
    comparer.ok_or_else(|| ExecutionError::function_error("compare", "values have no order"))?.compare(other)
}

fn is_sorted<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    for pair in items(&arguments, 0)?.windows(2) {
        if let [one, other] = pair
            && compared(one.as_ref(), other.as_ref())? == Ordering::Greater
        {
            return Ok(CowVal::owned(CelBool::from(false)));
        }
    }
    Ok(CowVal::owned(CelBool::from(true)))
}

fn extreme<'b, 'v>(arguments: &[CowVal<'b, 'v>], name: &str, wanted: Ordering) -> Returned<'b, 'v> {
    let mut best: Option<Box<dyn Val + 'v>> = None;
    for item in items(arguments, 0)? {
        let is_better = match &best {
            Some(best) => compared(item.as_ref(), best.as_ref())? == wanted,
            None => true,
        };
        if is_better {
            best = Some(item);
        }
    }
    best.map(CowVal::Owned).ok_or_else(|| ExecutionError::function_error(name, "the list is empty"))
}

fn min<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    extreme(&arguments, "min", Ordering::Less)
}

fn max<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    extreme(&arguments, "max", Ordering::Greater)
}

fn sum<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let mut all = items(&arguments, 0)?.into_iter();
    let Some(mut total) = all.next() else { return Ok(CowVal::owned(CelInt::from(0))) };
    for item in all {
        let is_number = total.downcast_ref::<CelInt>().is_some()
            || total.downcast_ref::<CelDouble>().is_some()
            || total.downcast_ref::<CelDuration>().is_some();
        let adder = total.as_adder().filter(|_| is_number);
        let added = adder.ok_or_else(|| ExecutionError::function_error("sum", "an item is no number"))?;
        let next = added.add(item.as_ref())?.into_owned();
        total = next;
    }
    Ok(CowVal::Owned(total))
}

fn position<'b, 'v>(at: Option<usize>) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))))
}

fn index_of<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let wanted = arguments.get(1).ok_or_else(ExecutionError::missing_argument_or_target)?;
    position(items(&arguments, 0)?.iter().position(|item| item.equals(wanted.as_ref())))
}

fn last_index_of<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let wanted = arguments.get(1).ok_or_else(ExecutionError::missing_argument_or_target)?;
    position(items(&arguments, 0)?.iter().rposition(|item| item.equals(wanted.as_ref())))
}

fn holds(items: &Items<'_>, wanted: &dyn Val) -> bool {
    items.iter().any(|item| item.equals(wanted))
}

fn sets<'b, 'v>(arguments: &[CowVal<'b, 'v>], test: impl FnOnce(&Items<'_>, &Items<'_>) -> bool) -> Returned<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(test(&items(arguments, 0)?, &items(arguments, 1)?))))
}

fn contains_all(items: &Items<'_>, wanted: &Items<'_>) -> bool {
    wanted.iter().all(|wanted| holds(items, wanted.as_ref()))
}

fn contains<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    sets(&arguments, contains_all)
}

fn equivalent<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    sets(&arguments, |one, other| contains_all(one, other) && contains_all(other, one))
}

fn intersects<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    sets(&arguments, |one, other| other.iter().any(|wanted| holds(one, wanted.as_ref())))
}

pub(super) fn functions(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_member_overload("isSorted", "list.isSorted", LIST_TYPE, Vec::new(), is_sorted)?;
    environment.add_member_overload("min", "list.min", LIST_TYPE, Vec::new(), min)?;
    environment.add_member_overload("max", "list.max", LIST_TYPE, Vec::new(), max)?;
    environment.add_member_overload("sum", "list.sum", LIST_TYPE, Vec::new(), sum)?;
    environment.add_member_overload("indexOf", "list.indexOf", LIST_TYPE, vec![DYN_TYPE], index_of)?;
    environment.add_member_overload("lastIndexOf", "list.lastIndexOf", LIST_TYPE, vec![DYN_TYPE], last_index_of)?;
    let two = || vec![LIST_TYPE, LIST_TYPE];
    environment.add_overload("sets.contains", "sets.contains(list,list)", two(), contains)?;
    environment.add_overload("sets.equivalent", "sets.equivalent(list,list)", two(), equivalent)?;
    environment.add_overload("sets.intersects", "sets.intersects(list,list)", two(), intersects)
}
