//! Policies of the repository itself, on what would land.

use tollgate::sources::RepoPath;

use crate::support::{Files, Repository, files, run};

const POLICY: &str = "package main\nimport rego.v1\ndeny contains {\"msg\": \"at most 3 replicas\", \"path\": \"spec.replicas\"} if {\n  \
                      input.kind == \"Deployment\"\n  input.spec.replicas > data.limits.replicas\n}\n";
const CONFIG: &str = "version: 1\nlayout: \"{app}/{env}\"\nenvironments: [{name: production}]\npolicies: {folder: policy, data: policy/data}\n";

fn base() -> Files {
    let app = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: api}}\n  \
               template: {metadata: {labels: {app: api}}}\n";
    files(&[
        ("tollgate.yaml", CONFIG),
        ("policy/main.rego", POLICY),
        ("policy/data/limits.yaml", "limits: {replicas: 3}\n"),
        ("api/base/kustomization.yaml", "resources: [app.yaml]\n"),
        ("api/base/app.yaml", app),
        ("api/production/kustomization.yaml", "resources: [../base]\n"),
    ])
}

/// What the gate says of a change, and how it ends.
fn judged(base: &Files, changes: &[(&str, &str)]) -> (i32, String) {
    let mut head = base.clone();
    head.extend(files(changes));
    let repository = Repository::new();
    let main = repository.commit("main", base, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.commit("change", &head, "Ana <ana@example.com>", 1_700_000_100, &[main]);
    repository.check_out("change", &head);
    let ran = run(repository.path(), &["check", "--base", "main", "--head", "change"]);
    (ran.code, ran.out + &ran.err)
}

const MANY: &str = "resources: [../base]\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - {op: replace, path: /spec/replicas, value: 5}\n";

#[test]
fn a_policy_for_conftest_is_asked_about_what_would_land() {
    let path = "api/production/kustomization.yaml";
    let (code, told) = judged(&base(), &[(path, MANY)]);
    assert_eq!(code, 1, "{told}");
    for text in [
        "error[conftest/main.deny]: at most 3 replicas",
        "api/production/kustomization.yaml:5:50",
        "policy/main.rego:3",
        "deny contains",
    ] {
        assert!(told.contains(text), "{text}: {told}");
    }
    let three = MANY.replace("value: 5", "value: 3");
    assert_eq!(judged(&base(), &[(path, &three)]).0, 0);
    // What the base has already does not close the gate.
    let mut worse = base();
    worse.extend(files(&[(path, MANY)]));
    let (code, told) = judged(&worse, &[(path, &format!("{MANY}namePrefix: x-\n")), ("notes", "x")]);
    assert_eq!(code, 1, "another object: {told}");
    let (code, told) = judged(&worse, &[(path, &format!("{MANY}commonAnnotations: {{a: b}}\n"))]);
    assert!(code == 0 && told.contains("the base already has this"), "{told}");
    // A waiver.
    let mut waived = base();
    let waiver =
        "waivers: [{rule: conftest/main.deny, app: api, reason: r, approvedBy: \"@a\", expires: 2999-01-01}]\n";
    waived.extend(files(&[("tollgate.yaml", &format!("{CONFIG}{waiver}"))]));
    let (code, told) = judged(&waived, &[(path, MANY)]);
    assert!(code == 0 && told.contains("waived until"), "{told}");
}

#[test]
fn a_change_cannot_loosen_the_policies_that_judge_it() {
    let path = "api/production/kustomization.yaml";
    for loosened in [
        ("policy/main.rego", POLICY.replace("deny", "warn")),
        ("policy/data/limits.yaml", "limits: {replicas: 9}\n".to_owned()),
        ("tollgate.yaml", CONFIG.replace("policies: {folder: policy, data: policy/data}\n", "")),
    ] {
        let (code, told) = judged(&base(), &[(path, MANY), (loosened.0, &loosened.1)]);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("gate/tampered") && told.contains(loosened.0), "{told}");
    }
}

