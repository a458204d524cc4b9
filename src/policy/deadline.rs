//! How long one rule may take on one object, whatever language it is in.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// As long as a rule of Rego may take.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A rule is asked.
pub(super) fn begin() {
    BEGAN.set(Some(Instant::now()));
}

/// Whether the rule that is asked has taken too long.
pub(super) fn is_over() -> bool {
    BEGAN.get().is_some_and(|began| began.elapsed() > LIMIT)
}

/// What is said of a rule that has.
pub(super) fn told() -> String {
    format!("it takes longer than {} seconds", LIMIT.as_secs())
}
