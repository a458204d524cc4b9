//! What tests share: folders as maps of files, and repositories made of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tollgate::sources::{CommitId, MemoryTree, NewCommit, NewRepository, RepoPath};

/// Files by path.
pub(crate) type Files = BTreeMap<RepoPath, String>;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the disk, by its path from there.
pub(crate) fn files_in(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(folder).unwrap().to_str().unwrap();
            files.insert(RepoPath::new(relative).unwrap(), fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// What comes before the first section of a text, and the sections by their names. A section begins with `//- NAME`.
pub(crate) fn sections(text: &str) -> (String, BTreeMap<String, String>) {
    let (mut before, mut sections) = (String::new(), BTreeMap::new());
    let mut here = None;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("//- ") {
            let name = name.trim_end().to_owned();
            assert!(sections.insert(name.clone(), String::new()).is_none(), "two sections `{name}`");
            here = Some(name);
        } else {
            here.as_ref().and_then(|name| sections.get_mut(name)).unwrap_or(&mut before).push_str(line);
        }
    }
    (before, sections)
}

/// A kustomization and what the real kustomize makes of it: `testdata/kustomize/CASE.txt`. Each section is a file; `overlay`
/// is built, and `expected` is what is printed.
pub(crate) struct KustomizeCase {
    pub(crate) path: PathBuf,
    pub(crate) files: Files,
    pub(crate) expected: String,
}

pub(crate) fn kustomize_cases() -> Vec<KustomizeCase> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root().join("testdata/kustomize")).unwrap().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let case = |path: PathBuf| {
        let (before, mut sections) = sections(&fs::read_to_string(&path).unwrap());
        assert_eq!(before, "", "{}: only sections", path.display());
        let expected = sections.remove("expected").unwrap_or_default();
        let files = sections.into_iter().map(|(path, text)| (RepoPath::new(&path).unwrap(), text)).collect();
        KustomizeCase { path, files, expected }
    };
    paths.into_iter().map(case).collect()
}

/// Files as a tree.
pub(crate) fn memory(files: &Files) -> MemoryTree {
    MemoryTree::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

/// Files from pairs.
pub(crate) fn files(pairs: &[(&str, &str)]) -> Files {
    pairs.iter().map(|(path, text)| (RepoPath::new(path).unwrap(), (*text).to_owned())).collect()
}

/// A repository in a temporary folder.
pub(crate) struct Repository {
    pub(crate) folder: tempfile::TempDir,
    repository: NewRepository,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = NewRepository::create(folder.path()).unwrap();
        Self { folder, repository }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn commit(
        &self,
        branch: &str,
        files: &Files,
        author: &str,
        time: i64,
        parents: &[CommitId],
    ) -> CommitId {
        let (name, email) = author
            .split_once(" <")
            .map_or((author, "x@example.com"), |(name, email)| (name, email.trim_end_matches('>')));
        let commit = NewCommit { branch, files, message: "change", author: (name, email), time, parents };
        self.repository.commit(&commit).unwrap()
    }

    pub(crate) fn check_out(&self, branch: &str, files: &Files) {
        self.repository.check_out(branch, files).unwrap();
    }
}

/// A repository with one commit on `main` and one on `change`, checked out.
pub(crate) fn two_commits(base: &Files, head: &Files) -> Repository {
    let repository = Repository::new();
    let main = repository.commit("main", base, "Ana <ana@example.com>", 1_700_000_000, &[]);
    repository.commit("change", head, "Ana <ana@example.com>", 1_700_000_100, &[main]);
    repository.check_out("change", head);
    repository
}

/// How a run of the binary ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary with a CI's variables.
pub(crate) fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars() {
        let is_ci = ["GITHUB_", "GH_", "GITLAB_", "CI_"].iter().any(|prefix| name.starts_with(prefix));
        if is_ci || name.to_lowercase().ends_with("_proxy") || name == "SSL_CERT_FILE" {
            command.env_remove(name);
        }
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the binary.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_in(folder, arguments, &[])
}

/// A small generator of numbers, so that every run makes the same inputs (xorshift64*).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * limit.max(1) as u128;
        usize::try_from(wide >> 64).unwrap()
    }
}

/// What the real kustomize prints for the folder `overlay` of these files, or why it fails.
pub(crate) fn kustomize_build<P: AsRef<str>>(program: &str, files: &[(P, String)]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let place = folder.path().join(path.as_ref());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
    let ran = Command::new(program).args(["build", "overlay"]).current_dir(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}