#[test]
fn policies_that_cannot_be_asked_leave_it_undecided() {
    let path = "api/production/kustomization.yaml";
    for (file, text, why) in [
        ("policy/main.rego", "package main\ndeny contains\n", "policy/main.rego:"),
        ("policy/main.rego", "package other\nimport rego.v1\ndeny contains 1 if true\n", "in the namespace main"),
        ("policy/data/limits.yaml", "- a\n", "is not a mapping"),
    ] {
        let mut broken = base();
        broken.extend(files(&[(file, text)]));
        let (code, told) = judged(&broken, &[(path, MANY)]);
        assert!(code == 2 && told.contains(why), "{why}: {told}");
        // Nor may such a one land.
        let (code, told) = judged(&base(), &[(file, text)]);
        assert!(code == 2 && told.contains(why), "{why}: {told}");
    }
    let failing = POLICY.replace(
        "input.spec.replicas > data.limits.replicas",
        "http.send({\"method\": \"GET\", \"url\": \"http://x\"})",
    );
    let mut broken = base();
    broken.extend(files(&[("policy/main.rego", &failing)]));
    let (code, told) = judged(&broken, &[(path, MANY)]);
    assert!(code == 2 && told.contains("`http.send` is not available"), "{told}");
}

#[test]
fn a_constraint_of_gatekeeper_is_asked_about_an_update_as_an_update() {
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: k8sfewer}\nspec:\n  crd: {spec: \
                    {names: {kind: K8sFewer}}}\n  targets:\n    - target: admission.k8s.gatekeeper.sh\n      rego: |\n        package \
                    k8sfewer\n        violation[{\"msg\": msg, \"details\": {\"path\": \"spec.replicas\"}}] {\n          \
                    input.review.operation == \"UPDATE\"\n          input.review.object.spec.replicas < \
                    input.review.oldObject.spec.replicas\n          msg := sprintf(\"fewer than %v\", \
                    [input.review.oldObject.spec.replicas])\n        }\n";
    let constraint = "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sFewer\nmetadata: {name: never}\nspec: {match: {kinds: \
                      [{apiGroups: [apps], kinds: [Deployment]}]}}\n";
    let mut base = base();
    base.extend(files(&[
        ("tollgate.yaml", &CONFIG.replace("{folder: policy, data: policy/data}", "gatekeeper")),
        ("gatekeeper/template.yaml", template),
        ("gatekeeper/constraint.yaml", constraint),
    ]));
    let path = "api/production/kustomization.yaml";
    let fewer = MANY.replace("value: 5", "value: 1");
    let (code, told) = judged(&base, &[(path, &fewer)]);
    assert!(code == 1 && told.contains("error[gatekeeper/K8sFewer.never]: fewer than 2"), "{told}");
    assert!(
        told.contains("api/production/kustomization.yaml:5:50") && told.contains("gatekeeper/constraint.yaml:2"),
        "{told}"
    );
    assert_eq!(judged(&base, &[(path, MANY)]).0, 0);
}

#[test]
fn tests_of_policies_run_with_coverage() {
    let test = "package main_test\nimport rego.v1\nimport data.main\n\ntest_many if {\n  count(main.deny) == 1 with input as {\"kind\": \
                \"Deployment\", \"spec\": {\"replicas\": 4}}\n}\n\ntest_wrong if {\n  count(main.deny) == 1 with input as {}\n}\n";
    let mut all = base();
    all.extend(files(&[("policy/main_test.rego", test)]));
    let repository = Repository::new();
    repository.commit("main", &all, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.check_out("main", &all);
    let ran = run(repository.path(), &["test"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("failed: policy/main_test.rego:9: main_test.test_wrong: it is undefined"), "{}", ran.out);
    assert!(ran.out.contains("2 tests, 1 failed; 100 % of the lines"), "{}", ran.out);
    let more = format!("{POLICY}warn contains \"x\" if {{\n  input.never\n}}\n");
    all.extend(files(&[
        ("policy/main.rego", &more),
        ("policy/main_test.rego", test.split("test_wrong").next().unwrap()),
    ]));
    repository.check_out("main", &all);
    let ran = run(repository.path(), &["test", "policy"]);
    assert!(ran.code == 0 && ran.out.contains("not reached: policy/main.rego: 7"), "{}{}", ran.out, ran.err);
    assert_eq!(run(repository.path(), &["test", "--threshold", "100"]).code, 1);
    let none = run(repository.path(), &["test", "api"]);
    assert!(none.code == 2 && none.err.contains("there is no test"), "{}", none.err);
}

#[test]
fn another_value_of_a_field_is_another_fault() {
    let image =
        POLICY.replace("input.spec.replicas > data.limits.replicas", "not startswith(input.spec.image, \"good/\")");
    let image = image.replace("spec.replicas\"}", "spec.image\"}");
    let mut base = base();
    let app = |image: &str| {
        format!("apiVersion: example.com/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{image: {image}}}\n")
    };
    base.extend(files(&[("policy/main.rego", &image), ("api/base/app.yaml", &app("bad/a"))]));
    let (code, told) = judged(&base, &[("api/base/app.yaml", &format!("{}status: {{x: 1}}\n", app("bad/a")))]);
    assert!(code == 0 && told.contains("the base already has this"), "{told}");
    let (code, told) = judged(&base, &[("api/base/app.yaml", &app("worse/b"))]);
    assert_eq!(code, 1, "{told}");
}

#[test]
fn what_is_no_list_of_messages_is_not_passed_over() {
    let path = "api/production/kustomization.yaml";
    for (rule, why) in [
        ("deny if input.kind == \"Deployment\"", "is not a set or a list"),
        ("deny[msg] if { msg := \"x\" }", "is not a set or a list"),
        ("default deny := [\"always\"]", "always"),
    ] {
        let mut base = base();
        base.extend(files(&[("policy/main.rego", &format!("package main\nimport rego.v1\n{rule}\n"))]));
        let (code, told) = judged(&base, &[(path, MANY)]);
        assert!(told.contains(why) && (code == 2) == rule.contains("if"), "{rule}: {told}");
    }
}

#[test]
fn a_policy_cannot_tell_a_secret() {
    let tells = "package main\nimport rego.v1\ndeny contains sprintf(\"bad password %s\", [input.stringData.password]) if input.kind == \
                 \"Secret\"\nwarn contains sprintf(\"it is %s\", [base64.decode(input.data.token)]) if input.kind == \"Secret\"\n";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\ndata: {token: aHVudGVyMw==}\n";
    let mut base = base();
    base.extend(files(&[("policy/main.rego", tells)]));
    let change = [("api/base/kustomization.yaml", "resources: [app.yaml, s.yaml]\n"), ("api/base/s.yaml", secret)];
    let (code, told) = judged(&base, &change);
    assert!(code == 1 && told.contains("bad password ********") && !told.contains("hunter"), "{told}");
}

#[test]
fn constraints_in_lists_and_files_of_json_are_asked() {
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: k8snever}\nspec:\n  crd: {spec: \
                    {names: {kind: K8sNever}}}\n  targets:\n    - rego: |\n        package k8snever\n        violation[{\"msg\": \
                    \"never\"}] { true }\n";
    let constraint = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"constraints.gatekeeper.sh/v1beta1\", \
                      \"kind\": \"K8sNever\", \"metadata\": {\"name\": \"x\"}, \"spec\": {\"match\": {\"scope\": \"Namespaced\"}}}]}";
    let mut base = base();
    base.extend(files(&[
        ("tollgate.yaml", &CONFIG.replace("{folder: policy, data: policy/data}", "gatekeeper")),
        ("gatekeeper/template.yaml", template),
        ("gatekeeper/constraint.json", constraint),
    ]));
    let extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n";
    let change = [("api/base/kustomization.yaml", "resources: [app.yaml, new.yaml]\n"), ("api/base/new.yaml", extra)];
    let (code, told) = judged(&base, &change);
    assert!(code == 1 && told.contains("gatekeeper/K8sNever.x"), "{told}");
}

#[test]
fn what_would_close_the_gate_for_later_changes_may_not_land() {
    for (rule, why) in [
        ("f(x) := f(x + 1)\ndeny contains \"x\" if f(1) == 2", "`main.f` calls itself"),
        ("deny contains \"x\" if nosuch(1) == 2", "could not find function"),
        ("deny[msg] if { msg := \"x\" }", "write `deny contains msg if"),
    ] {
        let text = format!("package main\nimport rego.v1\n{rule}\n");
        let (code, told) = judged(&base(), &[("policy/main.rego", &text)]);
        assert!(code == 2 && told.contains(why), "{why}: {told}");
    }
}

#[test]
fn an_admission_policy_of_kubernetes_is_asked_on_the_line_of_the_field() {
    let policy = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: scale}\nspec:\n  \
                  matchConstraints:\n    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: \
                  [deployments]}]\n  validations:\n    - expression: object.spec.replicas <= oldObject.spec.replicas * 2\n      message: \
                  at most twice as many\n";
    let binding = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: scale}\nspec: \
                   {policyName: scale, validationActions: [Warn]}\n";
    let config = CONFIG.replace("{folder: policy, data: policy/data}", "admission");
    let mut base = base();
    base.extend(files(&[("tollgate.yaml", &config), ("admission/scale.yaml", policy)]));
    let path = "api/production/kustomization.yaml";
    let (code, told) = judged(&base, &[(path, MANY)]);
    assert!(code == 1 && told.contains("error[admission/scale]: at most twice as many"), "{told}");
    assert!(
        told.contains("api/production/kustomization.yaml:5:50") && told.contains("admission/scale.yaml:2"),
        "{told}"
    );
    assert_eq!(judged(&base, &[(path, &MANY.replace("value: 5", "value: 4"))]).0, 0);
    base.extend(files(&[("admission/binding.yaml", binding)]));
    let (code, told) = judged(&base, &[(path, MANY)]);
    assert!(code == 0 && told.contains("warning[admission/scale]"), "{told}");
    let unanswered = policy.replace("oldObject.spec.replicas * 2", "int(request.userInfo.extra.most[0])");
    let (code, told) = judged(&base, &[("admission/scale.yaml", &unanswered)]);
    assert!(code == 2 && told.contains("`request.userInfo`") && told.contains("admission/scale.yaml:2"), "{told}");
}

