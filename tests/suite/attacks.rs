//! What a hostile author may try, and what must come of it: never exit code 0 while production runs something unproven, and
//! never a gate that stays closed for everybody.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Files, files, run, two_commits};

const KUSTOMIZATION: &str = "resources: [../../base]\nimages: [{name: ghcr.io/example/api, digest: \"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: evil}\nspec: {containers: [{name: evil, image: \"evil.invalid/x:latest\"}]}\n";
const BASE: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {template: {spec: {containers: [{name: api, \
                    image: ghcr.io/example/api, resources: {requests: {cpu: 1, memory: 1Mi}, limits: {memory: 1Mi}}}]}}}\n";

fn repository() -> Files {
    let mut all = files(&[
        ("api/base/app.yaml", BASE),
        ("api/base/kustomization.yaml", "resources: [app.yaml]\n"),
        (".github/CODEOWNERS", "/api/ @example/team\n"),
    ]);
    for environment in ["dev", "staging", "production"] {
        all.extend(files(&[(&format!("api/overlays/{environment}/kustomization.yaml"), KUSTOMIZATION)]));
    }
    all
}

type Trick<'a> = (&'a str, &'a dyn Fn(&Path), i32);

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn nothing_gets_past() {
    let tricks: [Trick<'_>; 13] = [
        (
            "a field in two spellings",
            &|root| {
                write(&root.join("api/base/evil.yaml"), POD);
                write(&root.join("api/base/kustomization.yaml"), "resources: [evil.yaml]\nResources: [app.yaml]\n");
            },
            1,
        ),
        (
            "a field with a letter that folds to another",
            &|root| {
                write(&root.join("api/base/evil.yaml"), POD);
                write(
                    &root.join("api/base/kustomization.yaml"),
                    "re\u{17f}ources: [evil.yaml]\nresources: [app.yaml]\n",
                );
            },
            1,
        ),
        (
            "a key with a tag",
            &|root| {
                write(&root.join("api/base/kustomization.yaml"), "!!str resources: [app.yaml]\n");
            },
            1,
        ),
        (
            "a repository's address that is also a folder",
            &|root| {
                write(&root.join("api/base/github.com/evil/base/kustomization.yaml"), "resources: []\n");
                write(&root.join("api/base/kustomization.yaml"), "resources: [app.yaml, github.com/evil/base]\n");
            },
            1,
        ),
        (
            "a folder above the overlays that becomes a link",
            &|root| {
                fs::rename(root.join("api/overlays"), root.join("other")).unwrap();
                symlink("../other", root.join("api/overlays")).unwrap();
                write(&root.join("other/production/evil.yaml"), POD);
                write(&root.join("other/production/kustomization.yaml"), "resources: [evil.yaml]\n");
            },
            1,
        ),
        (
            "an attribute that rewrites a checkout",
            &|root| {
                write(&root.join(".gitattributes"), "api/base/*.yaml ident\n");
            },
            1,
        ),
        (
            "an attribute by a macro",
            &|root| {
                write(&root.join(".gitattributes"), "[attr]quiet filter=evil\n/api/** quiet\n");
            },
            1,
        ),
        (
            "instructions for Argo CD",
            &|root| {
                write(&root.join("api/overlays/production/.argocd-source-api.yaml"), "kustomize: {images: [x=y]}\n");
            },
            1,
        ),
        (
            "production under another name",
            &|root| {
                fs::rename(root.join("api/overlays/production"), root.join("api/overlays/prodx")).unwrap();
            },
            1,
        ),
        (
            "a configuration that finds nothing",
            &|root| {
                write(&root.join("tollgate.yaml"), "version: 1\nlayout: nothing/{app}/{env}\n");
            },
            2,
        ),
        (
            "a folder in the place of CODEOWNERS",
            &|root| {
                write(&root.join("docs/CODEOWNERS/x"), "x");
            },
            2,
        ),
        (
            "a name that looks like another one",
            &|root| {
                write(&root.join("api/overlays/prod-\u{202e}x/kustomization.yaml"), KUSTOMIZATION);
            },
            2,
        ),
        (
            "an environment that repeats its work",
            &|root| {
                let object = |at: usize| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{at}}}\n");
                let objects = (0..2_000).map(object).collect::<Vec<_>>().concat();
                let patches: String = (0..500)
                    .map(|_| "- {target: {kind: A}, patch: '[{\"op\":\"remove\",\"path\":\"/data\"}]'}\n")
                    .collect();
                write(&root.join("api/overlays/production/many.yaml"), &objects);
                write(
                    &root.join("api/overlays/production/kustomization.yaml"),
                    &format!("resources: [../../base, many.yaml]\npatches:\n{patches}"),
                );
            },
            1,
        ),
    ];
    for (name, trick, code) in tricks {
        let base = repository();
        let made = two_commits(&base, &base);
        assert_eq!(run(made.path(), &["check", "--worktree"]).code, 0, "{name}: before");
        trick(made.path());
        let ran = run(made.path(), &["check", "--worktree"]);
        assert_eq!(ran.code, code, "{name}:\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn a_drill_finds_what_is_open() {
    let base = repository();
    let made = two_commits(&base, &base);
    let ran = run(made.path(), &["drill", "--base", "main"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("refused      promotion/unproven at"), "{}", ran.out);
    assert!(ran.out.contains("LET THROUGH  because no CODEOWNERS line covers `tollgate.yaml`"), "{}", ran.out);
    let json: serde_json::Value =
        serde_json::from_str(&run(made.path(), &["drill", "--base", "main", "--format", "json"]).out).unwrap();
    assert_eq!(json["schema"], "tollgate.drill/1");
}
