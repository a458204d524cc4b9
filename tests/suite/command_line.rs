//! The binary: exit codes, formats, and what it says when it cannot decide.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tollgate::sources::RepoPath;

use crate::support::{Files, Ran, Repository, files, run, run_in, two_commits};

const KUSTOMIZATION: &str = "resources: [app.yaml]\n";

fn app(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\nspec:\n  selector: {{matchLabels: {{app: api}}}}\n  template:\n    spec:\n      containers:\n        \
         - name: api\n          image: {image}\n          resources: {{requests: {{cpu: 1, memory: 1Mi}}, limits: {{memory: 1Mi}}}}\n"
    )
}

fn pinned(digit: char) -> String {
    app(&format!("ghcr.io/example/api@sha256:{}", digit.to_string().repeat(64)))
}

/// An app that is in staging and production with the same digest.
fn repository() -> Files {
    files(&[
        (".github/CODEOWNERS", "/apps/ @example/team\n"),
        ("apps/api/staging/kustomization.yaml", KUSTOMIZATION),
        ("apps/api/staging/app.yaml", &pinned('a')),
        ("apps/api/prod/kustomization.yaml", KUSTOMIZATION),
        ("apps/api/prod/app.yaml", &pinned('a')),
    ])
}

fn with(base: &Files, changes: &[(&str, &str)]) -> Files {
    let mut head = base.clone();
    head.extend(files(changes));
    head
}

#[test]
fn the_demo_shows_a_refusal_and_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("demo");
    let ran = run(folder.path(), &["demo", target.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for rule in
        ["promotion/unproven", "promotion/short_soak", "image/unpinned", "resources/missing_limits", "secret/missing"]
    {
        assert!(ran.out.contains(&format!("error[{rule}]")), "{rule} is missing in\n{}", ran.out);
    }
    assert_eq!(run(&target, &["check"]).code, 1);
    assert_eq!(run(&target, &["check", "--base", "main", "--head", "main"]).code, 0);
    let drill = run(&target, &["drill"]);
    assert_eq!(drill.code, 0, "{}", drill.out);
    let again = run(folder.path(), &["demo", target.to_str().unwrap()]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("is not empty"), "{}", again.err);
}

#[test]
fn a_refusal_is_told_in_every_form() {
    let base = repository();
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]));
    let human = run(made.path(), &["check"]);
    assert_eq!(human.code, 1, "{}", human.err);
    assert!(human.out.contains("apps/api/prod/app.yaml:11:18"), "{}", human.out);
    let json = run(made.path(), &["check", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((report["schema"].as_str(), report["verdict"].as_str()), (Some("tollgate.report/1"), Some("fail")));
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "promotion/unproven");
    assert_eq!(finding["environment"], "production");
    assert_eq!(finding["location"]["line"], 11);
    assert_eq!(finding["path"], "/spec/template/spec/containers/0/image");
    assert_eq!(finding["resource"]["kind"], "Deployment");
    let github = run(made.path(), &["check", "--format", "github", "--output", "json=report.json"]);
    assert!(
        github.out.starts_with(
            "::error file=apps/api/prod/app.yaml,line=11,endLine=11,col=18,title=tollgate promotion/unproven::"
        ),
        "{}",
        github.out
    );
    let mut written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(made.path().join("report.json")).unwrap()).unwrap();
    written["now"] = report["now"].clone();
    assert_eq!(written, report);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let base = repository();
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/app.yaml", &app("nginx:1"))]));
    let arguments = ["check", "--format", "json", "--now", "2026-01-01T00:00:00Z"];
    assert_eq!(run(made.path(), &arguments).out, run(made.path(), &arguments).out);
}

#[test]
fn a_change_cannot_loosen_its_own_gate() {
    let base = repository();
    let change = |config: &str| {
        let head = with(&base, &[("apps/api/prod/app.yaml", &pinned('b')), ("tollgate.yaml", config)]);
        two_commits(&base, &head)
    };
    let loose = change("version: 1\nrules: {promotion/unproven: {severity: \"off\"}}\n");
    assert_eq!(run(loose.path(), &["check"]).code, 1);
    assert_eq!(run(loose.path(), &["check", "--trust", "head"]).code, 0);
    // Where nothing could be judged any more, nothing is let through.
    let blind = change("version: 1\nenvironments: [{name: anything}]\nlayout: nowhere/{app}/{env}\n");
    for arguments in [&["check"][..], &["check", "--trust", "head"]] {
        assert_eq!(run(blind.path(), arguments).code, 2);
    }
}

type Trick<'a> = &'a dyn Fn(&Path);

