//! Renderings against what the real kustomize 5.8.1 printed (`testdata/kustomize`), and what the gate knows of them.
//!
//! With `KUSTOMIZE=PROGRAM` in the environment the cases are held against that program; with `UPDATE` too, its output becomes
//! what is expected.

use std::fs;

use tollgate::kustomize::{LoadRestrictor, Options, ParsedFiles, Renderer, Scanner};
use tollgate::sources::{MemoryTree, RepoPath, WorkingTree};

use crate::support::{KustomizeCase, kustomize_build, kustomize_cases, memory};

fn overlay() -> RepoPath {
    RepoPath::new("overlay").unwrap()
}

#[test]
fn the_output_is_kustomizes_to_the_byte() {
    let cases = kustomize_cases();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    for mut case in cases {
        hold_against_kustomize(&mut case);
        let tree = memory(&case.files);
        let parsed = ParsedFiles::default();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay());
        let rendering = rendering.unwrap_or_else(|failed| panic!("{}: {}", case.path.display(), failed.error));
        assert_eq!(rendering.to_yaml().unwrap(), case.expected, "{}", case.path.display());
    }
}

/// Runs the real kustomize on a case, where there is one.
fn hold_against_kustomize(case: &mut KustomizeCase) {
    let Ok(program) = std::env::var("KUSTOMIZE") else { return };
    let files: Vec<(&str, String)> = case.files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let printed = kustomize_build(&program, &files);
    let printed = printed.unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
    if std::env::var("UPDATE").is_ok() {
        let text = fs::read_to_string(&case.path).unwrap();
        let input = text.split("//- expected\n").next().unwrap();
        fs::write(&case.path, format!("{input}//- expected\n{printed}")).unwrap();
        case.expected.clone_from(&printed);
    }
    assert_eq!(printed, case.expected, "{}", case.path.display());
}

#[test]
fn a_scan_finds_all_that_a_rendering_looks_for() {
    for case in kustomize_cases() {
        let tree = memory(&case.files);
        let parsed = ParsedFiles::default();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap();
        let reach = Scanner::new(&parsed, &tree).scan(&overlay()).unwrap();
        for path in rendering.closure.paths() {
            assert!(reach.closure.holds(path), "{}: the scan misses {path}", case.path.display());
        }
    }
}

/// A plugin may name any file of its folder, and a link there may lead through files that nobody else looks for.
#[test]
#[cfg(unix)]
fn links_beside_a_plugin_are_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let place = |path: &str| folder.path().join(path);
    for made in ["overlay/below", "plugins", "m/inner"] {
        fs::create_dir_all(place(made)).unwrap();
    }
    let plugin = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: below/link.yaml\n";
    let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n";
    for (path, text) in [
        ("overlay/kustomization.yaml", "resources: [a.yaml]\ntransformers: [../plugins]\n"),
        ("overlay/a.yaml", OBJECT),
        ("overlay/patch.yaml", patch),
        ("plugins/kustomization.yaml", "resources: [t.yaml]\n"),
        ("plugins/t.yaml", plugin),
    ] {
        fs::write(place(path), text).unwrap();
    }
    symlink("../../m/link.yaml", place("overlay/below/link.yaml")).unwrap();
    symlink("../overlay/patch.yaml", place("m/link.yaml")).unwrap();
    symlink("../m/inner", place("overlay/inner")).unwrap();
    symlink("../../overlay/patch.yaml", place("m/inner/deep.yaml")).unwrap();
    let (tree, parsed) = (WorkingTree::new(folder.path()), ParsedFiles::default());
    let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap();
    assert!(rendering.to_yaml().unwrap().contains("a: b"));
    let reach = Scanner::new(&parsed, &tree).scan(&overlay()).unwrap();
    for path in ["m/link.yaml", "m/inner/deep.yaml", "overlay/new.yaml"] {
        assert!(reach.closure.holds(&RepoPath::new(path).unwrap()), "the scan misses {path}");
    }
    // A plugin names files of the folder that uses it, also where a link would lead back there.
    fs::write(place("plugins/t.yaml"), plugin.replace("below/link.yaml", "../m/link.yaml")).unwrap();
    let (tree, parsed) = (WorkingTree::new(folder.path()), ParsedFiles::default());
    let failed = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap_err();
    assert!(failed.error.message.contains("outside of `overlay`"), "{}", failed.error.message);
}

