//! Inputs that are odd but valid, made by chance: trees of kustomizations, and layouts of text.
//!
//! With `KUSTOMIZE=PROGRAM` in the environment 5,000 of each are held against that program, byte for byte, else some of them are
//! rendered. `ODD_INPUTS=COUNT` makes it another number, `ODD_SEED=NUMBER` others.

use rayon::prelude::*;
use tollgate::kustomize::{Options, ParsedFiles, Renderer};
use tollgate::sources::{MemoryTree, RepoPath};

use crate::support::{Numbers, kustomize_build};

/// Paths and texts.
type Inputs = Vec<(&'static str, String)>;

const TEXTS: [&str; 70] = [
    "a",
    "b-c",
    "1",
    "0x1F",
    "1e3",
    "yes",
    "on",
    "y",
    "~",
    "null",
    "true",
    "12:30:45",
    "2020-01-01",
    "1_000",
    ".5",
    "-",
    "=",
    "",
    " lead",
    "trail ",
    "a: b",
    "a #b",
    "#c",
    "- d",
    "é",
    "日本",
    "a\tb",
    "tab\t",
    "it's",
    "say \"x\"",
    "back\\slash",
    "two\nlines",
    "two\nlines\n",
    "gap\n\nline\n\n",
    "  deep\nfirst",
    "space \nline",
    "%x",
    "@x",
    "`x`",
    "!x",
    "&x",
    "*x",
    "{x}",
    "[x]",
    ">x",
    "|x",
    "?x",
    "? x",
    "0o17",
    "017",
    "1.0",
    "1.",
    "+1",
    "0b1",
    "Infinity",
    ".nan",
    ".INF",
    "😀",
    "\u{a0}",
    "a,b",
    "a]",
    "a: ",
    "key:",
    "::",
    "#",
    "'",
    "\"",
    "x\n  y\nz\n",
    "a long line that has so many words in it that whoever folds lines at eighty columns would fold it here and again",
    "$(VAR)",
];

const KEYS: [&str; 16] =
    ["a", "b", "c-d", "e.f", "1", "true", "null", "y", "0x1", "key with blank", "é", "a.yaml", "-", "~", "1.5", "Z"];

fn pick<'a>(numbers: &mut Numbers, from: &[&'a str]) -> &'a str {
    from[numbers.below(from.len())]
}

fn one_in(numbers: &mut Numbers, count: usize) -> bool {
    numbers.below(count) == 0
}