/// What a deployment with a sidecar is, and the overlay that sets its image.
fn pods() -> Files {
    let app = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: shop}\nspec:\n  selector: {matchLabels: {app: \
               api}}\n  template:\n    metadata: {labels: {app: api}}\n    spec:\n      containers:\n      - {name: log, image: log:1}\n      \
               - {name: api, image: api:1}\n";
    files(&[
        ("tollgate.yaml", &CONFIG.replace("{folder: policy, data: policy/data}", "kyverno")),
        ("api/base/kustomization.yaml", "resources: [app.yaml]\n"),
        ("api/base/app.yaml", app),
        ("api/production/kustomization.yaml", "resources: [../base]\n"),
    ])
}

const LATEST: &str = "resources: [../base]\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: \
                      /spec/template/spec/containers/1/image\n      value: api:latest\n";

fn kyverno(action: &str, validate: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: images}}\nspec:\n  validationFailureAction: {action}\n  \
         rules:\n  - name: tag\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      message: \
         \"{{{{request.object.metadata.name}}}} needs a tag\"\n{validate}"
    )
}

#[test]
fn policies_of_kyverno_are_asked_on_the_line_of_the_field() {
    let path = "api/production/kustomization.yaml";
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    let foreach = "      foreach:\n      - list: request.object.spec.[initContainers, containers][]\n        deny: {conditions: {all: \
                   [{key: \"{{ element.image }}\", operator: Equals, value: \"*:latest\"}]}}\n";
    let cel =
        "      cel: {expressions: [{expression: \"object.spec.containers.all(c, !c.image.endsWith(':latest'))\"}]}\n";
    for validate in [pattern, foreach, cel] {
        let mut base = pods();
        base.extend(files(&[("kyverno/images.yaml", &kyverno("Enforce", validate))]));
        let (code, told) = judged(&base, &[(path, LATEST)]);
        assert!(code == 1 && told.contains("error[kyverno/images.tag]"), "{told}");
        assert!(
            told.contains("api/production/kustomization.yaml:7:14") && told.contains("kyverno/images.yaml:2"),
            "{told}"
        );
        assert_eq!(judged(&base, &[(path, &LATEST.replace(":latest", ":2"))]).0, 0);
        base.extend(files(&[("kyverno/images.yaml", &kyverno("Audit", validate))]));
        let (code, told) = judged(&base, &[(path, LATEST)]);
        assert!(code == 0 && told.contains("warning[kyverno/images.tag]"), "{told}");
    }
    let policy = "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: tags}\nspec:\n  validationActions: \
                  [Deny]\n  matchConstraints: {resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE, UPDATE], \
                  resources: [pods]}]}\n  validations:\n  - expression: object.spec.containers.all(c, !c.image.endsWith(':latest'))\n    \
                  message: no tag\n";
    let mut base = pods();
    base.extend(files(&[("kyverno/tags.yaml", policy)]));
    let (code, told) = judged(&base, &[(path, LATEST)]);
    assert!(code == 1 && told.contains("error[kyverno/tags]: no tag"), "{told}");
    assert!(told.contains("api/production/kustomization.yaml:7:14"), "{told}");
}