fn error(files: &[(&str, &str)]) -> (String, usize, String) {
    let tree = MemoryTree::new(files.iter().copied());
    let parsed = ParsedFiles::default();
    let failed = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap_err();
    let line = failed.error.span.map_or(0, |span| parsed.files.location(span).line);
    (failed.error.message.clone(), line, failed.error.help.clone().unwrap_or_default())
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_does_not_render_says_where_and_what_to_do() {
    let at = "overlay/kustomization.yaml";
    for (files, message, line, help) in [
        (
            vec![(at, "resources: [a.yml]\n"), ("overlay/a.yaml", OBJECT)],
            "`a.yml` does not exist",
            1,
            "did you mean `a.yaml`",
        ),
        (vec![(at, "resources:\n- https://example.com/a.yaml\n")], "is not in this repository", 2, "vendor"),
        (vec![(at, "\nresources:\n- ../../x\n")], "outside of the repository", 3, "copy the file"),
        (vec![(at, "resource: []\n")], "has no field `resource`", 1, "did you mean `resources`"),
        (vec![(at, "vars:\n- name: X\n")], "the variable `X` refers to no object", 2, "objref"),
        (vec![(at, "helmCharts:\n- name: X\n")], "Helm charts are not rendered", 1, "commit the result"),
        (
            vec![
                (at, "generators: [a.yaml]\n"),
                ("overlay/a.yaml", "apiVersion: x/v1\nkind: Y\nmetadata: {name: z}\n"),
            ],
            "is an external program",
            2,
            "a change is never executed",
        ),
        (
            vec![
                (
                    at,
                    "resources: [a.yaml]\nreplacements:\n- source: {kind: ConfigMap, fieldPath: data.b}\n  targets: []\n",
                ),
                ("overlay/a.yaml", OBJECT),
            ],
            "`data.b` does not exist in this object",
            3,
            "did you mean `metadata`",
        ),
        (
            vec![
                (
                    at,
                    "resources: [a.yaml]\nreplacements:\n- sourceValue: x\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [metadata.nam]\n",
                ),
                ("overlay/a.yaml", OBJECT),
            ],
            "`metadata.nam` does not exist in this object",
            6,
            "did you mean `name`",
        ),
        (
            vec![
                (at, "configurations: [c.yaml]\nresources: [a.yaml]\n"),
                ("overlay/c.yaml", "commonLabel: []\n"),
                ("overlay/a.yaml", OBJECT),
            ],
            "a transformer configuration has no field `commonLabel`",
            1,
            "did you mean `commonLabels`",
        ),
        (vec![(at, "resources: [../overlay]\n")], "a cycle: `overlay` → `overlay`", 1, "cannot list itself"),
        (vec![(at, "resources: [a.yaml]\n"), ("overlay/a.yaml", "a: [\n")], "not YAML", 1, ""),
        (vec![(at, "resources: [a.yaml]\n"), ("overlay/a.yaml", "kind: X\nkind: Y\n")], "occurs twice", 2, ""),
        (
            vec![(at, "resources: [a.yaml, b.yaml]\n"), ("overlay/a.yaml", OBJECT), ("overlay/b.yaml", OBJECT)],
            "already exists",
            1,
            "list it once",
        ),
        (
            vec![
                (
                    at,
                    "resources: [a.yaml]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      name: b\n",
                ),
                ("overlay/a.yaml", OBJECT),
            ],
            "matches no object",
            7,
            "a",
        ),
        (
            vec![
                (
                    at,
                    "resources: [a.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n    - op: replace\n      path: /metadata/lables/x\n      value: 1\n",
                ),
                ("overlay/a.yaml", OBJECT),
            ],
            "does not exist: there is no `lables`",
            6,
            "name",
        ),
        (
            vec![(at, "resources: [a.yaml]\nreplicas: [{name: a, count: 2}]\n"), ("overlay/a.yaml", OBJECT)],
            "no workload with replicas is named `a`",
            2,
            "",
        ),
        (vec![(at, "images: [{name: a, newTag: 1.0}]\n")], "is read as a number", 1, "write it in quotes"),
        (
            vec![(at, "components: [c]\n"), ("overlay/c/kustomization.yaml", "namePrefix: x\n")],
            "is not a component",
            1,
            "kind: Component",
        ),
        (vec![(at, "")], "this kustomization is empty", 1, "resources"),
        (vec![("overlay/a.yaml", OBJECT)], "has no kustomization", 0, "kustomization.yaml"),
    ] {
        let (said, place, advice) = error(&files);
        assert!(said.contains(message), "{said} instead of {message}");
        assert_eq!(place, line, "{said}");
        assert!(advice.contains(help), "{said}: {advice}");
    }
}

#[test]
fn links_never_leave_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let overlay_folder = folder.path().join("overlay");
    fs::create_dir(&overlay_folder).unwrap();
    fs::write(overlay_folder.join("kustomization.yaml"), "resources: [link.yaml]\n").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", overlay_folder.join("link.yaml")).unwrap();
    let tree = WorkingTree::new(folder.path());
    let parsed = ParsedFiles::default();
    let failed = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap_err();
    assert!(failed.error.message.contains("symbolic link out of the repository"), "{}", failed.error);
}

/// What a chart or a plugin is given from files is looked for by a scan, too.
#[test]
fn a_scan_finds_what_charts_and_plugins_are_given() {
    let tree = MemoryTree::new([
        (
            "overlay/kustomization.yaml",
            "helmGlobals: {chartHome: ../charts}\nhelmCharts: [{name: web, valuesFile: values.yaml, additionalValuesFiles: [more/x.yaml]}]\n\
             generators: [secrets.yaml]\nresources: [\"https://github.com/a/b?ref=v1\"]\n",
        ),
        ("overlay/values.yaml", "image: {repository: a/b, tag: v1}\n"),
        ("overlay/more/x.yaml", "image: {tag: v2}\n"),
        (
            "overlay/secrets.yaml",
            "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: s}\nfiles: [./a.enc.yaml, ../b.yaml]\n",
        ),
        ("overlay/a.enc.yaml", "x\n"),
        ("b.yaml", "x\n"),
        ("charts/web/Chart.yaml", "name: web\n"),
    ]);
    let parsed = ParsedFiles::default();
    let rendering = Renderer::new(&parsed, &tree, Options::for_gate(LoadRestrictor::None)).render(&overlay()).unwrap();
    assert_eq!(rendering.opaque.len(), 3);
    let reach = Scanner::new(&parsed, &tree).scan(&overlay()).unwrap();
    for path in rendering.closure.paths() {
        assert!(reach.closure.holds(path), "the scan misses {path}");
    }
    for file in ["overlay/values.yaml", "overlay/more/x.yaml", "overlay/a.enc.yaml", "charts/web/templates/x.yaml"] {
        assert!(rendering.closure.holds(&RepoPath::new(file).unwrap()), "{file} is not looked for");
    }
}