/// A value whose layout is still open.
enum Value {
    Text(&'static str),
    List(Vec<Value>),
    Mapping(Vec<(&'static str, Value)>),
}

fn value(numbers: &mut Numbers, depth: usize) -> Value {
    match if depth == 0 { 0 } else { numbers.below(6) } {
        4 => Value::List((0..numbers.below(4)).map(|_| value(numbers, depth - 1)).collect()),
        5 => Value::Mapping(entries(numbers, depth - 1)),
        _ => Value::Text(TEXTS[numbers.below(TEXTS.len())]),
    }
}

fn entries(numbers: &mut Numbers, depth: usize) -> Vec<(&'static str, Value)> {
    let first = numbers.below(KEYS.len());
    let count = 1 + numbers.below(4);
    (0..count).map(|at| (KEYS[(first + at) % KEYS.len()], value(numbers, depth))).collect()
}

fn in_double_quotes(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

fn in_flow(value: &Value, numbers: &mut Numbers) -> String {
    let blank = if one_in(numbers, 3) { " " } else { "" };
    match value {
        Value::Text(text)
            if text.contains([
                '\n', ',', '[', ']', '{', '}', '#', ':', '&', '*', '!', '%', '@', '`', '?', '>', '|', '"', '\'', '-',
                '=', '\\',
            ]) =>
        {
            in_double_quotes(text)
        }
        Value::Text(text) if one_in(numbers, 3) => format!("'{text}'"),
        Value::Text(text) => (*text).to_owned(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| in_flow(item, numbers)).collect();
            format!("[{blank}{}{blank}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entry = |(key, value): &(&str, Value), numbers: &mut Numbers| {
                format!("{}: {}", in_double_quotes(key), in_flow(value, numbers))
            };
            let entries: Vec<String> = entries.iter().map(|pair| entry(pair, numbers)).collect();
            format!("{{{blank}{}{blank}}}", entries.join(", "))
        }
    }
}

fn comment(numbers: &mut Numbers, indent: usize, out: &mut String) {
    match numbers.below(12) {
        0 => out.push('\n'),
        1 => out.push_str(&format!("{}# note: [x]\n", " ".repeat(indent))),
        _ => {}
    }
}

/// Whether a text without quotes may be read as something else than a text, or not at all.
fn is_risky(text: &str) -> bool {
    text.contains([':', '#', '\t']) || text.starts_with(|first: char| !first.is_alphanumeric())
}

/// Writes a text behind `key:` or `-`, in any style; what cannot be read that way is an error to everybody.
fn text(text: &str, numbers: &mut Numbers, indent: usize, out: &mut String) {
    let end = if one_in(numbers, 8) { "  # end\n" } else { "\n" };
    let style = numbers.below(8);
    if text.contains('\n') && style < 5 {
        let mark = pick(numbers, &["|", "|-", "|+", ">", ">-", ">+"]);
        let step = 1 + numbers.below(3);
        let indicator = if text.starts_with(' ') || one_in(numbers, 4) { step.to_string() } else { String::new() };
        out.push_str(&format!(" {mark}{indicator}\n"));
        for line in text.trim_end_matches('\n').split('\n') {
            let blank = if line.is_empty() { String::new() } else { " ".repeat(indent + step) };
            out.push_str(&format!("{blank}{line}\n"));
        }
        if text.ends_with("\n\n") {
            out.push('\n');
        }
        return;
    }
    let written = match style {
        0 | 1 => format!("'{}'", text.replace('\'', "''").replace('\n', "\n\n  ")),
        2 | 3 => in_double_quotes(text),
        4 if one_in(numbers, 3) => format!("!!str {}", in_double_quotes(text)),
        _ if text.contains('\n') || !one_in(numbers, 20) && is_risky(text) => in_double_quotes(text),
        _ => text.to_owned(),
    };
    if written.is_empty() {
        out.push_str(end);
    } else {
        out.push_str(&format!(" {written}{end}"));
    }
}

fn block(value: &Value, numbers: &mut Numbers, indent: usize, out: &mut String) {
    match value {
        Value::Text(content) => text(content, numbers, indent, out),
        Value::List(items) if items.is_empty() => out.push_str(" []\n"),
        value if one_in(numbers, 5) => out.push_str(&format!(" {}\n", in_flow(value, numbers))),
        Value::List(items) => {
            out.push('\n');
            let inner = indent + numbers.below(3);
            for item in items {
                comment(numbers, inner, out);
                out.push_str(&format!("{}-", " ".repeat(inner)));
                block(item, numbers, inner + 1, out);
            }
        }
        Value::Mapping(entries) => {
            out.push('\n');
            let inner = indent + 1 + numbers.below(3);
            mapping(entries, numbers, inner, out);
        }
    }
}

fn mapping(entries: &[(&str, Value)], numbers: &mut Numbers, indent: usize, out: &mut String) {
    for (key, value) in entries {
        comment(numbers, indent, out);
        let key = match numbers.below(5) {
            0 => in_double_quotes(key),
            1 => format!("'{key}'"),
            _ => (*key).to_owned(),
        };
        out.push_str(&format!("{}{key}:", " ".repeat(indent)));
        block(value, numbers, indent, out);
    }
}

/// One object in an odd layout, and a step that writes it again in the way of that step.
fn layout(numbers: &mut Numbers) -> Inputs {
    let is_map = one_in(numbers, 2);
    let mut object = String::new();
    if one_in(numbers, 6) {
        object.push_str("# head\n---\n");
    }
    object.push_str(if is_map {
        "apiVersion: v1\nkind: ConfigMap\n"
    } else {
        "apiVersion: example.com/v1\nkind: Thing\n"
    });
    let annotations = if one_in(numbers, 3) {
        let mut annotations = String::from("  annotations:\n");
        let texts: Vec<(&str, Value)> =
            (0..2).map(|at| (["note", "other"][at], Value::Text(TEXTS[numbers.below(TEXTS.len())]))).collect();
        mapping(&texts, numbers, 4, &mut annotations);
        annotations
    } else {
        String::new()
    };
    object.push_str(&format!("metadata:\n  name: a\n{annotations}"));
    let fields = entries(numbers, if is_map { 0 } else { 3 });
    object.push_str(if is_map { "data:\n" } else { "spec:\n" });
    mapping(&fields, numbers, 2, &mut object);
    let (field, kind, api) = if is_map { ("data", "ConfigMap", "v1") } else { ("spec", "Thing", "example.com/v1") };
    let step = match numbers.below(8) {
        0 => "namePrefix: p-\n".to_owned(),
        1 => "namespace: n\n".to_owned(),
        2 => "commonAnnotations: {k: 'on'}\n".to_owned(),
        3 => "labels: [{pairs: {k: v}}]\n".to_owned(),
        4 => format!(
            "patches:\n- target: {{kind: {kind}}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/{field}/new\", \"value\": {}}}]'\n",
            pick(numbers, &["\"1\"", "\"x\"", "\"yes\"", "\"a b\""])
        ),
        5 => {
            let mut patch = format!("apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: a\n{field}:\n");
            mapping(&[("new", Value::Text(TEXTS[numbers.below(TEXTS.len())]))], numbers, 2, &mut patch);
            return vec![
                ("overlay/kustomization.yaml", "resources: [object.yaml]\npatches: [{path: patch.yaml}]\n".to_owned()),
                ("overlay/object.yaml", object),
                ("overlay/patch.yaml", patch),
            ];
        }
        _ => String::new(),
    };
    vec![("overlay/kustomization.yaml", format!("resources: [object.yaml]\n{step}")), ("overlay/object.yaml", object)]
}

const OBJECTS: [&str; 9] = [
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  \
     template:\n    metadata: {labels: {app: web}}\n    spec:\n      serviceAccountName: web\n      containers:\n      - name: web\n        image: nginx:1.0\n        \
     env:\n        - {name: A, value: \"1\"}\n        - {name: B, valueFrom: {configMapKeyRef: {name: settings, key: a}}}\n        ports: [{containerPort: 80}]\n      \
     volumes: [{name: s, configMap: {name: settings}}]\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {a: \"1\"}}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 80}]}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: \"1\", b: \"yes\"}\n",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {k: v}\n",
    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\nimagePullSecrets: [{name: keys}]\n",
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: web}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}\n\
     subjects: [{kind: ServiceAccount, name: web}, {kind: ServiceAccount, name: default, namespace: x}]\n",
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: web, namespace: other}\nrules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\nspec: {image: nginx:1.0, list: [a, b], nested: {on: off, number: 010}}\n",
];

const STEPS: [&str; 34] = [
    "namespace: n1\n",
    "namespace: x\n",
    "namePrefix: p-\n",
    "nameSuffix: -s\n",
    "commonLabels: {team: a, \"on\": \"1\"}\n",
    "labels: [{pairs: {tier: b}, includeSelectors: true}]\n",
    "labels: [{pairs: {tier: b}, includeTemplates: true}, {pairs: {app: z}}]\n",
    "commonAnnotations: {note: \"yes\", n: \"1\"}\n",
    "images: [{name: nginx, newTag: \"2\"}]\n",
    "images: [{name: nginx, newName: example.com/nginx, digest: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}]\n",
    "replicas: [{name: web, count: 3}]\n",
    "configMapGenerator: [{name: settings, behavior: merge, literals: [c=3, a=2]}]\n",
    "configMapGenerator: [{name: settings, behavior: replace, literals: [z=1]}]\n",
    "configMapGenerator: [{name: extra, literals: [\"x=yes\", 'y=1'], options: {labels: {g: \"1\"}}}]\n",
    "configMapGenerator: [{name: extra, files: [k=patch.yaml]}]\n",
    "secretGenerator: [{name: token, literals: [t=1], type: example.com/kind}]\ngeneratorOptions: {disableNameSuffixHash: true, annotations: {g: \"2\"}}\n",
    "secretGenerator: [{name: token, envs: [values.env]}]\n",
    "patches: [{path: patch.yaml}]\n",
    "patchesStrategicMerge: [patch.yaml]\n",
    "patches: [{target: {kind: Deployment}, patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 5}]'}]\n",
    "patches: [{target: {kind: Service}, patch: \"- {op: add, path: /metadata/labels, value: {l: '1'}}\"}]\n",
    "patches: [{target: {name: web}, patch: \"kind: any\\nmetadata: {name: any, annotations: {p: '1'}}\"}]\n",
    "patches: [{target: {kind: ConfigMap}, patch: \"{op: x}\"}]\n",
    "patches: [{target: {kind: Thing}, patch: \"- {op: remove, path: /spec/list/0}\\n- {op: copy, from: /spec/image, path: /spec/other}\"}]\n",
    "patches: [{patch: \"apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: settings}\\ndata: {a: null, n: '5'}\"}]\n",
    "patches: [{patch: \"apiVersion: v1\\nkind: Secret\\nmetadata: {name: keys}\\n$patch: delete\"}]\n",
    "replacements: [{source: {kind: ConfigMap, name: settings, fieldPath: data.a}, targets: [{select: {kind: Deployment}, fieldPaths: [\"spec.template.spec.containers.[name=web].env.[name=A].value\"]}]}]\n",
    "replacements: [{source: {kind: Service, fieldPath: metadata.name}, targets: [{select: {kind: Thing}, fieldPaths: [spec.image], options: {delimiter: \":\", index: 0}}]}]\n",
    "vars: [{name: V, objref: {kind: Service, name: web, apiVersion: v1}}]\n",
    "buildMetadata: [originAnnotations, transformerAnnotations]\n",
    "buildMetadata: [managedByLabel]\n",
    "sortOptions: {order: fifo}\n",
    "openapi: {version: v1.21.2}\n",
    "components: [../component]\n",
];

const PATCHES: [&str; 6] = [
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, env: [{name: C, value: \"on\"}], resources: {limits: {cpu: 1}}}]}}}\n",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: side, image: \"busybox:1\"}], $setElementOrder/containers: [{name: side}, {name: web}]}}}\n",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: null, template: {spec: {volumes: [{$patch: delete, name: s}]}}}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, name: http}, {port: 443}]}\n",
    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\nspec: {list: [c], nested: {$patch: replace, z: 1}}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: \"9\"}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\nimagePullSecrets: []\n",
];

