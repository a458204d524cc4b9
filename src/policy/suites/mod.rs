//! Tests that policies bring along: `kyverno-test.yaml` and Gatekeeper's suites.

use serde_json::Value as Json;

use super::engine::{DeclaredRule, Tested};
use super::review::{PolicyObject, text};

mod gatekeeper;
mod kyverno;

/// Reads the objects of a file, by its path from the folder of the test.
type ReadObjects<'a> = &'a (dyn Fn(&str) -> Result<Vec<PolicyObject>, String> + Sync);

/// What the tests of a file came to.
#[derive(Default)]
pub struct Suite {
    /// The cases.
    pub tests: Vec<Tested>,
    /// How many results are about rules that change or make objects.
    pub left_out: usize,
}

/// Runs a test of Kyverno or a suite of Gatekeeper; `None` where the object is neither.
#[must_use]
pub fn run_suite(
    object: &PolicyObject,
    read: &(dyn Fn(&str) -> Result<Vec<PolicyObject>, String> + Sync),
) -> Option<Suite> {
    let api_version = text(&object.json, "/apiVersion");
    match text(&object.json, "/kind") {
        "Test" if api_version.starts_with("cli.kyverno.io/") => Some(kyverno::run(object, read)),
        "Suite" if api_version.starts_with("test.gatekeeper.sh/") => Some(gatekeeper::run(object, read)),
        _ => None,
    }
}

fn tested(object: &PolicyObject, suite: &str, name: &str, failure: Option<String>) -> Tested {
    let rule =
        DeclaredRule { package: suite.to_owned(), name: name.to_owned(), path: object.path.clone(), line: object.line };
    Tested { rule, failure }
}

fn texts(json: &Json, name: &str) -> Vec<String> {
    let list = json.get(name).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}
