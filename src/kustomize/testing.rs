//! Tables beside the steps: a kustomization and objects, and what comes out.
//!
//! With `KUSTOMIZE=PROGRAM` in the environment, each row is held against that program too.

use std::fs;
use std::process::Command;

use crate::kustomize::{Options, ParsedFiles, Renderer};
use crate::sources::{MemoryTree, RepoPath};

/// One row: `overlay/kustomization.yaml` without its `resources`, the objects, and how they are printed. An expected text that
/// starts with `error: ` is a part of the message instead.
pub(crate) type Row<'a> = (&'a str, &'a str, &'a str);

/// Holds each row against our rendering.
#[expect(clippy::panic, reason = "a test says what differs")]
pub(crate) fn hold(rows: &[Row<'_>]) {
    for (kustomization, objects, expected) in rows {
        let kustomization = format!("resources: [objects.yaml]\n{kustomization}");
        let files = [("overlay/kustomization.yaml", kustomization.as_str()), ("overlay/objects.yaml", objects)];
        let (tree, parsed) = (MemoryTree::new(files), ParsedFiles::default());
        let folder = RepoPath::new("overlay").unwrap_or_else(RepoPath::root);
        let printed = match Renderer::new(&parsed, &tree, Options::default()).render(&folder) {
            Ok(rendering) => rendering.to_yaml().unwrap_or_else(|error| format!("error: {error:?}")),
            Err(failed) => format!("error: {}", failed.error.message),
        };
        match expected.strip_prefix("error: ") {
            Some(part) => assert!(printed.starts_with("error: ") && printed.contains(part), "{kustomization}{printed}"),
            None => assert_eq!(printed, *expected, "{kustomization}"),
        }
        if let Some(theirs) = kustomize(&files) {
            match theirs {
                Ok(theirs) => assert_eq!(theirs, *expected, "{kustomization}"),
                Err(theirs) if expected.starts_with("error: ") => drop(theirs),
                Err(theirs) => panic!("{kustomization}{theirs}"),
            }
        }
    }
}

/// What the real kustomize prints, where there is one.
#[expect(clippy::disallowed_methods, reason = "runs another program, only in tests")]
fn kustomize(files: &[(&str, &str)]) -> Option<Result<String, String>> {
    let program = std::env::var("KUSTOMIZE").ok()?;
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
    let ran = Command::new(program).args(["build", "overlay"]).current_dir(folder.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Some(if ran.status.success() { Ok(text(ran.stdout)) } else { Err(text(ran.stderr)) })
}
