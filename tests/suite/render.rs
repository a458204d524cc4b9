//! Renderings against what the real kustomize printed (`testdata/kustomize/CASE/expected.yaml`, kustomize v5.5.0), and what
//! the gate knows of them.

use std::fs;

use tollgate::kustomize::{Options, Parsed, Renderer, Scanner};
use tollgate::sources::{MemoryTree, RepoPath, WorkingTree};
use tollgate::yaml::{Node, Step, Value, Writer, emit_noting};

use crate::support::root;

fn cases() -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(root().join("testdata/kustomize")).unwrap();
    let mut cases: Vec<_> = folders.flatten().map(|entry| entry.path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn overlay() -> RepoPath {
    RepoPath::new("overlay").unwrap()
}

#[test]
fn the_output_is_kustomizes_to_the_byte() {
    for case in cases() {
        let tree = WorkingTree::new(&case.join("input"));
        let parsed = Parsed::default();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay());
        let rendering = rendering.unwrap_or_else(|failed| panic!("{}: {}", case.display(), failed.error));
        let expected = fs::read_to_string(case.join("expected.yaml")).unwrap();
        assert_eq!(rendering.to_yaml().unwrap(), expected, "{}", case.display());
    }
}

#[test]
fn a_scan_finds_all_that_a_rendering_looks_for() {
    for case in cases() {
        let tree = WorkingTree::new(&case.join("input"));
        let parsed = Parsed::default();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap();
        let reach = Scanner::new(&parsed, &tree).reach(&overlay()).unwrap();
        for path in rendering.closure.paths() {
            assert!(reach.closure.holds(path), "{}: the scan misses {path}", case.display());
        }
    }
}

/// Checks that every scalar of a rendering comes from a place that holds its text, or the instruction that made it.
#[test]
fn origins_point_at_what_wrote_the_value() {
    let mut checked = 0;
    for case in cases() {
        let tree = WorkingTree::new(&case.join("input"));
        let parsed = Parsed::default();
        let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap();
        for object in &rendering.objects {
            let mut notes = 0;
            emit_noting(object, &mut String::new(), &mut |_, writer| {
                if let Writer::Value(origin) = writer {
                    assert!(origin.span.start < origin.span.end || parsed.files.slice(origin.span).is_empty());
                    notes += 1;
                }
            })
            .unwrap();
            assert!(notes > 0);
            checked += walk(object, &parsed);
        }
    }
    assert!(checked > 200, "only {checked} values were checked");
}

fn walk(node: &Node, parsed: &Parsed) -> usize {
    match &node.value {
        Value::Mapping(mapping) => mapping.iter().map(|(_, node)| walk(node, parsed)).sum(),
        Value::Sequence(items) => items.iter().map(|item| walk(item, parsed)).sum(),
        Value::Scalar(scalar) => {
            let is_verbatim = matches!(
                node.origin.step,
                Step::File | Step::Patch | Step::Label | Step::Annotation | Step::Namespace | Step::Replica
            );
            let slice = parsed.files.slice(node.origin.span);
            let first =
                scalar.text.split(['\n', '\\', '\'', '"', '\t', '\r', '\0']).find(|part| !part.trim().is_empty());
            let first = first.unwrap_or_default().trim();
            // Long and folded texts are looked for by their first words; emoji may be escapes in the source.
            let first: String =
                first.split_inclusive(' ').take(2).flat_map(str::chars).take_while(char::is_ascii).collect();
            // Numbers and times may be printed in another form: `0644` is 420.
            if is_verbatim && first.starts_with(|first: char| !first.is_ascii_digit()) {
                assert!(slice.contains(first.trim()), "`{}` is said to come from `{slice}`", scalar.text);
                return 1;
            }
            0
        }
    }
}

fn error(files: &[(&str, &str)]) -> (String, usize, String) {
    let tree = MemoryTree::new(files.iter().copied());
    let parsed = Parsed::default();
    let failed = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap_err();
    let line = failed.error.span.map_or(0, |span| parsed.files.location(span).line);
    (failed.error.message.clone(), line, failed.error.help.clone().unwrap_or_default())
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

#[test]
fn what_does_not_render_says_where_and_what_to_do() {
    let at = "overlay/kustomization.yaml";
    for (files, message, line, help) in [
        (
            vec![(at, "resources: [a.yml]\n"), ("overlay/a.yaml", OBJECT)],
            "`a.yml` does not exist",
            1,
            "did you mean `a.yaml`",
        ),
        (vec![(at, "resources:\n- https://example.com/a.yaml\n")], "is on another machine", 2, "vendor"),
        (vec![(at, "\nresources:\n- ../../x\n")], "outside of the repository", 3, "copy the file"),
        (vec![(at, "resource: []\n")], "`resource` is no field", 1, "did you mean `resources`"),
        (vec![(at, "vars:\n- name: X\n")], "`vars` is not supported", 1, "not rendered yet"),
        (vec![(at, "resources: [../overlay]\n")], "a cycle: `overlay` → `overlay`", 1, "cannot list itself"),
        (vec![(at, "resources: [a.yaml]\n"), ("overlay/a.yaml", "a: [\n")], "not YAML", 1, ""),
        (vec![(at, "resources: [a.yaml]\n"), ("overlay/a.yaml", "kind: X\nkind: Y\n")], "stands twice", 2, ""),
        (
            vec![(at, "resources: [a.yaml, b.yaml]\n"), ("overlay/a.yaml", OBJECT), ("overlay/b.yaml", OBJECT)],
            "is there already",
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
            "is no component",
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
    let parsed = Parsed::default();
    let failed = Renderer::new(&parsed, &tree, Options::default()).render(&overlay()).unwrap_err();
    assert!(failed.error.message.contains("symbolic link out of the repository"), "{}", failed.error);
}
