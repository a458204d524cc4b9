//! `promote`: what is live below is written above, in one line, if the gate would allow it.

use std::fs;

use crate::support::{Files, Repository, files, run};

const START: i64 = 1_700_000_000;

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn overlay(rest: &str) -> String {
    format!("# what runs here\nresources: [../base]\n{rest}# the end\n")
}

fn images(digit: char) -> String {
    overlay(&format!("images:\n  - name: example.com/api # ours\n    digest: {} # promoted\n", digest(digit)))
}

const PRODUCTION: &str = "apps/api/production/kustomization.yaml";

/// An app with a base that pins nothing, in three environments.
fn app(dev: &str, staging: &str, production: &str) -> Files {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n    spec:\n      containers:\n        \
                      - name: api\n          image: example.com/api:none\n          \
                      resources: {requests: {cpu: 1, memory: 1Mi}, limits: {memory: 1Mi}}\n";
    files(&[
        (".github/CODEOWNERS", "/apps/ @example/team\n"),
        ("apps/api/base/deployment.yaml", deployment),
        ("apps/api/base/kustomization.yaml", "resources: [deployment.yaml]\n"),
        ("apps/api/dev/kustomization.yaml", dev),
        ("apps/api/staging/kustomization.yaml", staging),
        (PRODUCTION, production),
    ])
}

/// One commit on `main`, checked out.
fn repository(files: &Files) -> Repository {
    let repository = Repository::new();
    repository.commit("main", files, "Ana", START, &[]);
    repository.check_out("main", files);
    repository
}

