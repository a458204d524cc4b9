//! Holds every origin of whole renderings against the files that they point into.
#![expect(clippy::print_stdout, reason = "it says how many values were checked: `cargo test origins -- --nocapture`")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate::kustomize::{FILE_NAMES, LoadRestrictor, Options, ParsedFiles, Renderer};
use tollgate::sources::{RepoPath, Tree, WorkingTree};
use tollgate::span::{Files, Span};
use tollgate::yaml::{Dialect, Kind, Node, Source, Step, Value, number_text, parse};

use crate::support::{kustomize_cases, memory, root};

/// What was checked, and what no line explains.
#[derive(Default)]
struct Checked {
    values: usize,
    keys: usize,
    by_step: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Checked {
    /// Checks a value and all below it; hands back the places that were found to be right.
    fn node(&mut self, node: &Node, path: &str, files: &Files) -> BTreeSet<Span> {
        let mut right = BTreeSet::new();
        match &node.value {
            Value::Mapping(mapping) => {
                for (key, value) in mapping.iter() {
                    let below = self.node(value, &format!("{path}/{}", key.text), files);
                    self.keys += 1;
                    // A key that was made on the way to a value comes from the instruction that made the value.
                    let is_generated = value.origin.step == Step::Generator && key.span == value.origin.span;
                    let is_explained = is_generated
                        || lines(key.span, files)
                            .replace('\\', "")
                            .replace("~1", "/")
                            .replace("~0", "~")
                            .contains(&*key.text)
                        || below.contains(&key.span);
                    if !is_explained {
                        let told = lines(key.span, files);
                        self.unexplained.push(format!("the key {path}/{} is said to come from `{told}`", key.text));
                    }
                    right.extend(below);
                }
                if mapping.is_empty() {
                    right.insert(node.origin.span);
                }
            }
            Value::Sequence(items) => {
                for (at, item) in items.iter().enumerate() {
                    right.extend(self.node(item, &format!("{path}/{at}"), files));
                }
            }
            Value::Scalar(scalar) => {
                self.values += 1;
                *self.by_step.entry(node.origin.step.name()).or_default() += 1;
                if is_explained(&scalar.text, scalar.kind, node, files) {
                    right.insert(node.origin.span);
                    // What made a key may have been overruled in the value.
                    right.extend(earlier(node).map(|node| node.origin.span));
                } else {
                    let (step, told) = (node.origin.step.name(), lines(node.origin.span, files));
                    self.unexplained.push(format!("{path} `{}` is said to come from `{told}` ({step})", scalar.text));
                }
            }
        }
        right
    }
}

/// What a value replaced, newest first.
fn earlier(node: &Node) -> impl Iterator<Item = &Node> {
    std::iter::successors(node.origin.before.as_deref(), |node| node.origin.before.as_deref())
}

/// The whole lines that a span lies on.
fn lines(span: Span, files: &Files) -> String {
    let file = files.get(span.file);
    let starts = file.line_starts();
    let (first, last) = (file.line_of(span.start), file.line_of(span.end.saturating_sub(1).max(span.start)));
    let end = starts.get(last + 1).map_or(file.text.len(), |next| *next as usize);
    file.text[starts[first] as usize..end].to_owned()
}

/// Whether the place holds the value, or a part of the value that the instruction there adds.
fn is_explained(text: &str, kind: Kind, node: &Node, files: &Files) -> bool {
    let span = node.origin.span;
    let slice = files.slice(span);
    let line = lines(span, files);
    let quoted = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    if line.contains(quoted) || slice.is_empty() && kind == Kind::Null {
        return true;
    }
    // Escapes, folds and other ways to write the same.
    let written = |text: &str| {
        let documents = parse(&Source::whole(text, span), Step::File, Dialect::Resource).unwrap_or_default();
        documents.first().and_then(Node::as_scalar).cloned()
    };
    if let Some(scalar) = written(&slice).or_else(|| written(line.trim())) {
        let is_part = !scalar.text.is_empty() && text.contains(scalar.text.trim());
        if is_part || scalar.kind == kind && kind != Kind::String {
            return true;
        }
        // Numbers in another form: `0644` is 420, `2.0` is 2, and JSON patches round large ones.
        let number = number_text(scalar.kind).unwrap_or_default();
        let is_same = |one: &str, other: &str| one.parse::<f64>().is_ok_and(|one| other.parse::<f64>() == Ok(one));
        if !number.is_empty() && (text.contains(&number) || is_same(&number, text)) {
            return true;
        }
    }
    let squeezed = |text: &str| text.chars().filter(|character| character.is_alphanumeric()).collect::<String>();
    if squeezed(&slice).contains(&squeezed(text)) {
        return true;
    }
    match node.origin.step {
        // What every generated object has is the work of the whole entry.
        Step::Generator if matches!(text, "v1" | "ConfigMap" | "Secret" | "Opaque") => true,
        Step::Generator => {
            let encoded: String = text.split_whitespace().collect();
            let decoded = STANDARD.decode(encoded).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            decoded
                .is_ok_and(|decoded| slice.contains(decoded.trim()) || squeezed(&slice).contains(&squeezed(&decoded)))
        }
        // The place is the entry that generates the object, whose original name is at the end of the chain.
        Step::NameHash | Step::NameReference => {
            earlier(node).last().and_then(Node::as_text).is_some_and(|name| slice.contains(name) && text.contains(name))
        }
        Step::JsonPatch => slice.contains("from") || matches!(kind, Kind::Bool(_)),
        // A part of the value comes from here: the literal's, or what stands behind the key in a file of them.
        Step::Replacement => {
            slice.split_once('=').is_some_and(|(_, part)| text.contains(part.trim_matches(['"', '\''])))
        }
        Step::Var => slice.contains("$("),
        Step::BuildMetadata => ["Annotations", "managedByLabel"].iter().any(|option| slice.contains(option)),
        // Other spellings of the same: dates become times.
        _ => kind == Kind::Timestamp || text.get(..10).is_some_and(|day| text.ends_with('Z') && slice.contains(day)),
    }
}

fn check(tree: &dyn Tree, folder: &RepoPath, checked: &mut Checked) -> bool {
    let parsed = ParsedFiles::default();
    let options = Options { restrictor: LoadRestrictor::None, ..Options::default() };
    let Ok(rendering) = Renderer::new(&parsed, tree, options).render(folder) else { return false };
    for object in &rendering.objects {
        checked.node(object, "", &parsed.files);
    }
    true
}

fn report(checked: &Checked) {
    let shown = checked.unexplained.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(checked.unexplained.is_empty(), "{} of {} values:\n{shown}", checked.unexplained.len(), checked.values);
    println!("{} values and {} keys checked: {:?}", checked.values, checked.keys, checked.by_step);
}

#[test]
fn every_value_comes_from_a_line_that_explains_it() {
    let mut checked = Checked::default();
    for case in kustomize_cases() {
        let tree = memory(&case.files);
        assert!(check(&tree, &RepoPath::new("overlay").unwrap(), &mut checked), "{}", case.path.display());
    }
    each_kustomization(&root().join("testdata/demo"), &mut checked);
    report(&checked);
    assert!(checked.values > 1000, "only {} values were checked", checked.values);
    let steps: Vec<&str> = checked.by_step.keys().copied().collect();
    for step in
        ["file", "patch", "jsonPatch", "generator", "name", "nameHash", "label", "replica", "image", "replacement"]
    {
        assert!(steps.contains(&step), "no value of the step `{step}` was checked");
    }
}

/// Repositories that are not part of the project: `TOLLGATE_REPOSITORIES=a:b cargo test origins -- --nocapture`.
#[test]
fn every_value_of_other_repositories_too() {
    let Ok(folders) = std::env::var("TOLLGATE_REPOSITORIES") else { return };
    for folder in folders.split(':') {
        let mut checked = Checked::default();
        let rendered = each_kustomization(Path::new(folder), &mut checked);
        println!("{folder}: {rendered} kustomizations");
        report(&checked);
    }
}

fn each_kustomization(tree: &Path, checked: &mut Checked) -> usize {
    let mut rendered = 0;
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
        if entries.iter().any(|path| FILE_NAMES.iter().any(|name| path.ends_with(name))) {
            let inside = folder.strip_prefix(tree).unwrap().to_str().unwrap();
            rendered += usize::from(check(&WorkingTree::new(tree), &RepoPath::new(inside).unwrap(), checked));
        }
        folders
            .extend(entries.into_iter().filter(|path| path.is_dir() && !path.is_symlink() && !path.ends_with(".git")));
    }
    rendered
}
