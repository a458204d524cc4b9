//! What the GitHub action runs, with the variables that GitHub Actions gives it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::checkouts::{clone, git, origin};
use crate::support::root;

fn script(name: &str, folder: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("bash");
    command.arg(root().join(".github").join(name)).current_dir(folder);
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("GITHUB_")) {
        command.env_remove(variable);
    }
    command.env("RUNNER_TEMP", folder.join("temp")).envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn a_shallow_checkout_of_the_base_is_filled_and_the_change_judged_as_data() {
    let origin = origin("sha1");
    git(origin.path(), &["update-ref", "refs/pull/7/head", "change"]);
    git(origin.path(), &["switch", "-q", "main"]);
    let made = clone(origin.path(), &["--depth=1"]);
    let temp = made.path().join("temp/tollgate/bin");
    fs::create_dir_all(&temp).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_tollgate"), temp.join("tollgate")).unwrap();
    let tip = |name: &str| {
        let output = Command::new("git").current_dir(origin.path()).args(["rev-parse", name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let sides = serde_json::json!({"base": {"sha": tip("main"), "ref": "main"}, "head": {"sha": tip("change")}});
    let (event, output) = (made.path().join("event.json"), made.path().join("output"));
    fs::write(&event, serde_json::json!({ "pull_request": sides }).to_string()).unwrap();
    let variables = |sources: &'static str| {
        let mut variables: Vec<(&str, &str)> =
            ["TOKEN", "REVIEW", "SARIF", "HTML", "JSON", "SHARD"].map(|it| (it, "")).into();
        variables.extend([
            ("COMMAND", "check"),
            ("REPO", "clone"),
            ("GITHUB_TOKEN", ""),
            ("SOURCES", sources),
            ("COMMENT", "false"),
            ("CHECK", "tollgate"),
            ("BASE_BRANCH", "main"),
            ("PULL_REQUEST", "7"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request_target"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
            ("GITHUB_OUTPUT", output.to_str().unwrap()),
        ]);
        variables
    };
    let ran = script("run.sh", made.path(), &variables(""));
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(out.starts_with("the checkout is shallow") && out.contains("1 of 2 overlays affected"), "{out}");
    assert_eq!(fs::read_to_string(&output).unwrap(), "exit-code=0\n");
    let ran = script("run.sh", made.path(), &variables("https://example.com/org/repo;id"));
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8(ran.stdout).unwrap().contains("is not the address of a repository"));
}

#[test]
fn a_release_is_installed_only_with_its_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("org/tollgate/releases/download/v9.9.9");
    fs::create_dir_all(&at).unwrap();
    fs::write(at.join("tollgate"), "#!/bin/sh\necho installed\n").unwrap();
    let name = "tollgate-x86_64-unknown-linux-musl.tar.gz";
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).current_dir(&at).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    run("tar", &["-czf", name, "tollgate"]);
    let server = format!("file://{}", folder.path().display());
    let root = root();
    let install = |version: &str| {
        let variables = [
            ("GITHUB_SERVER_URL", server.as_str()),
            ("ACTION_REPOSITORY", "org/tollgate"),
            ("ACTION_REF", "main"),
            ("ACTION_PATH", root.to_str().unwrap()),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
            ("VERSION", version),
        ];
        let ran = script("install.sh", folder.path(), &variables);
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let installed = folder.path().join("temp/tollgate/bin/tollgate");
    fs::write(at.join("SHA256SUMS"), format!("{}  {name}\n", "0".repeat(64))).unwrap();
    let (code, out) = install("9.9.9");
    assert!(code == Some(2) && out.contains("is not the one in SHA256SUMS"), "{out}");
    for (version, why) in [("8.8.8", "cannot be had"), ("9.9/..", "is not a version")] {
        let (code, out) = install(version);
        assert!(code == Some(2) && out.contains(why), "{out}");
    }
    assert!(!installed.exists());
    fs::write(at.join("SHA256SUMS"), run("sha256sum", &[name])).unwrap();
    let (code, out) = install("v9.9.9");
    assert!(code == Some(0) && out.contains("with the expected checksum") && installed.is_file(), "{out}");
}