fn promoted(files: &Files, arguments: &[&str], path: &str) -> String {
    let made = repository(files);
    let ran = run(made.path(), &[&["promote"], arguments].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    fs::read_to_string(made.path().join(path)).unwrap()
}

#[test]
fn one_line_changes() {
    let made = app(&images('c'), &images('b'), &images('a'));
    assert_eq!(promoted(&made, &["api", "--to", "production"], PRODUCTION), images('b'));
    assert_eq!(promoted(&made, &["api", "--to", "staging"], "apps/api/staging/kustomization.yaml"), images('c'));
    let given = ["api", "--to", "dev", "--digest", &digest('d')];
    assert_eq!(promoted(&made, &given, "apps/api/dev/kustomization.yaml"), images('d'));
    let image = format!("example.com/api@{}", digest('d'));
    let given = ["api", "--to", "dev", "--image", &image];
    assert_eq!(promoted(&made, &given, "apps/api/dev/kustomization.yaml"), images('d'));
}

#[test]
fn what_a_base_says_is_overruled_in_the_overlay() {
    let made = app(&images('b'), &images('b'), &overlay(""));
    let expected = overlay("") + &format!("images:\n  - name: example.com/api\n    digest: {}\n", digest('b'));
    assert_eq!(promoted(&made, &["api", "--to", "production"], PRODUCTION), expected);
}

#[test]
fn several_images_are_written_together() {
    let sidecar = |digit| {
        overlay(&format!(
            "patches:\n  - target: {{kind: Deployment}}\n    patch: |\n      \
        - op: add\n        path: /spec/template/spec/containers/-\n        value: {{name: proxy, image: \"example.com/proxy@{}\", \
        resources: {{requests: {{cpu: 1, memory: 1Mi}}, limits: {{memory: 1Mi}}}}}}\n",
            digest(digit)
        ))
    };
    let made = app(&images('b'), &(sidecar('1') + &images('b').replace("resources: [../base]\n", "")), &sidecar('2'));
    let expected = sidecar('1') + &format!("images:\n  - name: example.com/api\n    digest: {}\n", digest('b'));
    assert_eq!(promoted(&made, &["api", "--to", "production"], PRODUCTION), expected);
    let only = ["api", "--to", "production", "--image", "example.com/proxy"];
    assert_eq!(promoted(&made, &only, PRODUCTION), sidecar('1'));
    let ran = run(repository(&made).path(), &["promote", "api", "--to", "production", "--digest", &digest('1')]);
    assert!(ran.code == 2 && ran.err.contains("name one with `--image`"), "{}", ran.err);
}

#[test]
fn a_mirror_keeps_its_name() {
    let mirrored = |digit| {
        overlay(&format!(
            "images:\n  - name: example.com/api\n    newName: mirror.example/x/api\n    digest: {}\n",
            digest(digit)
        ))
    };
    let mut made = app(&images('b'), &images('b'), &mirrored('a'));
    let refused = run(repository(&made).path(), &["promote", "api", "--to", "production"]);
    assert!(refused.err.contains("nothing of what `api` runs"), "{}{}", refused.out, refused.err);
    made.extend(files(&[("tollgate.yaml", "version: 1\nmirrors: {mirror.example/x: example.com}\n")]));
    assert_eq!(promoted(&made, &["api", "--to", "production"], PRODUCTION), mirrored('b'));
}

#[test]
fn the_committed_versions_follow() {
    let mut made = app(&images('b'), &images('b'), &images('a'));
    let versions = |digit| {
        format!("{{\"apps\": {{\"api\": {{\"production\": {{\"example.com/api\": \"{}\"}}}}}}}}\n", digest(digit))
    };
    made.extend(files(&[("tollgate.yaml", "version: 1\nversions: v.json\n"), ("v.json", &versions('a'))]));
    assert_eq!(promoted(&made, &["api", "--to", "production"], "v.json"), versions('b'));
    let ran = run(repository(&made).path(), &["promote", "api", "--to", "production"]);
    assert!(ran.out.contains("v.json: follows"), "{}", ran.out);
}

#[test]
fn nothing_else_changes() {
    // Without its line break at the end, a block scalar has none either.
    let ending = "resources: [../base]\ncommonAnnotations:\n  a: |\n    x";
    let made = app(&images('b'), &images('b'), ending);
    let made = repository(&made);
    let ran = run(made.path(), &["promote", "api", "--to", "production"]);
    assert!(ran.code == 2 && ran.err.contains("something else would change"), "{}", ran.err);
    assert_eq!(fs::read_to_string(made.path().join(PRODUCTION)).unwrap(), ending);
    let copied = app(
        "resources: [../production]\n",
        &images('b'),
        &images('a').replace("digest", "newTag").replace("sha256:", ""),
    );
    let mut copied = copied;
    copied.extend(files(&[
        (
            "apps/api/base/kustomization.yaml",
            "resources: [deployment.yaml]\nimages: [{name: example.com/api, newTag: v1}]\n",
        ),
        (PRODUCTION, &overlay("")),
    ]));
    let ran = run(repository(&copied).path(), &["promote", "api", "--to", "production"]);
    assert!(ran.code == 2 && ran.err.contains("would change too"), "{}{}", ran.out, ran.err);
}

#[test]
fn line_breaks_of_a_checkout_stay() {
    let made = repository(&app(&images('b'), &images('b'), &images('a')));
    fs::write(made.path().join(PRODUCTION), images('a').replace('\n', "\r\n")).unwrap();
    let ran = run(made.path(), &["promote", "api", "--to", "production"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = fs::read_to_string(made.path().join(PRODUCTION)).unwrap();
    assert_eq!(text, images('b').replace('\n', "\r\n"));
}

#[test]
fn a_pull_request_is_told() {
    let made = repository(&app(&images('b'), &images('b'), &images('a')));
    let ran = run(made.path(), &["promote", "api", "--to", "production", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["schema"], &told["changes"][0]["line"]), (&"tollgate.promotion/1".into(), &5.into()));
    assert_eq!(told["title"], "Promote api to production: sha256:bbbbbbbbbbbb");
    assert!(told["body"].as_str().unwrap().contains("live in staging since 2023-11-14 22:13 UTC"), "{}", told["body"]);
    let again = run(made.path(), &["promote", "api", "--to", "production"]);
    assert_eq!(again.code, 0, "what is there already does no harm: {}", again.err);
    let check = run(made.path(), &["check", "--worktree"]);
    assert_eq!(check.code, 0, "{}{}", check.out, check.err);
}

#[test]
fn nothing_is_written_that_the_gate_refuses() {
    let mut made = app(&images('b'), &images('b'), &images('a'));
    made.extend(files(&[(
        "tollgate.yaml",
        "version: 1\nenvironments:\n  - {name: dev}\n  - {name: staging, promotesFrom: dev}\n  \
         - {name: production, promotesFrom: staging, soak: 900000h, protected: true}\n",
    )]));
    let made = repository(&made);
    let ran = run(made.path(), &["promote", "api", "--to", "production"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("error[promotion/short_soak]") && ran.err.contains("nothing was written"), "{}", ran.err);
    let ran = run(made.path(), &["promote", "api", "--to", "staging", "--digest", &digest('9')]);
    assert!(ran.code == 1 && ran.err.contains("error[promotion/unproven]"), "{}", ran.err);
    assert_eq!(fs::read_to_string(made.path().join(PRODUCTION)).unwrap(), images('a'));
}

#[test]
fn what_cannot_be_promoted_is_told() {
    let made = repository(&app(&images('b'), &images('b'), &images('a')));
    let says = |arguments: &[&str], expected: &str| {
        let ran = run(made.path(), &[&["promote"], arguments].concat());
        assert!(ran.code == 2 && ran.err.contains(expected), "{arguments:?}: {}", ran.err);
    };
    says(&["web", "--to", "production"], "there is no app `web`");
    says(&["api", "--to", "prod"], "there is no environment `prod`");
    says(&["api", "--to", "test"], "has no overlay for test");
    says(&["api", "--to", "dev"], "no environment below dev");
    says(&["api", "--to", "dev", "--digest", "sha256:12"], "is not a digest");
    says(&["api", "--to", "dev", "--image", "example.com/other", "--digest", &digest('1')], "does not run");
    fs::write(made.path().join(PRODUCTION), images('f')).unwrap();
    says(&["api", "--to", "production"], "differs here from the branch");
    assert_eq!(fs::read_to_string(made.path().join(PRODUCTION)).unwrap(), images('f'));
}