/// Some steps, none of them twice under one field.
fn steps(numbers: &mut Numbers, most: usize) -> String {
    let mut chosen: Vec<&str> = Vec::new();
    for _ in 0..numbers.below(most + 1) {
        let step = STEPS[numbers.below(STEPS.len())];
        let field = |step: &str| step.split(':').next().unwrap_or_default().to_owned();
        if chosen.iter().all(|known| field(known) != field(step)) {
            chosen.push(step);
        }
    }
    chosen.concat()
}

/// A base, a component and an overlay.
fn tree(numbers: &mut Numbers) -> Inputs {
    let mut objects: Vec<&str> = Vec::new();
    for object in OBJECTS {
        if !one_in(numbers, 3) {
            objects.push(object);
        }
    }
    if objects.is_empty() {
        objects.push(OBJECTS[0]);
    }
    let patch = |numbers: &mut Numbers| PATCHES[numbers.below(PATCHES.len())].to_owned();
    let in_base = steps(numbers, 3).replace("components: [../component]\n", "");
    let in_component = steps(numbers, 2).replace("components: [../component]\n", "");
    vec![
        ("base/kustomization.yaml", format!("resources: [objects.yaml]\n{in_base}")),
        ("base/objects.yaml", objects.join("---\n")),
        ("base/patch.yaml", patch(numbers)),
        ("base/values.env", "A=1\nB=two words\n".to_owned()),
        (
            "component/kustomization.yaml",
            format!("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{in_component}"),
        ),
        ("component/patch.yaml", patch(numbers)),
        ("component/values.env", "C=yes\n".to_owned()),
        ("overlay/kustomization.yaml", format!("resources: [../base]\n{}", steps(numbers, 5))),
        ("overlay/patch.yaml", patch(numbers)),
        ("overlay/values.env", "# none\nD=\nE='q'\n".to_owned()),
    ]
}

