//! Kyverno's tests (<https://kyverno.io/docs/kyverno-cli/usage/test/>).

use serde_json::{Value as Json, json};

use super::{ReadObjects, Suite, tested, texts};
use crate::kustomize::is_cluster_scoped;
use crate::policy::admission::Admission;
use crate::policy::cluster::Off;
use crate::policy::kyverno::{Kyverno, Mocks, Status};
use crate::policy::review::{PolicyObject, Review, group_and_version, text};

pub(super) fn run(test: &PolicyObject, read: ReadObjects<'_>) -> Suite {
    let name = text(&test.json, "/metadata/name");
    let mut suite = Suite::default();
    let results = test.json.get("results").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let ground = match Ground::read(&test.json, read) {
        Ok(ground) => ground,
        Err(why) => {
            suite.tests.push(tested(test, name, "all", Some(why)));
            return suite;
        }
    };
    for result in results {
        let (policy, rule) = (text(result, "/policy"), text(result, "/rule"));
        let policy = policy.rsplit('/').next().unwrap_or_default();
        if ground.kyverno.changes(policy, rule) {
            suite.left_out += 1;
            continue;
        }
        let mut resources = texts(result, "resources");
        resources.extend(result.get("resource").and_then(Json::as_str).map(str::to_owned));
        if resources.is_empty() {
            let why = "the result names no `resources`".to_owned();
            suite.tests.push(tested(test, name, &format!("{policy}.{rule}"), Some(why)));
        }
        for resource in resources {
            let failure = ground.judge(policy, rule, result, &resource).err();
            suite.tests.push(tested(test, name, &format!("{policy}.{rule} {resource}"), failure));
        }
    }
    suite
}

/// What a test stands on.
struct Ground {
    kyverno: Kyverno,
    /// Policies of Kubernetes itself, which Kyverno's tests may be about.
    admission: Admission,
    /// The first policy that cannot be asked, and why.
    unavailable: Vec<(String, String)>,
    resources: Vec<Json>,
    /// What is there besides, for rules to look up.
    others: Vec<Json>,
    namespaces: Vec<Json>,
    values: Json,
}