#[test]
fn what_kyverno_asks_that_has_no_answer_is_named() {
    let path = "api/production/kustomization.yaml";
    for (validate, why) in [
        ("      podSecurity: {level: baseline}\n", "`validate.podSecurity` is not available"),
        (
            "      deny: {conditions: {all: [{key: \"{{ request.userInfo.username }}\", operator: Equals, value: x}]}}\n",
            "`request.userInfo` is not known",
        ),
        ("      deny: {conditions: {all: [{key: \"{{ random('[a-z]') }}\", operator: Like, value: x}]}}\n", "`Like`"),
        (
            "      deny: {conditions: {all: [{key: \"{{ random('[a-z]') }}\", operator: Equals, value: x}]}}\n",
            "`random`",
        ),
    ] {
        let mut broken = pods();
        broken.extend(files(&[("kyverno/images.yaml", &kyverno("Enforce", validate))]));
        let (code, told) = judged(&broken, &[(path, LATEST)]);
        assert!(code == 2 && told.contains(why) && told.contains("kyverno/images.yaml:2"), "{why}: {told}");
    }
    // Rules that change objects do not judge them.
    let mutate = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: labels}\nspec:\n  rules:\n  - name: add\n    match: \
                  {any: [{resources: {kinds: [Pod]}}]}\n    mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}\n";
    let mut base = pods();
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    base.extend(files(&[("kyverno/labels.yaml", mutate), ("kyverno/images.yaml", &kyverno("Enforce", pattern))]));
    assert_eq!(judged(&base, &[(path, LATEST)]).0, 1);
    let exception = "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: api}\nspec:\n  exceptions: [{policyName: images, \
                     ruleNames: [tag, autogen-tag]}]\n  match: {any: [{resources: {kinds: [Deployment], names: [api]}}]}\n";
    base.extend(files(&[("kyverno/exception.yaml", exception)]));
    assert_eq!(judged(&base, &[(path, LATEST)]).0, 0);
}