fn ours(files: &Inputs) -> Result<String, String> {
    let (tree, parsed) =
        (MemoryTree::new(files.iter().map(|(path, text)| (*path, text.as_str()))), ParsedFiles::default());
    let rendering = Renderer::new(&parsed, &tree, Options::default()).render(&RepoPath::new("overlay").unwrap());
    let rendering = rendering.map_err(|failed| failed.error.message)?;
    rendering.to_yaml().map_err(|error| error.message)
}

/// What differs between the two, in words.
fn difference(files: &Inputs, ours: &Result<String, String>, theirs: &Result<String, String>) -> Option<String> {
    let is_same = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    let told = |result: &Result<String, String>| match result {
        Ok(printed) => printed.clone(),
        Err(message) => format!("error: {}\n", message.lines().next().unwrap_or_default()),
    };
    let inputs: Vec<String> = files.iter().map(|(path, text)| format!("//- {path}\n{text}")).collect();
    (!is_same).then(|| format!("{}//- ours\n{}//- kustomize's\n{}", inputs.concat(), told(ours), told(theirs)))
}

#[expect(clippy::print_stderr, reason = "how many were compared is the result")]
fn compare(what: &str, make: impl Fn(&mut Numbers) -> Inputs + Sync) {
    let program = std::env::var("KUSTOMIZE").ok();
    let number = |name: &str| std::env::var(name).ok().and_then(|count| count.parse::<u64>().ok());
    let count = number("ODD_INPUTS").unwrap_or(if program.is_some() { 5000 } else { 500 });
    let first = number("ODD_SEED").unwrap_or(1);
    let seeds: Vec<u64> = (first..first + count).collect();
    let compared = seeds.par_iter().map(|seed| {
        let files = make(&mut Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let ours = ours(&files);
        let differs = program.as_ref().and_then(|program| difference(&files, &ours, &kustomize_build(program, &files)));
        (ours.is_ok(), differs.map(|told| format!("seed {seed}\n{told}")))
    });
    let compared: Vec<(bool, Option<String>)> = compared.collect();
    let rendered = compared.iter().filter(|(is_rendered, _)| *is_rendered).count();
    let differences: Vec<&String> = compared.iter().filter_map(|(_, differs)| differs.as_ref()).collect();
    if program.is_some() {
        eprintln!("{count} {what} compared, {rendered} of them rendered, {} different", differences.len());
    }
    let shown: Vec<&str> = differences.iter().take(5).map(|told| told.as_str()).collect();
    assert!(differences.is_empty(), "{} of {count} {what} differ:\n{}", differences.len(), shown.join("\n"));
    assert!(rendered * 3 > seeds.len(), "only {rendered} of {count} {what} rendered");
}

#[test]
fn odd_trees() {
    compare("trees", tree);
}

#[test]
fn odd_layouts() {
    compare("layouts", layout);
}