impl Ground {
    fn read(test: &Json, read: ReadObjects<'_>) -> Result<Self, String> {
        let mut ground = Self {
            kyverno: Kyverno::default(),
            admission: Admission::default(),
            unavailable: Vec::new(),
            resources: Vec::new(),
            others: Vec::new(),
            namespaces: Vec::new(),
            values: Json::Null,
        };
        for path in texts(test, "policies").into_iter().chain(texts(test, "exceptions")) {
            for object in read(&path)? {
                let taken = ground.admission.add(&object, &mut Off::default()).and_then(|is_taken| {
                    if is_taken { Ok(true) } else { ground.kyverno.add(&object, &mut Off::default()) }
                });
                if let Err(why) = taken {
                    ground.unavailable.push((text(&object.json, "/metadata/name").to_owned(), why));
                }
            }
        }
        for path in texts(test, "resources") {
            ground.resources.extend(read(&path)?.into_iter().map(|object| with_namespace(object.json)));
        }
        let context = test.get("context").and_then(Json::as_str).map(str::to_owned);
        for path in texts(test, "paramResources").into_iter().chain(texts(test, "clusterResources")).chain(context) {
            for object in read(&path)? {
                let is_of_tests = text(&object.json, "/apiVersion").starts_with("cli.kyverno.io/");
                match object.json.pointer("/spec/resources").and_then(Json::as_array) {
                    Some(resources) if is_of_tests => ground.others.extend(resources.clone()),
                    _ => ground.others.push(object.json),
                }
            }
        }
        if let Some(path) = test.get("variables").and_then(Json::as_str) {
            ground.values = read(path)?.into_iter().next().map_or(Json::Null, |object| object.json);
        }
        for entry in ground.values.get("namespaceSelector").and_then(Json::as_array).into_iter().flatten() {
            ground.namespaces.push(json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": entry.get("name"), "labels": entry.get("labels")}}));
        }
        Ok(ground)
    }

    fn judge(&self, policy: &str, rule: &str, result: &Json, resource: &str) -> Result<(), String> {
        if let Some((_, why)) = self.unavailable.iter().find(|(name, _)| name == policy) {
            return Err(format!("not asked: {why}"));
        }
        let kind = text(result, "/kind");
        let (place, name) = resource.split_once('/').map_or((None, resource), |(place, name)| (Some(place), name));
        let is_it = |object: &&Json| {
            text(object, "/metadata/name") == name
                && (kind.is_empty() || text(object, "/kind") == kind)
                && place.is_none_or(|place| text(object, "/metadata/namespace") == place)
        };
        let object = self.resources.iter().find(is_it).ok_or("there is no such resource")?;
        let mut all = self.resources.clone();
        all.extend(self.others.iter().chain(&self.namespaces).cloned());
        let mocks = self.mocks(policy, name);
        let operation = mocks.get("request.operation").and_then(Json::as_str).unwrap_or("CREATE");
        // The command line of Kyverno has no other object for what is updated or deleted.
        let old = Some(object).filter(|_| operation != "CREATE");
        let review = Review::new(object, old, &all).with_operation(operation);
        let said = self.kyverno.say(&review, Some(&mocks), |asked| asked == policy)?;
        let base = |name: &str| crate::policy::kyverno::base_name(name).to_owned();
        if self.admission.has(policy) {
            let found = match self.admission.allows(policy, &review)? {
                Some(true) => "pass",
                Some(false) => "fail",
                None => "skip",
            };
            return is_as_wanted(found, result, &[]);
        }
        if !rule.is_empty() && !self.kyverno.has(policy, rule) {
            return Err(format!("the policy `{policy}` has no rule `{rule}`"));
        }
        // A policy in CEL has no rules with names.
        let is_meant = |asked: &str| rule.is_empty() || asked.is_empty() || asked == rule || base(asked) == rule;
        let of_rule: Vec<&Status> =
            said.iter().filter(|said| said.policy == policy && is_meant(&said.rule)).map(|said| &said.status).collect();
        let found = ["fail", "error", "pass", "skip"];
        let found = found.iter().find(|name| of_rule.iter().any(|status| status.name() == **name)).unwrap_or(&"skip");
        let why: Vec<String> = of_rule.iter().filter_map(|status| status.message()).collect();
        is_as_wanted(found, result, &why)
    }

    /// The values that the test gives to variables, by their dotted names.
    fn mocks(&self, policy: &str, resource: &str) -> Mocks {
        let mut mocks = Mocks::new();
        let mut take = |values: Option<&Json>| {
            for (name, value) in values.and_then(Json::as_object).into_iter().flatten() {
                mocks.insert(name.clone(), value.clone());
            }
        };
        take(self.values.get("globalValues"));
        let named = |list: Option<&Json>, wanted: &str| -> Vec<Json> {
            let list = list.and_then(Json::as_array).cloned().unwrap_or_default();
            list.into_iter().filter(|entry| wanted.is_empty() || text(entry, "/name") == wanted).collect()
        };
        for entry in named(self.values.get("policies"), policy) {
            for rule in named(entry.get("rules"), "") {
                take(rule.get("values"));
            }
            for resource in named(entry.get("resources"), resource) {
                take(resource.get("values"));
            }
        }
        mocks
    }
}

/// Whether a verdict is the one that a result wants.
fn is_as_wanted(found: &str, result: &Json, why: &[String]) -> Result<(), String> {
    let wanted = text(result, "/result");
    if found == wanted {
        return Ok(());
    }
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    Err(format!("it is `{found}`, and not `{wanted}`{why}"))
}

/// The command line of Kyverno puts what has no namespace into `default`.
fn with_namespace(mut object: Json) -> Json {
    let (group, version) = group_and_version(text(&object, "/apiVersion"));
    let is_cluster_wide = is_cluster_scoped(group, version, text(&object, "/kind"));
    if !is_cluster_wide && text(&object, "/metadata/namespace").is_empty() && object.get("metadata").is_some() {
        object["metadata"]["namespace"] = json!("default");
    }
    object
}