/// Whatever production is turned into, its unproven digest is refused.
#[test]
fn nothing_hides_an_overlay() {
    use std::os::unix::fs::symlink;
    let base = with(&repository(), &[("tollgate.yaml", "version: 1\n")]);
    let evil = pinned('e');
    let production = "apps/api/prod";
    let tricks: [(&str, Trick); 6] = [
        ("a component", &|prod| {
            fs::write(prod.join("app.yaml"), &evil).unwrap();
            fs::write(prod.join("kustomization.yaml"), "kind: Component\nresources: [app.yaml]\n").unwrap();
        }),
        ("a folder behind a link", &|prod| {
            fs::rename(prod, prod.with_file_name("next")).unwrap();
            fs::write(prod.with_file_name("next").join("app.yaml"), &evil).unwrap();
            symlink("next", prod).unwrap();
        }),
        ("a kustomization behind two links", &|prod| {
            fs::write(prod.join("app.yaml"), &evil).unwrap();
            fs::rename(prod.join("kustomization.yaml"), prod.join("k1")).unwrap();
            symlink("k1", prod.join("k2")).unwrap();
            symlink("k2", prod.join("kustomization.yaml")).unwrap();
        }),
        ("a kustomization behind a link that leaves", &|prod| {
            fs::remove_file(prod.join("kustomization.yaml")).unwrap();
            symlink("/etc/hostname", prod.join("kustomization.yaml")).unwrap();
        }),
        ("a part of another overlay", &|prod| {
            fs::write(prod.join("app.yaml"), &evil).unwrap();
            fs::create_dir(prod.with_file_name("prod-x")).unwrap();
            fs::write(prod.with_file_name("prod-x").join("kustomization.yaml"), "resources: [../prod]\n").unwrap();
        }),
        ("something that does not render", &|prod| {
            fs::write(prod.join("kustomization.yaml"), "resources: [app.yaml]\nvars: [{name: X}]\n").unwrap();
        }),
    ];
    for (name, trick) in tricks {
        let made = two_commits(&base, &base);
        assert_eq!(run(made.path(), &["check", "--worktree"]).code, 0, "{name}");
        trick(&made.path().join(production));
        let ran = run(made.path(), &["check", "--worktree"]);
        assert_eq!(ran.code, 1, "{name}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("production"), "{name}: {}", ran.out);
    }
}

#[test]
fn an_overlay_that_did_not_render_before_is_no_open_door() {
    let broken = ("apps/api/prod/kustomization.yaml", "resources: [app.yaml]\nvars: [{name: X}]\n");
    let base = with(&repository(), &[broken]);
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/app.yaml", &pinned('e'))]));
    let ran = run(made.path(), &["check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("error[render/failed]"), "{}", ran.out);
}

#[test]
fn another_fault_in_the_same_place_is_a_new_one() {
    let secret = |name: &str| {
        format!(
            "{}          env:\n            - name: X\n              valueFrom: {{secretKeyRef: {{name: {name}, key: k}}}}\n",
            pinned('a')
        )
    };
    let base = with(&repository(), &[("apps/api/prod/app.yaml", &secret("known"))]);
    let same = with(&base, &[("apps/api/prod/app.yaml", &secret("known").replace("cpu: 1,", "cpu: 2,"))]);
    assert_eq!(run(two_commits(&base, &same).path(), &["check"]).code, 0);
    let other = with(&base, &[("apps/api/prod/app.yaml", &secret("other"))]);
    assert_eq!(run(two_commits(&base, &other).path(), &["check"]).code, 1);
}

#[test]
fn hostile_changes_end_soon() {
    let base = repository();
    let copies = (0..60).map(|at| format!("      - {{op: copy, from: /metadata, path: /metadata/x{at}}}\n"));
    let bomb = format!(
        "{KUSTOMIZATION}patches:\n  - target: {{kind: Deployment}}\n    patch: |-\n{}",
        copies.collect::<String>()
    );
    let mut lattice = base.clone();
    for level in 0..30 {
        let below = if level == 0 {
            "resources: [x.yaml]\n".to_owned()
        } else {
            format!("resources: [../../d{0}/a, ../../d{0}/b]\n", level - 1)
        };
        lattice.extend(files(&[
            (&format!("d{level}/a/kustomization.yaml"), &below),
            (&format!("d{level}/b/kustomization.yaml"), &below),
        ]));
    }
    let images = (0..3000).map(|at| format!("  - {{name: \"ghcr.*\", newTag: v{at}}}")).collect::<Vec<_>>().join("\n");
    for (name, head, code) in [
        ("copies", with(&base, &[("apps/api/prod/kustomization.yaml", &bomb)]), 1),
        ("lattice", lattice, 0),
        (
            "images",
            with(&base, &[("apps/api/prod/kustomization.yaml", &format!("{KUSTOMIZATION}images:\n{images}"))]),
            1,
        ),
    ] {
        let made = two_commits(&base, &head);
        let ran = run(made.path(), &["check"]);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn a_secret_is_never_printed() {
    let secret = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  password: {value}\n")
    };
    let freeze =
        "version: 1\nfreezes: [{name: now, environments: [production], from: 2020-01-01, until: 2099-01-01}]\n";
    let base = with(
        &repository(),
        &[
            ("tollgate.yaml", freeze),
            ("apps/api/prod/kustomization.yaml", "resources: [app.yaml, s.yaml]\n"),
            ("apps/api/prod/s.yaml", &secret("hunter1")),
        ],
    );
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/s.yaml", &secret("hunter2"))]));
    for format in ["human", "json", "github"] {
        let ran = run(made.path(), &["check", "--format", format]);
        assert_eq!(ran.code, 1);
        assert!(!ran.out.contains("hunter"), "{}", ran.out);
    }
    let ran = run(made.path(), &["diff"]);
    assert!(!ran.out.contains("hunter"), "{}", ran.out);
    assert!(ran.out.contains("-  password: (hidden, old)\n+  password: (hidden, new)\n"), "{}", ran.out);
}

#[test]
fn a_difference_is_shown_object_by_object() {
    let config =
        |value: &str| format!("resources: [app.yaml]\nconfigMapGenerator: [{{name: c, literals: [a={value}]}}]\n");
    let base = with(&repository(), &[("apps/api/prod/kustomization.yaml", &config("1"))]);
    let (old, new, web) = (config("1"), config("2"), pinned('b'));
    let changes = [
        ("apps/api/prod/kustomization.yaml", &*new),
        ("apps/web/prod/kustomization.yaml", &old),
        ("apps/web/prod/app.yaml", &web),
    ];
    let made = two_commits(&base, &with(&base, &changes));
    let ran = run(made.path(), &["diff"]);
    assert_eq!((ran.code, &*ran.err), (0, "2 overlays compared, 2 with differences\n"));
    // A generated name differs by its hash alone: one object, not two.
    assert!(ran.out.starts_with("api ConfigMap c-"), "{}", ran.out);
    assert!(ran.out.contains("-  a: \"1\"\n+  a: \"2\"\n"), "{}", ran.out);
    assert!(!ran.out.contains("api Deployment"), "{}", ran.out);
    let only = run(made.path(), &["diff", "--app", "web"]);
    assert!(only.out.starts_with("web ConfigMap c-") && only.out.contains("+  a: \"1\"\n"), "{}", only.out);

    let ran = run(made.path(), &["diff", "--env", "staging", "--env", "production"]);
    assert_eq!(ran.err, "1 overlay compared, 1 with differences\n");
    assert!(ran.out.contains("--- apps/api/staging\n+++ apps/api/prod\n"), "{}", ran.out);
    assert_eq!(run(made.path(), &["diff", "--env", "staging", "--env", "staging"]).out, "");
    assert!(run(made.path(), &["diff", "--worktree"]).out.is_empty());
    let ran = run(made.path(), &["diff", "--env", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no environment `nowhere`") && ran.err.contains("staging"), "{}", ran.err);
    assert_eq!(run(made.path(), &["diff", "--env", "dev", "--env", "staging", "--env", "production"]).code, 2);
    fs::write(made.path().join("apps/web/prod/app.yaml"), "{").unwrap();
    let ran = run(made.path(), &["diff", "--worktree"]);
    assert_eq!((ran.code, &*ran.out), (2, ""), "what does not render has no difference to show");
    assert!(ran.err.contains("apps/web/prod (the working tree) does not render:\nerror: "), "{}", ran.err);
}

#[test]
fn what_runs_where_is_told_with_its_commit() {
    let base = repository();
    let made = Repository::new();
    let first = made.commit("main", &base, "Ana", 1_700_000_000, &[]);
    let next = with(&base, &[("apps/api/staging/app.yaml", &pinned('b'))]);
    let second = made.commit("main", &next, "Ben", 1_700_086_400, &[first]);
    made.commit("main", &with(&next, &[("apps/api/prod/app.yaml", "{")]), "Eve", 1_700_172_800, &[second]);
    let read = |arguments: &[&str]| -> serde_json::Value {
        let ran = run(made.path(), &[arguments, &["--format", "json"]].concat());
        assert_eq!((ran.code, &*ran.err), (0, ""));
        serde_json::from_str(&ran.out).unwrap()
    };
    let [a, b] = ['a', 'b'].map(|digit| format!("sha256:{}", digit.to_string().repeat(64)));
    let history = read(&["history", "api", "--env", "staging"]);
    let rows = history["live"]["api"]["staging"].as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| [&row["digest"], &row["from"], &row["to"]].map(|cell| cell.as_str())).collect();
    let (from, to) = (Some("2023-11-14T22:13:20Z"), Some("2023-11-15T22:13:20Z"));
    assert_eq!(told, [[Some(&*a), from, to], [Some(&*b), to, None]]);
    assert!(history["live"]["api"].get("production").is_none());

    let status = read(&["status", "--at", "2023-11-15T00:00:00Z"]);
    assert_eq!(status["apps"]["api"]["staging"][0]["digest"], *a);
    assert_eq!(status["apps"]["api"]["staging"][0]["author"], "Ana");
    assert_eq!(status["apps"]["api"]["production"][0]["digest"], *a);
    assert_eq!(status["gaps"].as_array().unwrap().len(), 0);
    let now = read(&["status"]);
    assert_eq!(now["apps"]["api"]["staging"][0]["digest"], *b);
    assert_eq!(now["gaps"][0]["overlay"], "apps/api/prod", "what does not render is not known, and not left out");
    for command in ["history", "status"] {
        for format in ["human", "markdown"] {
            let ran = run(made.path(), &[command, "--format", format]);
            assert!(ran.code == 0 && ran.out.contains("unknown: "), "{}", ran.out);
        }
    }
    assert_eq!(run(made.path(), &["status", "--at", "yesterday"]).code, 2);
    fs::write(made.path().join(".git/shallow"), format!("{second}\n")).unwrap();
    for command in ["history", "status"] {
        let ran = run(made.path(), &[command]);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains("fetch-depth: 0"), "{}", ran.err);
    }
}

#[test]
fn what_controllers_report_counts_where_it_is_asked_for() {
    let mut base = repository();
    base.extend(files(&[
        ("apps/api/staging/app.yaml", &pinned('b')),
        (
            "tollgate.yaml",
            "version: 1\nenvironments:\n  - {name: staging, evidence: argocd}\n  \
             - {name: production, aliases: [prod], promotesFrom: staging}\n",
        ),
    ]));
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]));
    let check = |report: Option<(&str, &str)>| {
        let mut arguments = vec!["check", "--rule", "promotion/unproven", "--argocd", "apps.json"];
        match report {
            None => arguments.truncate(3),
            Some((revision, health)) => {
                let text = format!(
                    r#"{{"items": [{{"metadata": {{"name": "api-staging"}}, "spec": {{"source": {{"path": "apps/api/staging"}}}},
                    "status": {{"sync": {{"status": "Synced", "revision": "{revision}"}}, "health": {{"status": "{health}"}}}}}}]}}"#
                );
                fs::write(made.path().join("apps.json"), text).unwrap();
            }
        }
        run(made.path(), &arguments)
    };
    let report = run(made.path(), &["check", "--rule", "render/failed", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    let main = report["base"].as_str().unwrap().to_owned();
    let without = check(None);
    assert!(without.code == 2 && without.err.contains("asks for evidence by Argo CD"), "{}", without.err);
    let ill = check(Some((&main, "Degraded")));
    assert!(ill.code == 1 && ill.out.contains("`api-staging` runs this, by commit"), "{}", ill.out);
    let elsewhere = check(Some((&"0".repeat(40), "Healthy")));
    assert!(elsewhere.code == 1 && elsewhere.out.contains("is not in this clone"), "{}", elsewhere.out);
    let well = check(Some((&main, "Healthy")));
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    let status = run(made.path(), &["status", "--base", "main", "--argocd", "apps.json"]);
    assert!(status.out.contains("Argo CD `api-staging` runs this, commit"), "{}{}", status.out, status.err);
    let status = run(made.path(), &["status", "--base", "main", "--argocd", "apps.json", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!((&told["running"][0]["asDeclared"], &told["running"][0]["healthy"]), (&true.into(), &true.into()));
    let wrong = run(made.path(), &["status", "--flux", "apps.json"]);
    assert_eq!(wrong.code, 0, "an Argo CD application is a Flux object without a path: {}", wrong.err);
    let broken = run(made.path(), &["status", "--flux", "tollgate.yaml"]);
    assert!(broken.code == 2 && broken.err.contains("kubectl get kustomizations"), "{}", broken.err);
}

#[test]
fn versions_are_written_to_be_committed() {
    let mut base = repository();
    base.extend(files(&[("tollgate.yaml", "version: 1\nversions: versions.json\n")]));
    let head = with(&base, &[("apps/api/prod/app.yaml", &pinned('a').replace("/api@", "/other@"))]);
    let made = two_commits(&base, &head);
    let told = run(made.path(), &["check", "--rule", "status/stale"]);
    assert!(told.code == 0 && told.out.contains("warning[status/stale]"), "{}", told.out);
    let written = run(made.path(), &["status", "--write", "versions.json"]);
    assert_eq!(written.code, 0, "{}", written.err);
    let text = fs::read_to_string(made.path().join("versions.json")).unwrap();
    let line = format!("        \"ghcr.io/example/other\": \"sha256:{}\"\n", "a".repeat(64));
    assert!(text.contains(&line), "{text}");
    let quiet = run(made.path(), &["check", "--worktree", "--all", "--rule", "status/stale"]);
    assert!(quiet.code == 0 && !quiet.out.contains("[status/stale]"), "{}{}", quiet.out, quiet.err);
}

#[test]
fn what_is_staged_is_judged() {
    let base = repository();
    let head = with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]);
    let made = two_commits(&base, &head);
    fs::write(made.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let staged = run(made.path(), &["check", "--staged"]);
    assert_eq!(staged.code, 1, "{}{}", staged.out, staged.err);
    assert!(staged.out.contains("head the index"), "{}", staged.out);
    made.check_out("main", &base);
    assert_eq!(run(made.path(), &["check", "--staged"]).code, 0);
    fs::write(made.path().join("apps/api/prod/app.yaml"), app("nginx:1")).unwrap();
    assert_eq!(run(made.path(), &["check", "--staged"]).code, 0);
    assert_eq!(run(made.path(), &["check", "--worktree"]).code, 1);
}

#[test]
fn a_stale_branch_is_judged_as_it_would_land() {
    let made = Repository::new();
    let base = repository();
    let root = made.commit("main", &base, "Ana", 1_700_000_000, &[]);
    // Since the branch began, main has made production depend on a file that the branch changes.
    let listed = with(
        &base,
        &[
            ("apps/api/prod/kustomization.yaml", "resources: [app.yaml, ../../../extra]\n"),
            ("extra/kustomization.yaml", "resources: [x.yaml]\n"),
            ("extra/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ],
    );
    made.commit("main", &listed, "Ana", 1_700_000_100, &[root]);
    let branch = with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]);
    made.commit("change", &branch, "Ana", 1_700_000_200, &[root]);
    made.check_out("change", &branch);
    let ran = run(made.path(), &["check"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 of 2 overlays affected"), "{}", ran.out);
    // A conflict cannot be judged.
    let other = with(&base, &[("apps/api/prod/kustomization.yaml", "resources: [other.yaml]\n")]);
    made.commit("conflict", &other, "Ana", 1_700_000_300, &[root]);
    let conflict = run(made.path(), &["check", "--base", "main", "--head", "conflict"]);
    assert_eq!(conflict.code, 2);
    assert!(conflict.err.contains("conflicts with the base in `apps/api/prod/kustomization.yaml`"), "{}", conflict.err);
}

#[test]
fn what_cannot_be_decided_says_why_and_never_passes() {
    let empty_folder = tempfile::tempdir().unwrap();
    let unborn = Repository::new();
    let base = repository();
    let good = two_commits(&base, &with(&base, &[("README.md", "x")]));
    let no_overlay = two_commits(&files(&[("a/x", "y")]), &files(&[("a/x", "z")]));
    let broken = with(&base, &[("tollgate.yaml", "version: 1\nenvironmets: []\nlayout: apps/{app}\n")]);
    let broken = two_commits(&broken, &with(&broken, &[("README.md", "x")]));
    let breaks = two_commits(&base, &with(&base, &[("tollgate.yaml", "version: 1\nfreezes: 3\n")]));
    for (folder, arguments, message, help) in [
        (breaks.path(), vec!["check"], "`freezes`", "tollgate.yaml:2"),
        (empty_folder.path(), vec!["check"], "is not in a Git repository", "--repo"),
        (unborn.path(), vec!["check"], "has no commit yet", "commit something"),
        (good.path(), vec!["check", "--base", "nonsense"], "`nonsense` is not a commit", "git fetch"),
        (good.path(), vec!["check", "--now", "soon"], "not a valid time", "RFC 3339"),
        (good.path(), vec!["check", "--env", "prd"], "there is no environment `prd`", "production"),
        (good.path(), vec!["check", "--app", "ap"], "no overlay matches app `ap`", "tollgate status"),
        (good.path(), vec!["check", "--rule", "x/y"], "there is no rule `x/y`", "image/unpinned"),
        (good.path(), vec!["check", "--review", "absent.json"], "cannot read `absent.json`", "JSON"),
        (no_overlay.path(), vec!["check"], "no overlay was found", "layout"),
        (broken.path(), vec!["check"], "has no key `environmets`", "did you mean `environments`"),
        (broken.path(), vec!["check"], "this layout names no environment", "tollgate.yaml:3:9"),
    ] {
        let ran = run(folder, &arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(message) && ran.err.contains(help), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
    }
    assert_eq!(run(good.path(), &["check"]).code, 0);
}

#[test]
fn a_shallow_clone_is_no_excuse() {
    let base = repository();
    let made = Repository::new();
    let first = made.commit("main", &base, "Ana", 1_700_000_000, &[]);
    let staged = with(&base, &[("apps/api/staging/app.yaml", &pinned('b'))]);
    let second = made.commit("main", &staged, "Ana", 1_700_000_100, &[first]);
    let known = with(&staged, &[("apps/api/prod/app.yaml", &pinned('b'))]);
    made.commit("known", &known, "Ana", 1_700_000_200, &[second]);
    let unknown = with(&staged, &[("apps/api/prod/app.yaml", &pinned('c'))]);
    made.commit("unknown", &unknown, "Ana", 1_700_000_200, &[second]);
    fs::write(made.path().join(".git/shallow"), format!("{second}\n")).unwrap();
    // What stands in the commits at hand is an answer; what may stand before them is none.
    assert_eq!(run(made.path(), &["check", "--head", "known"]).code, 0);
    let ran = run(made.path(), &["check", "--head", "unknown"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("fetch-depth: 0") && ran.err.contains("GIT_DEPTH: 0"), "{}", ran.err);
}

#[test]
fn continuous_integration_names_both_sides() {
    let base = repository();
    let made = Repository::new();
    let main = made.commit("main", &base, "Ana", 1_700_000_000, &[]);
    let head = with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]);
    let change = made.commit("change", &head, "Ana", 1_700_000_100, &[main]);
    let merge = made.commit("merge", &head, "Forge", 1_700_000_200, &[main, change]);
    made.check_out("merge", &head);
    let event = made.path().join(".git/event.json");
    let run_with = |event_text: String, variables: &[(&str, &str)]| {
        fs::write(&event, event_text).unwrap();
        let mut all = vec![("GITHUB_EVENT_PATH", event.to_str().unwrap())];
        all.extend(variables);
        run_in(made.path(), &["check", "--format", "json"], &all)
    };
    let sides = |ran: &Ran| {
        let report: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
        (report["base"].as_str().unwrap().to_owned(), report["head"].as_str().unwrap().to_owned())
    };
    let expected = (main.to_string(), change.to_string());
    let github = [("GITHUB_ACTIONS", "true")];
    let pull_request = format!(r#"{{"pull_request": {{"base": {{"sha": "{main}"}}, "head": {{"sha": "{change}"}}}}}}"#);
    let ran = run_with(pull_request, &github);
    assert_eq!((ran.code, sides(&ran)), (1, expected.clone()));
    // Another merge that happens to be checked out is not this request's.
    let other = made.commit("other", &base, "Forge", 1_700_000_300, &[main, main]);
    fs::write(made.path().join(".git/HEAD"), "ref: refs/heads/other\n").unwrap();
    let ran = run_with(
        format!(r#"{{"pull_request": {{"base": {{"sha": "{main}"}}, "head": {{"sha": "{change}"}}}}}}"#),
        &github,
    );
    assert_eq!((ran.code, sides(&ran)), (1, expected.clone()), "{other}");
    fs::write(made.path().join(".git/HEAD"), "ref: refs/heads/merge\n").unwrap();
    let queue = format!(r#"{{"merge_group": {{"base_sha": "{main}", "head_sha": "{merge}"}}}}"#);
    let ran = run_with(queue, &github);
    assert_eq!((ran.code, sides(&ran)), (1, (main.to_string(), merge.to_string())));
    let ran = run_with("{".to_owned(), &github);
    assert_eq!(ran.code, 2);
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("CI_COMMIT_SHA", &change.to_string()),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
    ];
    let ran = run_in(made.path(), &["check", "--format", "json"], &gitlab);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("git fetch origin"), "{}", ran.err);
    fs::create_dir_all(made.path().join(".git/refs/remotes/origin")).unwrap();
    fs::write(made.path().join(".git/refs/remotes/origin/main"), format!("{main}\n")).unwrap();
    let ran = run_in(made.path(), &["check", "--format", "json"], &gitlab);
    assert_eq!((ran.code, sides(&ran)), (1, expected));
}

#[test]
fn rules_explain_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let listed = run(folder.path(), &["rules"]);
    assert_eq!((listed.code, listed.out.lines().count()), (0, crate::house::rules().len()));
    let explained = run(folder.path(), &["explain", "image/unpinned"]);
    assert!(explained.out.contains("what to do: pin the digest"), "{}", explained.out);
    let unknown = run(folder.path(), &["explain", "image/unpined"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("did you mean `image/unpinned`"), "{}", unknown.err);
}

#[test]
fn facts_are_the_rules_input() {
    let base = repository();
    let made = two_commits(&base, &with(&base, &[("apps/api/prod/app.yaml", &pinned('b'))]));
    let ran = run(made.path(), &["facts", "--app", "api"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["overlay"]["path"], "apps/api/prod");
    assert_eq!(document["facts"]["promotions"][0]["below"][0]["environment"], "staging");
}

#[test]
fn render_works_outside_of_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kustomization.yaml"), "resources: [a.yaml]\nnamePrefix: x-\n").unwrap();
    fs::write(folder.path().join("a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    let ran = run(folder.path(), &["render", "."]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x-a\n"));
    let origins = run(folder.path(), &["render", "--origins"]);
    assert!(origins.out.contains("kustomization.yaml:2 (name ← a.yaml:3) │   name: x-a"), "{}", origins.out);
    assert_eq!(run(folder.path(), &["render", "absent"]).code, 2);
}

/// An app at `apps/api` that runs a digest, with the environments of `configuration`.
fn app_on_a_branch(configuration: &str, digit: &str) -> Files {
    let image = format!("ghcr.io/example/api@sha256:{}", digit.repeat(64));
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{template: {{spec: {{containers: [{{name: api, \
         image: \"{image}\", resources: {{requests: {{cpu: 1m, memory: 1Mi}}, limits: {{memory: 1Mi}}}}}}]}}}}}}\n"
    );
    files(&[
        ("tollgate.yaml", configuration),
        ("apps/api/kustomization.yaml", "resources: [app.yaml]\n"),
        ("apps/api/app.yaml", &text),
    ])
}

#[test]
fn environments_may_be_branches() {
    let configuration = "version: 1\nlayout: apps/{app}\nenvironments:\n- {name: staging, branch: stage}\n\
                         - {name: production, branch: release, protected: true, soak: 24h}\n";
    let made = Repository::new();
    let [a, b, c] = ["a", "b", "c"].map(|digit| app_on_a_branch(configuration, digit));
    let day = 86_400;
    let root = made.commit("main", &a, "Ana", 1_700_000_000, &[]);
    let release = made.commit("release", &a, "Ana", 1_700_000_000 + 60, &[root]);
    let stage = made.commit("stage", &a, "Ana", 1_700_000_000 + 60, &[root]);
    made.commit("stage", &b, "Ana", 1_700_000_000 + day, &[stage]);
    made.commit("proven", &b, "Ana", 1_700_000_000 + 3 * day, &[release]);
    made.commit("unproven", &c, "Ana", 1_700_000_000 + 3 * day, &[release]);
    let judged =
        |head: &str, now: &str| run(made.path(), &["check", "--base", "release", "--head", head, "--now", now]);
    let late = judged("proven", "2023-11-20T00:00:00Z");
    assert_eq!(late.code, 0, "{}{}", late.out, late.err);
    let early = judged("proven", "2023-11-16T00:00:00Z");
    assert!(early.code == 1 && early.out.contains("promotion/short_soak"), "{}{}", early.out, early.err);
    let unproven = judged("unproven", "2023-11-20T00:00:00Z");
    assert!(unproven.out.contains("has never been live in staging"), "{}{}", unproven.out, unproven.err);
    let elsewhere = run(made.path(), &["check", "--base", "main", "--head", "proven"]);
    assert_eq!(elsewhere.code, 2, "{}", elsewhere.out);
    assert!(elsewhere.err.contains("no environment is on the branch"), "{}", elsewhere.err);
}

#[test]
fn environments_may_be_repositories() {
    let configuration = "version: 1\nlayout: apps/{app}\nenvironments:\n- {name: staging, repository: below}\n\
                         - {name: production, protected: true}\n";
    let [a, b, c] = ["a", "b", "c"].map(|digit| app_on_a_branch(configuration, digit));
    let (below, made) = (Repository::new(), Repository::new());
    let first = below.commit("main", &a, "Ana", 1_700_000_000, &[]);
    below.commit("main", &b, "Ana", 1_700_090_000, &[first]);
    let root = made.commit("main", &a, "Ana", 1_700_000_000, &[]);
    made.commit("proven", &b, "Ana", 1_700_200_000, &[root]);
    made.commit("unproven", &c, "Ana", 1_700_200_000, &[root]);
    let clone = format!("below={}", below.path().display());
    let judged =
        |head: &str, more: &[&str]| run(made.path(), &[&["check", "--base", "main", "--head", head], more].concat());
    let proven = judged("proven", &["--clone", &clone]);
    assert_eq!(proven.code, 0, "{}{}", proven.out, proven.err);
    let unproven = judged("unproven", &["--clone", &clone]);
    assert!(unproven.code == 1 && unproven.out.contains("has never been live in staging"), "{}", unproven.out);
    let without = judged("proven", &[]);
    assert!(without.code == 2 && without.err.contains("--clone below=DIR"), "{}", without.err);
}

#[test]
fn remote_bases_are_rendered_from_clones_that_are_supplied() {
    let (remote, made) = (Repository::new(), Repository::new());
    let base =
        |digit| files(&[("deploy/base/kustomization.yaml", KUSTOMIZATION), ("deploy/base/app.yaml", &pinned(digit))]);
    let first = remote.commit("main", &base('a'), "Ana", 1_700_000_000, &[]);
    let second = remote.commit("v2.0.0", &base('b'), "Ana", 1_700_000_000, &[first]);
    let overlay =
        |version: &str| format!("resources: [\"https://github.com/example/web//deploy/base?ref={version}\"]\n");
    let (old, new) = (overlay(&first.to_string()), overlay(&second.to_string()));
    let root = made.commit(
        "main",
        &files(&[("web/staging/kustomization.yaml", &old), ("web/prod/kustomization.yaml", &old)]),
        "Ana",
        1_700_000_000,
        &[],
    );
    let change = files(&[("web/staging/kustomization.yaml", &old), ("web/prod/kustomization.yaml", &new)]);
    made.commit("change", &change, "Ana", 1_700_100_000, &[root]);
    let sources = tempfile::tempdir().unwrap();
    fs::create_dir_all(sources.path().join("github.com/example")).unwrap();
    std::os::unix::fs::symlink(remote.path(), sources.path().join("github.com/example/web.git")).unwrap();
    let folder = sources.path().display().to_string();
    let judged = |more: &[&str]| run(made.path(), &[&["check", "--base", "main", "--head", "change"], more].concat());
    let seen = judged(&["--sources", &folder]);
    assert_eq!(seen.code, 1, "{}{}", seen.out, seen.err);
    assert!(seen.out.contains("ghcr.io/example/api@sha256:bbbbbbbb…` has never been live"), "{}", seen.out);
    assert!(seen.out.contains("web/prod/kustomization.yaml:1") && !seen.out.contains("is not seen"), "{}", seen.out);
    let unseen = judged(&[]);
    assert!(unseen.out.contains("is not seen") && !unseen.out.contains("ghcr.io/example/api"), "{}", unseen.out);
    made.check_out("change", &change);
    let rendered = run(made.path(), &["render", "web/prod", "--sources", &folder]);
    assert!(rendered.code == 0 && rendered.out.contains(&"b".repeat(64)), "{}{}", rendered.out, rendered.err);
}

#[test]
fn the_deciding_line_of_codeowners_is_shown() {
    let base = with(&repository(), &[(".github/CODEOWNERS", "* @all\n/apps/ @example/team\n/apps/api/ nobody\n")]);
    let made = two_commits(&base, &base);
    let ran = run(made.path(), &["owners", "apps/api/prod/app.yaml", "README.md"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = "apps/api/prod/app.yaml\n  .github/CODEOWNERS:2  /apps/  @example/team\nREADME.md\n  .github/CODEOWNERS:1  *  @all\n\
                    warning: .github/CODEOWNERS:3 does not count: `nobody` is not an owner; write `@user`, `@org/team` or a mail address\n";
    assert_eq!(ran.out, expected);
}

#[test]
fn jobs_of_gitlab_are_told_of_deploy_freezes() {
    let config = "version: 1\nfreezes:\n- {name: gitlab, environments: [production], during: CI_DEPLOY_FREEZE}\n- {name: pair, \
                  environments: [production], start: 0 23 * * 5, end: 0 7 * * 1}\n";
    let base = with(&repository(), &[("tollgate.yaml", config)]);
    let touched = with(
        &base,
        &[("apps/api/overlays/production/kustomization.yaml", "resources: [../../base]\nnamePrefix: a-\n")],
    );
    let made = two_commits(&base, &touched);
    let check = |now: &str, variables: &[(&str, &str)]| {
        let arguments = ["check", "--base", "main", "--head", "change", "--rule", "freeze/active", "--now", now];
        run_in(made.path(), &arguments, variables)
    };
    let (tuesday, sunday) = ("2026-11-24T12:00:00Z", "2026-11-29T12:00:00Z");
    let here = check(tuesday, &[]);
    assert!(here.code == 0 && here.out.contains("not judged: deploy freezes of GitLab"), "{}{}", here.out, here.err);
    let open = check(tuesday, &[("GITLAB_CI", "true")]);
    assert!(open.code == 0 && !open.out.contains("not judged: deploy freezes"), "{}{}", open.out, open.err);
    let frozen = check(tuesday, &[("GITLAB_CI", "true"), ("CI_DEPLOY_FREEZE", "true")]);
    assert!(
        frozen.code == 1 && frozen.out.contains("until GitLab's deploy freeze has ended"),
        "{}{}",
        frozen.out,
        frozen.err
    );
    let paired = check(sunday, &[]);
    assert!(
        paired.code == 1 && paired.out.contains("until 2026-11-30 07:00 UTC (pair)"),
        "{}{}",
        paired.out,
        paired.err
    );
}

#[test]
fn sync_windows_are_shown_with_what_was_probably_not_meant() {
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: shop}\nspec:\n  syncWindows:\n  - {kind: deny, \
                   schedule: 0 22 * * 5, duration: 60h, timeZone: Europe/Berlin, applications: ['*']}\n  - {kind: deny, schedule: 0 0 30 2 \
                   *, duration: 1h, timeZone: Mars/Town}\n  - {kind: allow, schedule: x, duration: 1h, applications: ['*']}\n";
    let config = "version: 1\nfreezes:\n- {name: one, environments: [production], from: 2026-12-01, until: 2026-12-05}\n- {name: other, \
                  environments: [production], from: 2026-12-03, until: 2026-12-08}\n";
    let base = with(&repository(), &[("argocd/project.yaml", project), ("tollgate.yaml", config)]);
    let made = two_commits(&base, &base);
    let told = run(made.path(), &["freeze", "--now", "2026-11-28T00:00:00Z"]);
    for text in [
        "shop: deny `0 22 * * 5` for 60h: open until 2026-11-30 09:00 UTC, 10:00 Europe/Berlin",
        "the time zone `Mars/Town` is unknown, so that Argo CD takes UTC",
        "it names no application, namespace or cluster, so that it is for none",
        "its schedule never fires, which Argo CD takes for a window that is always open",
        "shop: allow `x` for 1h: unreadable",
        "the freezes `one` and `other` overlap, first from 2026-12-03 00:00 UTC to 2026-12-05 00:00 UTC",
    ] {
        assert!(told.out.contains(text), "{text}: {}{}", told.out, told.err);
    }
    let json = run(made.path(), &["freeze", "--format", "json", "--now", "2026-11-28T00:00:00Z"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["syncWindows"][0]["changesAt"], "2026-11-30T09:00:00Z");
    assert_eq!(json["syncWindows"][2]["active"], serde_json::Value::Null);
}

#[test]
fn a_repository_is_set_up_with_what_is_found_in_it() {
    let base = with(&repository(), &[(".github/CODEOWNERS", "/apps/ @org/team\n")]);
    let made = two_commits(&base, &base);
    let told = run(made.path(), &["init", "--source", "org/tollgate"]);
    assert_eq!(told.code, 0, "{}", told.err);
    for text in [
        "production",
        "written: tollgate.yaml",
        "written: .github/workflows/tollgate.yml",
        "`tollgate drill`",
        "written: .github/workflows/tollgate-recheck.yml",
    ] {
        assert!(told.out.contains(text), "{text}: {}", told.out);
    }
    assert!(!told.out.contains("add a CODEOWNERS"), "{}", told.out);
    let before = run(made.path(), &["status"]).out;
    let config = fs::read_to_string(made.path().join("tollgate.yaml")).unwrap();
    assert!(config.contains("  - name: production\n    protected: true"), "{config}");
    let workflow = fs::read_to_string(made.path().join(".github/workflows/tollgate.yml")).unwrap();
    assert!(workflow.contains("uses: org/tollgate@main") && workflow.contains("merge_group"), "{workflow}");
    // What was written is a change like any other, and finds the same.
    let judged = run(made.path(), &["check", "--worktree", "--rule", "config/unknown_app"]);
    assert_eq!(judged.code, 0, "{}{}", judged.out, judged.err);
    assert_eq!(run(made.path(), &["status"]).out, before);
    let again = run(made.path(), &["init", "--forge", "gitlab", "--dry-run"]);
    assert!(
        again.out.contains("kept: tollgate.yaml") && again.out.contains("would write .gitlab/ci/tollgate.yml"),
        "{}",
        again.out
    );
    assert!(!made.path().join(".gitlab").exists());
}

#[test]
fn shells_and_man_are_served() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let told = run(folder.path(), &["completions", shell]);
        assert!(told.code == 0 && told.out.contains("fetch-missing"), "{shell}");
    }
    assert!(run(folder.path(), &["man"]).out.contains("tollgate"));
}

#[test]
fn shards_make_one_verdict_together() {
    let mut base = repository();
    for app in ["web", "db", "queue"] {
        let other = |(path, text): (&RepoPath, &String)| {
            (
                RepoPath::new(&path.as_str().replace("apps/api", &format!("apps/{app}"))).unwrap(),
                text.replace("example/api", app),
            )
        };
        base.extend(repository().iter().map(other).collect::<Files>());
    }
    let touched: Files = base
        .iter()
        .map(|(path, text)| {
            let is_one = path.as_str().ends_with("overlays/production/kustomization.yaml");
            (path.clone(), if is_one { format!("{text}namePrefix: a-\n") } else { text.clone() })
        })
        .collect();
    let made = two_commits(&base, &touched);
    let file = |name: &str| made.path().join(".git").join(name).to_str().unwrap().to_owned();
    let check =
        |more: &[&str]| run(made.path(), &[&["check", "--base", "main", "--head", "change", "--all"], more].concat());
    let read = |path: &str| serde_json::from_str::<serde_json::Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let whole = file("whole.json");
    let told = check(&["--output", &format!("json={whole}")]);
    let parts: Vec<String> = (1..=3).map(|part| file(&format!("{part}.json"))).collect();
    for (at, part) in parts.iter().enumerate() {
        let ran = check(&["--shard", &format!("{}/3", at + 1), "--output", &format!("json={part}")]);
        assert!(ran.code <= 1 && ran.out.contains("not judged: the apps of other shards"), "{}{}", ran.out, ran.err);
    }
    let [one, two, three] = [&*parts[0], &*parts[1], &*parts[2]];
    let outside = file("outside.json");
    let mut report = read(three);
    report["shard"]["index"] = 4.into();
    fs::write(&outside, report.to_string()).unwrap();
    let merged = file("merged.json");
    let ran = run(made.path(), &["merge", three, one, two, "--output", &merged]);
    assert_eq!(ran.code, told.code, "{}{}", ran.out, ran.err);
    for field in ["verdict", "overlays", "findings", "notJudged"] {
        assert_eq!(read(&merged)[field], read(&whole)[field], "{field}");
    }
    for (arguments, why) in [
        (vec!["merge", one, three], "no report of shard `2/3` is there"),
        (vec!["merge", one, one, three], "shard 1/3 is there twice"),
        (vec!["merge", one, two, three, &outside], "says that it is shard 4/3"),
        (vec!["merge", one, &whole], "are not of the same change"),
        (vec!["merge", "tollgate.yaml"], "tollgate.yaml"),
    ] {
        let ran = run(made.path(), &arguments);
        assert!(ran.code == 2 && ran.err.contains(why), "{why}: {}{}", ran.out, ran.err);
    }
    assert_eq!(check(&["--shard", "4/3"]).code, 2);
}

#[test]
fn freezes_are_shown_as_a_calendar() {
    let config = "version: 1\nenvironments: [{name: staging}, {name: production}]\nfreezes:\n- {name: weekend, environments: [production], \
                  schedule: \"0 17 * * FRI\", duration: 63h, timeZone: America/New_York}\n- {name: 'year, end', environments: [production], \
                  from: 2026-11-30T08:00, until: 2026-12-01T09:00, timeZone: America/New_York}\n";
    let base = with(&repository(), &[("tollgate.yaml", config)]);
    let made = two_commits(&base, &base);
    let freeze = |more: &[&str]| {
        let arguments = [&["freeze", "--now", "2026-11-28T00:00:00Z"], more].concat();
        run(made.path(), &arguments)
    };
    let told = freeze(&[]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.contains("staging: open; no freeze begins in the next twelve months\n"), "{}", told.out);
    let line = "production: frozen until 2026-12-01 14:00 UTC, 09:00 America/New_York (year, end); next freeze from 2026-12-04 22:00 UTC";
    assert!(told.out.contains(line), "{}", told.out);
    assert!(told.out.contains("2026-12  +..+##+...+##+"), "{}", told.out);
    let json: serde_json::Value = serde_json::from_str(&freeze(&["--format", "json"]).out).unwrap();
    assert_eq!(json["environments"][1]["frozen"][0]["until"], "2026-11-30T13:00:00Z");
    let calendar = freeze(&["--format", "ics", "--env", "production"]).out;
    assert!(calendar.starts_with("BEGIN:VCALENDAR\r\n") && calendar.ends_with("END:VCALENDAR\r\n"));
    assert!(calendar.contains("DTSTART:20261204T220000Z\r\nDTEND:20261207T130000Z\r\n"), "{calendar}");
    assert!(calendar.contains("SUMMARY:production is frozen (year\\, end)\r\n"), "{calendar}");
    assert_eq!(freeze(&["--env", "nowhere"]).code, 2);
}
