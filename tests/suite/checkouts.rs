//! Checkouts as CI has them, made by the real git: partial, shallow, sparse, linked, detached, with SHA-256.

use std::path::Path;
use std::process::Command;

use crate::support::run;

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "protocol.file.allow=always"];
    let output = Command::new("git").current_dir(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with a staging that has run for a year, and a change that promotes it.
pub(crate) fn origin(format: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    git(root, &["init", "-q", "-b", "main", &format!("--object-format={format}")]);
    for name in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        git(root, &["config", name, "true"]);
    }
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: api}\nspec:\n  containers:\n  - {name: api, image: api}\n";
    let overlay = |digest: char| {
        let digest = digest.to_string().repeat(64);
        format!("resources: [../base]\nimages:\n- {{name: api, digest: 'sha256:{digest}'}}\n")
    };
    write(
        "tollgate.yaml",
        "version: 1\nlayout: \"{app}/{env}\"\nenvironments: [{name: staging}, {name: production, soak: 24h}]\n",
    );
    write("api/base/kustomization.yaml", "resources: [pod.yaml]\n");
    write("api/base/pod.yaml", pod);
    write("api/staging/kustomization.yaml", &overlay('a'));
    write("api/production/kustomization.yaml", &overlay('a'));
    let commit = |message: &str, date: &str| {
        git(root, &["add", "-A"]);
        let output = Command::new("git")
            .current_dir(root)
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "-q", "-m", message])
            .envs([("GIT_COMMITTER_DATE", date), ("GIT_AUTHOR_DATE", date)])
            .output()
            .unwrap();
        assert!(output.status.success());
    };
    commit("first", "2024-01-01T00:00:00Z");
    write("api/staging/kustomization.yaml", &overlay('b'));
    commit("staging", "2024-06-01T00:00:00Z");
    write("notes.txt", "one\n");
    commit("notes", "2025-06-01T00:00:00Z");
    git(root, &["switch", "-q", "-c", "change"]);
    write("api/production/kustomization.yaml", &overlay('b'));
    commit("promote", "2025-06-02T00:00:00Z");
    folder
}

const CHECK: [&str; 7] =
    ["check", "--base", "origin/main", "--head", "origin/change", "--rule", "promotion/short_soak"];

pub(crate) fn clone(origin: &Path, options: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}", origin.display());
    let into = folder.path().join("clone");
    git(folder.path(), &[&["clone", "-q"], options, &[&address, into.to_str().unwrap()]].concat());
    folder
}

#[test]
fn partial_clones_are_told_and_filled_where_that_is_asked_for() {
    let origin = origin("sha1");
    for filter in ["--filter=blob:none", "--filter=tree:0"] {
        let made = clone(origin.path(), &[filter, "--no-checkout"]);
        let folder = made.path().join("clone");
        let told = run(&folder, &CHECK);
        assert_eq!(told.code, 2, "{}{}", told.out, told.err);
        assert!(told.err.contains("this clone is partial") && told.err.contains("`--fetch-missing`"), "{}", told.err);
        let filled = run(&folder, &[&CHECK[..], &["--fetch-missing"]].concat());
        assert_eq!(filled.code, 0, "{filter}: {}{}", filled.out, filled.err);
        // What was fetched stays.
        assert_eq!(run(&folder, &CHECK).code, 0);
    }
    let made = clone(origin.path(), &["--filter=blob:none", "--no-checkout"]);
    let folder = made.path().join("clone");
    std::fs::remove_dir_all(origin.path().join(".git")).unwrap();
    let told = run(&folder, &[&CHECK[..], &["--fetch-missing"]].concat());
    assert!(told.code == 2 && told.err.contains("cannot fetch what is missing from `origin`"), "{}", told.err);
}

#[test]
fn other_checkouts_are_judged_or_told_what_they_lack() {
    for format in ["sha1", "sha256"] {
        let origin = origin(format);
        let made = clone(origin.path(), &[]);
        let folder = made.path().join("clone");
        assert_eq!(run(&folder, &CHECK).code, 0, "{format}");
        // A linked worktree, detached, and sparse.
        let linked = made.path().join("linked");
        git(&folder, &["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "origin/change"]);
        git(&linked, &["sparse-checkout", "set", "api/base"]);
        let told = run(&linked, &["check", "--base", "origin/main"]);
        assert_eq!(told.code, 0, "{format}: {}{}", told.out, told.err);
        assert!(told.out.contains("1 of 2 overlays affected"), "{}", told.out);
        let shallow = clone(origin.path(), &["--depth=1", "--no-single-branch"]);
        let folder = shallow.path().join("clone");
        // What is here proves it; how long it ran before is not known, and is not needed.
        assert_eq!(run(&folder, &CHECK).code, 0, "{format}");
        let told = run(&folder, &["history", "--base", "origin/main"]);
        assert!(told.code == 2 && told.err.contains("this clone is shallow"), "{format}: {}{}", told.out, told.err);
    }
}
