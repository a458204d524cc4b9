//! Gatekeeper's suites (<https://open-policy-agent.github.io/gatekeeper/website/docs/gator#writing-test-suites>).

use regex::Regex;
use serde_json::Value as Json;

use super::{ReadObjects, Suite, tested, texts};
use crate::policy::cluster::Off;
use crate::policy::engine::Tested;
use crate::policy::gatekeeper::Gatekeeper;
use crate::policy::review::{PolicyObject, Review, text};

pub(super) fn run(suite: &PolicyObject, read: ReadObjects<'_>) -> Suite {
    let list = |json: &Json, name: &str| json.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    let mut tests = Vec::new();
    for test in list(&suite.json, "tests").iter().filter(|test| !is_skipped(test)) {
        let name = text(test, "/name");
        let is_invalid = test.get("invalid").and_then(Json::as_bool) == Some(true);
        let loaded = loaded(test, read);
        let gatekeeper = match (loaded, is_invalid) {
            (Ok(_), true) => {
                tests.push(tested(suite, name, "invalid", Some("the template is not invalid".to_owned())));
                continue;
            }
            (Err(_), true) => {
                tests.push(tested(suite, name, "invalid", None));
                continue;
            }
            (Ok(gatekeeper), false) => Ok(gatekeeper),
            (Err(why), false) => Err(why),
        };
        for case in list(test, "cases").iter().filter(|case| !is_skipped(case)) {
            let failure = match &gatekeeper {
                Ok(gatekeeper) => judge(gatekeeper, case, read).err(),
                Err(why) => Some(why.clone()),
            };
            tests.push(Tested { failure, ..tested(suite, name, text(case, "/name"), None) });
        }
    }
    Suite { tests, left_out: 0 }
}

fn is_skipped(test: &Json) -> bool {
    test.get("skip").and_then(Json::as_bool) == Some(true)
}

fn loaded(test: &Json, read: ReadObjects<'_>) -> Result<Gatekeeper, String> {
    let mut gatekeeper = Gatekeeper::default();
    for name in ["/template", "/constraint"] {
        for object in read(text(test, name))? {
            gatekeeper.add(&object, &mut Off::default());
        }
    }
    gatekeeper.complete()?;
    Ok(gatekeeper)
}

fn judge(gatekeeper: &Gatekeeper, case: &Json, read: ReadObjects<'_>) -> Result<(), String> {
    let mut objects = read(text(case, "/object"))?.into_iter();
    let given = objects.next().ok_or("there is no object in the file")?.json;
    let mut all = Vec::new();
    for path in texts(case, "inventory") {
        all.extend(read(&path)?.into_iter().map(|object| object.json));
    }
    let request = given.get("request").filter(|_| text(&given, "/kind") == "AdmissionReview");
    let part = |name: &str| request.and_then(|request| request.get(name)).filter(|it| !it.is_null());
    let old = part("oldObject");
    let object = match request {
        None => &given,
        Some(_) => part("object").or(old).ok_or("the review has no object")?,
    };
    all.push(object.clone());
    let operation = request.map_or("", |request| text(request, "/operation"));
    let review = Review::new(object, old, &all);
    let review = if operation.is_empty() { review } else { review.with_operation(operation) };
    let found = gatekeeper.judge(&review)?;
    let assertions = case.get("assertions").and_then(Json::as_array).filter(|all| !all.is_empty());
    for assertion in assertions.ok_or("the case asserts nothing")? {
        let message = assertion.get("message").and_then(Json::as_str);
        let message = message.map(Regex::new).transpose().map_err(|error| error.to_string())?;
        let counted = found.iter().filter(|it| message.as_ref().is_none_or(|message| message.is_match(&it.message)));
        let counted = counted.count();
        let (is_right, wanted) = match assertion.get("violations") {
            Some(Json::Number(number)) => (number.as_u64() == u64::try_from(counted).ok(), number.to_string()),
            Some(Json::Bool(false)) => (counted == 0, "no".to_owned()),
            Some(Json::String(text)) if matches!(text.as_str(), "no" | "false") => (counted == 0, "no".to_owned()),
            Some(Json::Bool(true)) | None => (counted > 0, "some".to_owned()),
            Some(Json::String(text)) if matches!(text.as_str(), "yes" | "true") => (counted > 0, "some".to_owned()),
            Some(other) => return Err(format!("`violations: {other}` is not known")),
        };
        if !is_right {
            let which = message.map_or_else(String::new, |message| format!(" like `{message}`"));
            let told: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
            return Err(format!(
                "{wanted} violations{which} are expected, and there are {counted}: {}",
                told.join("; ")
            ));
        }
    }
    Ok(())
}
