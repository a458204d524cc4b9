//! Which functions there are, and those on texts that Kubernetes adds to CEL
//! (<https://kubernetes.io/docs/reference/using-api/cel/>).

#![expect(clippy::needless_pass_by_value, reason = "it is the crate's type of a function")]

use cel::common::types::{CelInt, CelList, CelString, INT_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use regex::Regex;

use super::opaque::{Arguments, Returned};

/// Every function that an expression can call. Operators are functions, too, and are not among them.
const KNOWN: &str = "
    size contains startsWith endsWith matches in has all exists exists_one existsOne map filter
    bool bytes double duration dyn int string timestamp type uint
    getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds
    optional.of optional.ofNonZeroValue optional.none hasValue value or orValue optMap optFlatMap
    charAt indexOf join lastIndexOf lowerAscii quote replace split substring trim upperAscii format reverse strings.quote
    distinct flatten lists.range slice sort sortBy
    math.greatest math.least math.ceil math.floor math.round math.trunc math.abs math.sign math.isNaN math.isInf math.isFinite math.sqrt
    math.bitAnd math.bitOr math.bitXor math.bitNot math.bitShiftLeft math.bitShiftRight
    base64.encode base64.decode
    find findAll
    isSorted sum min max sets.contains sets.equivalent sets.intersects
    quantity isQuantity isGreaterThan isLessThan compareTo sign isInteger asInteger asApproximateFloat add sub
    url isURL getScheme getHost getHostname getPort getEscapedPath getQuery
    ip isIP ip.isCanonical family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast
    cidr isCIDR containsIP containsCIDR prefixLength masked
";

/// Whether a function can be called, by its name as it is written: `size`, `math.abs`.
pub(super) fn is_known(name: &str) -> bool {
    // Macros call what begins with `@`, as in `math.@max`.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_operator = name.starts_with(['_', '!', '-']) || last.starts_with('@');
    is_operator || KNOWN.split_whitespace().any(|known| known == name)
}

fn text<'a>(arguments: &'a [CowVal<'_, '_>], at: usize) -> Result<&'a str, ExecutionError> {
    let text = arguments.get(at).and_then(|value| value.downcast_ref::<CelString>());
    text.map(CelString::inner).ok_or_else(ExecutionError::missing_argument_or_target)
}

fn pattern(arguments: &[CowVal<'_, '_>]) -> Result<Regex, ExecutionError> {
    Regex::new(text(arguments, 1)?).map_err(|error| ExecutionError::function_error("find", error))
}

fn find<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let found = pattern(&arguments)?.find(text(&arguments, 0)?).map_or("", |found| found.as_str()).to_owned();
    Ok(CowVal::owned(CelString::from(found)))
}

fn find_all<'b, 'v>(arguments: Arguments<'b, 'v>) -> Returned<'b, 'v> {
    let pattern = pattern(&arguments)?;
    let limit = arguments.get(2).and_then(|it| it.downcast_ref::<CelInt>());
    let most = limit.and_then(|limit| usize::try_from(*limit.inner()).ok()).unwrap_or(usize::MAX);
    let boxed = |found: regex::Match<'_>| -> Box<dyn Val> { Box::new(CelString::from(found.as_str().to_owned())) };
    let found: Vec<Box<dyn Val>> = pattern.find_iter(text(&arguments, 0)?).take(most).map(boxed).collect();
    Ok(CowVal::owned(CelList::from(found)))
}

pub(super) fn functions(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_member_overload("find", "string.find", STRING_TYPE, vec![STRING_TYPE], find)?;
    environment.add_member_overload("findAll", "string.findAll", STRING_TYPE, vec![STRING_TYPE], find_all)?;
    let limited = vec![STRING_TYPE, INT_TYPE];
    environment.add_member_overload("findAll", "string.findAll(int)", STRING_TYPE, limited, find_all)
}