#[test]
fn tests_that_policies_bring_along_run() {
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    let test = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: images}\npolicies: [../images.yaml]\nresources: \
                [pods.yaml]\nresults:\n- {policy: images, rule: tag, kind: Pod, resources: [bad], result: fail}\n- {policy: images, rule: \
                tag, kind: Pod, resources: [good], result: pass}\n- {policy: images, rule: tag, kind: Pod, resources: [good], result: \
                fail}\n- {policy: images, rule: gat, kind: Pod, resources: [good], result: pass}\n";
    let pod = |name: &str, image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: {image}}}]}}\n---\n"
        )
    };
    let resources = pod("bad", "a:latest") + &pod("good", "a:1");
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: k8sx}\nspec:\n  crd: {spec: \
                    {names: {kind: K8sX}}}\n  targets:\n    - rego: |\n        package k8sx\n        violation[{\"msg\": \"latest\"}] \
                    { endswith(input.review.object.spec.containers[_].image, \":latest\") }\n";
    let constraint = "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sX\nmetadata: {name: x}\n";
    let suite = "apiVersion: test.gatekeeper.sh/v1alpha1\nkind: Suite\nmetadata: {name: x}\ntests:\n- name: x\n  template: \
                 template.yaml\n  constraint: constraint.yaml\n  cases:\n  - {name: bad, object: .t/pods.yaml, assertions: \
                 [{violations: 1, message: late}]}\n  - {name: wrong, object: .t/pods.yaml, assertions: [{violations: no}]}\n";
    let mut all = pods();
    all.extend(files(&[
        ("kyverno/images.yaml", &kyverno("Enforce", pattern)),
        ("kyverno/.t/kyverno-test.yaml", test),
        ("kyverno/.t/pods.yaml", &resources),
        ("kyverno/template.yaml", template),
        ("kyverno/constraint.yaml", constraint),
        ("kyverno/suite.yaml", suite),
    ]));
    let repository = Repository::new();
    repository.commit("main", &all, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.check_out("main", &all);
    let ran = run(repository.path(), &["test"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for text in [
        "images.images.tag good: it is `pass`, and not `fail`",
        "the policy `images` has no rule `gat`",
        "x.wrong: no violations are expected, and there are 1: latest",
        "6 tests, 3 failed",
    ] {
        assert!(ran.out.contains(text), "{text}: {}", ran.out);
    }
}

#[test]
fn the_configuration_weighs_rules_of_teams() {
    let path = "api/production/kustomization.yaml";
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    let config = CONFIG.replace("{folder: policy, data: policy/data}", "kyverno");
    let mut base = pods();
    base.extend(files(&[("kyverno/images.yaml", &kyverno("Enforce", pattern))]));
    for (rule, code, what) in [
        ("images.tag: {severity: warning}", 0, "warning[kyverno/images.tag]"),
        ("images.tag: {severity: {production: error, default: off}}", 1, "error[kyverno/images.tag]"),
        ("images.tag: {severity: off}", 0, "allowed"),
        ("images.gat: {severity: off}", 2, "there is no rule `kyverno/images.gat`"),
        ("images.gat: {severity: error}", 2, "there is no rule `kyverno/images.gat`"),
        ("images.tag: {limit: 1}", 2, "has no setting `limit`"),
    ] {
        base.extend(files(&[("tollgate.yaml", &format!("{config}rules: {{kyverno/{rule}}}\n"))]));
        let (ended, told) = judged(&base, &[(path, LATEST)]);
        assert!(ended == code && told.contains(what), "{rule}: {told}");
    }
    // Of what is off it does not matter what it uses.
    let unavailable = kyverno("Enforce", "      podSecurity: {level: baseline}\n");
    base.extend(files(&[
        ("tollgate.yaml", &format!("{config}rules: {{kyverno/images.tag: {{severity: off}}}}\n")),
        ("kyverno/images.yaml", &unavailable),
    ]));
    assert_eq!(judged(&base, &[(path, LATEST)]).0, 0);
}

#[test]
fn rules_of_teams_are_listed_and_explained() {
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    let mut all = pods();
    all.extend(files(&[("kyverno/images.yaml", &kyverno("Enforce", pattern))]));
    let repository = Repository::new();
    repository.commit("main", &all, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.check_out("main", &all);
    let ran = run(repository.path(), &["rules"]);
    assert!(
        ran.code == 0 && ran.out.contains("kyverno/images.tag") && ran.out.contains("kyverno/images.yaml:2"),
        "{}",
        ran.out
    );
    let ran = run(repository.path(), &["explain", "kyverno/images.tag"]);
    assert!(ran.code == 0 && ran.out.contains("name: tag") && ran.out.contains("kyverno/images.yaml:2"), "{}", ran.out);
    let ran = run(repository.path(), &["explain", "kyverno/images.tga"]);
    assert!(ran.code == 2 && ran.err.contains("did you mean `kyverno/images.tag`?"), "{}", ran.err);
    let broken = kyverno("Enforce", "      podSecurity: {level: baseline}\n");
    all.extend(files(&[("kyverno/images.yaml", &broken)]));
    repository.check_out("main", &all);
    let ran = run(repository.path(), &["rules"]);
    assert!(ran.code == 2 && ran.err.contains("`validate.podSecurity` is not available"), "{}", ran.err);
}

#[test]
fn a_change_cannot_loosen_a_policy_by_what_it_renders() {
    let deny = "      deny: {conditions: {all: [{key: \"{{ request.object.spec.replicas }}\", operator: GreaterThan, value: \"{{ \
                to_number(limits.data.most) }}\"}]}}\n";
    let policy = kyverno("Enforce", deny)
        .replace("kinds: [Pod]", "kinds: [Deployment]")
        .replace("    match:", "    context: [{name: limits, configMap: {name: limits, namespace: shop}}]\n    match:");
    let limits = |api: &str, most: u64| {
        format!(
            "apiVersion: {api}\nkind: ConfigMap\nmetadata: {{name: limits, namespace: shop}}\ndata: {{most: \"{most}\"}}\n---\n"
        )
    };
    let mut base = pods();
    base.extend(files(&[
        ("kyverno/images.yaml", &policy),
        ("api/base/kustomization.yaml", "resources: [app.yaml, limits.yaml]\n"),
        ("api/base/limits.yaml", &limits("v1", 3)),
    ]));
    let path = "api/production/kustomization.yaml";
    let many = "resources: [../base]\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - {op: add, path: /spec/replicas, value: 5}\n";
    for change in [limits("v1", 3), limits("v1", 9), limits("x.io/v1", 9) + &limits("v1", 3)] {
        let (code, told) = judged(&base, &[(path, many), ("api/base/limits.yaml", &change)]);
        assert!(code == 1 && told.contains("error[kyverno/images.tag]"), "{told}");
        assert!(told.contains("api/production/kustomization.yaml:5:46"), "{told}");
    }
    base.extend(files(&[("api/base/kustomization.yaml", "resources: [app.yaml]\n")]));
    let added = [(path, many), ("api/base/kustomization.yaml", "resources: [app.yaml, limits.yaml]\n")];
    let (code, told) = judged(&base, &added);
    assert!(code == 2 && told.contains("the ConfigMap `shop/limits` is only in the change"), "{told}");
    base.extend(files(&[("kyverno/limits.yaml", &limits("v1", 3))]));
    assert_eq!(judged(&base, &added).0, 1);
}

#[test]
fn what_would_not_judge_is_not_passed_over() {
    let path = "api/production/kustomization.yaml";
    let misspelt = kyverno("Enforce", "      pattern: {}\n").replace("    validate:", "    validation:");
    let expansion = "apiVersion: expansion.gatekeeper.sh/v1beta1\nkind: ExpansionTemplate\nmetadata: {name: x}\n";
    let asks_who = kyverno("Enforce", "      foreach: [{list: request.userInfo.groups, deny: {}}]\n");
    for (policy, why) in [
        (misspelt.as_str(), "none of `validate`, `mutate` and `generate`"),
        (expansion, "are not expanded"),
        (asks_who.as_str(), "`request.userInfo` is not known"),
    ] {
        let mut base = pods();
        base.extend(files(&[("kyverno/images.yaml", policy)]));
        let (code, told) = judged(&base, &[(path, LATEST)]);
        assert!(code == 2 && told.contains(why), "{why}: {told}");
    }
}

#[test]
fn a_policy_cannot_tell_a_secret_in_another_form() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  conf: |\n    user=a\n    password=hunter2\ndata: {x: \
                  aHVudGVyMwo=}\n";
    let telling = |message: &str| {
        format!(
            "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: t}}\nspec:\n  validationFailureAction: Enforce\n  rules:\n  \
             - name: t\n    match: {{any: [{{resources: {{kinds: [Secret]}}}}]}}\n    validate: {{message: \"{message}\", deny: {{}}}}\n"
        )
    };
    for message in [
        "bad {{ base64_decode(request.object.data.x) }}",
        "bad {{ request.object.stringData }}",
        "bad {{ split(request.object.stringData.conf, '\\n')[1] }}",
        "bad {{ request.object.stringData.conf }}",
    ] {
        let mut base = pods();
        base.extend(files(&[("kyverno/t.yaml", &telling(message))]));
        let change = [("api/base/kustomization.yaml", "resources: [app.yaml, s.yaml]\n"), ("api/base/s.yaml", secret)];
        let (code, told) = judged(&base, &change);
        assert!(code == 1 && told.contains("error[kyverno/t.t]: bad") && !told.contains("hunter"), "{message}: {told}");
    }
}

#[test]
fn rules_in_the_own_style_of_tollgate_are_asked_beside_the_built_in_ones() {
    let rule = "# METADATA\n# title: Too many images\n# description: D\n# custom:\n#   severity: {default: error}\n#   help: take one \
                out\n#   parameters: {most: 1}\npackage tollgate.team.images\n\nimport rego.v1\n\ndeny contains finding if {\n  \
                count(input.head.images) > input.parameters[\"team/images\"].most\n  some image in input.head.images\n  image.reference == \
                \"api:2\"\n  finding := {\"at\": image.at, \"message\": \"too many\"}\n}\n";
    let test = "package tollgate.team.images_test\n\nimport rego.v1\n\nimport data.tollgate.team.images\n\ntest_none if {\n  \
                count(images.deny) == 0 with input as {\"head\": {\"images\": []}, \"parameters\": {\"team/images\": {\"most\": 1}}}\n}\n";
    let path = "api/production/kustomization.yaml";
    let config = CONFIG.replace("{folder: policy, data: policy/data}", "policy");
    let mut base = pods();
    base.extend(files(&[("tollgate.yaml", &config), ("policy/images.rego", rule), ("policy/images_test.rego", test)]));
    let (code, told) = judged(&base, &[(path, &LATEST.replace(":latest", ":2"))]);
    assert!(code == 1 && told.contains("error[team/images]: too many") && told.contains("take one out"), "{told}");
    base.extend(files(&[("tollgate.yaml", &format!("{config}rules: {{team/images: {{most: 2}}}}\n"))]));
    assert_eq!(judged(&base, &[(path, &LATEST.replace(":latest", ":2"))]).0, 0);
    for broken in [rule.replace("deny contains", "deny contain"), rule.replace("# METADATA", "#")] {
        let (code, told) = judged(&base, &[("policy/images.rego", &broken)]);
        assert!(code == 2 && told.contains("policy/images.rego"), "{told}");
    }
    let repository = Repository::new();
    repository.commit("main", &base, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.check_out("main", &base);
    let ran = run(repository.path(), &["test"]);
    assert!(ran.code == 0 && ran.out.contains("1 test, 0 failed"), "{}{}", ran.out, ran.err);
    let ran = run(repository.path(), &["rules"]);
    assert!(
        ran.out.contains("team/images") && ran.out.contains("Too many images [error]  policy/images.rego"),
        "{}",
        ran.out
    );
    let ran = run(repository.path(), &["explain", "team/images"]);
    assert!(ran.code == 0 && ran.out.contains("parameter: most, by default 1"), "{}", ran.out);
}

#[test]
fn a_second_fault_does_not_hide_behind_one_that_is_there_already() {
    let path = "api/base/app.yaml";
    let pattern = kyverno("Enforce", "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n");
    let foreach = kyverno(
        "Enforce",
        "      foreach: [{list: request.object.spec.containers, deny: {conditions: {all: [{key: \"{{ element.image }}\", operator: \
         Equals, value: \"*:latest\"}]}}}]\n",
    );
    let cel = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: images}\nspec:\n  \
               matchConstraints: {resourceRules: [{resources: [deployments]}]}\n  validations: [{expression: \
               \"object.spec.template.spec.containers.all(c, !c.image.endsWith(':latest'))\"}]\n";
    for policy in [pattern.as_str(), foreach.as_str(), cel] {
        let mut base = pods();
        base.extend(files(&[("kyverno/images.yaml", policy)]));
        let app = base[&RepoPath::new(path).unwrap()].replace("log:1", "log:latest");
        base.extend(files(&[(path, &app)]));
        let (code, told) = judged(&base, &[(path, &app.replace("api:1", "api:latest"))]);
        assert!(code == 1 && told.contains("api/base/app.yaml:11:28"), "{told}");
        let (code, told) = judged(&base, &[(path, &app.replace("api:1", "api:2"))]);
        assert!(code == 0 && told.contains("the base already has this"), "{told}");
    }
}

#[test]
fn a_change_cannot_label_itself_out_of_a_policy() {
    let pattern = "      pattern: {spec: {containers: [{image: \"!*:latest\"}]}}\n";
    let excluding = |resources: &str| {
        kyverno("Enforce", pattern)
            .replace("    validate:", &format!("    exclude: {{any: [{{resources: {resources}}}]}}\n    validate:"))
    };
    let place =
        |label: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{label}}}}}\n");
    let path = "api/production/kustomization.yaml";
    let mut base = pods();
    base.extend(files(&[
        ("kyverno/images.yaml", &excluding("{namespaceSelector: {matchLabels: {exempt: \"yes\"}}}")),
        ("api/base/kustomization.yaml", "resources: [app.yaml, ns.yaml]\n"),
        ("api/base/ns.yaml", &place("team: a")),
    ]));
    assert_eq!(judged(&base, &[(path, LATEST)]).0, 1);
    assert_eq!(judged(&base, &[(path, LATEST), ("api/base/ns.yaml", &place("exempt: \"yes\""))]).0, 1);
    base.extend(files(&[("api/base/ns.yaml", &place("exempt: \"yes\""))]));
    assert_eq!(judged(&base, &[(path, LATEST)]).0, 0);
}
