//! The house rules: what a reader relies on without looking.

use std::collections::BTreeSet;
use std::fs;

use clap::{CommandFactory as _, ValueEnum as _};
use tollgate::sources::{ContentId, RepoPath};
use tollgate::span::Files;

use crate::support::{files_in, root};

/// The ids of all rules, by their files.
pub(crate) fn rules() -> Vec<String> {
    let policies = files_in(&root().join("policies"));
    let ids = policies.keys().filter_map(|path| path.as_str().strip_suffix(".rego"));
    ids.filter(|id| !id.ends_with("_test") && !id.starts_with("lib/")).map(str::to_owned).collect()
}

#[test]
fn every_rule_is_in_the_catalog_tested_and_told() {
    let catalog: BTreeSet<String> =
        tollgate::policy::catalog().unwrap().iter().map(|rule| rule.id.to_owned()).collect();
    let files: BTreeSet<String> = rules().into_iter().collect();
    assert_eq!(catalog, files, "the list in src/policy/catalog.rs and the files under policies");
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    for rule in files {
        assert!(root().join("policies").join(format!("{rule}_test.rego")).is_file(), "{rule} has no test beside it");
        assert!(root().join("testdata").join(&rule).is_dir(), "{rule} has no case");
        let text = fs::read_to_string(root().join("policies").join(format!("{rule}.rego"))).unwrap();
        assert!(!text.contains("TODO"), "{rule} is not finished");
        assert!(changelog.contains(&format!("`{rule}`")), "the changelog does not tell of {rule}");
    }
}

/// The page of all rules, made of what they say about themselves and of their examples.
fn rules_page() -> String {
    let rules = tollgate::policy::catalog().unwrap();
    let mut page = "# All rules\n\nThis page is made from the rules (`UPDATE=1 cargo test`); `tollgate explain RULE` also shows the example's files.\n\n\
                    | rule | finds | severity |\n|---|---|---|\n"
        .to_owned();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for rule in rules {
        let anchor = rule.id.replace('/', "");
        let severity = rule.metadata.custom.severity.describe();
        page.push_str(&format!("| [`{}`](#{anchor}) | {} | {severity} |\n", rule.id, rule.metadata.title));
    }
    for rule in rules {
        let custom = &rule.metadata.custom;
        page.push_str(&format!("\n## {}\n\n{}\n", rule.id, one_line(&rule.metadata.description)));
        for (name, value) in &custom.parameters {
            page.push_str(&format!("\nParameter `{name}`, by default `{value}`.\n"));
        }
        let (header, sections) = crate::support::sections(rule.example);
        let why = header.lines().find_map(|line| line.strip_prefix("why: ")).unwrap().trim_matches('"');
        let told = sections["expected"].split_once("\n\n").unwrap().1.trim_end();
        page.push_str(&format!("\nFor example: {why}.\n\n```text\n{told}\n```\n"));
    }
    page
}

#[test]
fn the_page_of_rules_is_what_they_say() {
    let file = root().join("docs/rules.md");
    let page = rules_page();
    if std::env::var("UPDATE").is_ok() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/rules.md is stale: `UPDATE=1 cargo test` writes it again");
}

/// The stages in the order of the flow; what is not listed coordinates or is shared.
const STAGES: [&str; 7] = ["sources", "yaml", "kustomize", "model", "facts", "policy", "report"];

#[test]
fn a_stage_uses_only_stages_to_its_left() {
    let shared = ["span", "finding", "config", "sided", "words", "difference", "progress"];
    for (path, text) in files_in(&root().join("src")) {
        let Some(stage) = path.segments().next().and_then(|first| STAGES.iter().position(|stage| *stage == first))
        else {
            continue;
        };
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        for used in text.match_indices("crate::").map(|(at, _)| &text[at + "crate::".len()..]) {
            let used = used.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap();
            let allowed =
                shared.contains(&used) || STAGES[..=stage].contains(&used) || used.starts_with(char::is_uppercase);
            assert!(allowed, "{path} is in stage `{}` and uses `{used}`", STAGES[stage]);
        }
    }
}

#[test]
fn engines_stay_behind_their_adapters() {
    for (path, text) in files_in(&root().join("src")) {
        for (engine, home) in [
            ("regorus::", "policy/engine/"),
            ("use cel::", "policy/cel/"),
            ("similar::", "difference.rs"),
            ("gix::", "sources/"),
            ("granit_parser::", "yaml/parse.rs"),
            ("cron::", "config/freeze.rs"),
            ("ureq::", "forge/client.rs"),
            ("indicatif::", "progress.rs"),
        ] {
            assert!(
                !text.contains(engine) || path.as_str().starts_with(home),
                "{path} names `{engine}`, which belongs to {home}"
            );
        }
    }
}

#[test]
fn the_page_of_what_is_rendered_lists_it() {
    let page = fs::read_to_string(root().join("docs/rendering.md")).unwrap();
    let source = fs::read_to_string(root().join("src/kustomize/file/kustomization.rs")).unwrap();
    let known = source.split("const KNOWN: &[&str] = &[").nth(1).unwrap().split("];").next().unwrap();
    let fields = known.split('"').skip(1).step_by(2);
    for field in fields.filter(|field| !matches!(*field, "apiVersion" | "kind" | "metadata" | "imageTags")) {
        assert!(page.contains(&format!("`{field}")), "docs/rendering.md does not list `{field}`");
    }
}

/// A misspelt path is undefined in Rego, and what is undefined is no finding. Variables that a rule takes out of the input are
/// followed: `some image in input.facts.scanned` says what `image` has, wherever the rule calls something so.
#[test]
fn every_input_path_of_a_rule_is_in_the_schema() {
    let schema = fs::read_to_string(root().join("policies/input.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let binding = regex::Regex::new(r"some (?:\w+, )?(\w+) in (\w+(?:\.\w+)+)").unwrap();
    let used = regex::Regex::new(r"(?:^|[^.\w])(\w+)((?:\.\w+)+)").unwrap();
    let mut followed = 0;
    for (path, text) in files_in(&root().join("policies")) {
        let is_rule = path.file_name().strip_suffix(".rego").is_some_and(|name| !name.ends_with("_test"));
        if !is_rule {
            continue;
        }
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        let mut variables: Vec<(String, &serde_json::Value)> = vec![("input".to_owned(), &schema)];
        // One may be taken out of another.
        for _ in 0..3 {
            for found in binding.captures_iter(&code) {
                let (first, rest) = found[2].split_once('.').unwrap();
                let holders: Vec<_> = variables.iter().filter(|(name, _)| *name == first).map(|(_, of)| *of).collect();
                for holder in holders {
                    let Some(list) = below(&schema, holder, rest) else { continue };
                    let items = &resolve(&schema, list)["items"];
                    if !items.is_null() && !variables.iter().any(|(name, of)| *name == found[1] && *of == items) {
                        variables.push((found[1].to_owned(), items));
                    }
                }
            }
        }
        for found in used.captures_iter(&code) {
            let of: Vec<_> = variables.iter().filter(|(name, _)| *name == found[1]).map(|(_, of)| *of).collect();
            let rest = found[2].trim_start_matches('.');
            let is_there = of.is_empty() || of.iter().any(|of| below(&schema, of, rest).is_some());
            assert!(is_there, "{path}: `{}{}` is not in the schema", &found[1], &found[2]);
            followed += usize::from(!of.is_empty() && &found[1] != "input");
        }
    }
    assert!(followed > 150, "{followed} paths of variables were followed");
}

/// What the schema says of a path below a value; anything below what has no properties.
fn below<'a>(
    schema: &'a serde_json::Value,
    mut here: &'a serde_json::Value,
    path: &str,
) -> Option<&'a serde_json::Value> {
    for key in path.split('.') {
        here = resolve(schema, here);
        let Some(properties) = here.get("properties") else { return Some(here) };
        here = properties.get(key)?;
    }
    Some(here)
}

/// Follows references and takes the variant that is not null.
fn resolve<'a>(schema: &'a serde_json::Value, mut here: &'a serde_json::Value) -> &'a serde_json::Value {
    loop {
        if let Some(name) = here["$ref"].as_str() {
            here = &schema["$defs"][name.trim_start_matches("#/$defs/")];
        } else if let Some(variants) = here["anyOf"].as_array() {
            here = &variants[0];
        } else {
            return here;
        }
    }
}

#[test]
fn the_ratchet_is_a_number() {
    let text = fs::read_to_string(root().join(".ci/conformance")).unwrap();
    let (floor, reasons) = text.split_once('\n').unwrap();
    assert!(floor.parse::<usize>().unwrap() > 0);
    assert!(
        reasons.lines().all(|line| line.starts_with("# ") && line.contains(':')),
        "a case that is left out has a reason"
    );
}

/// The README and the pages of the book, by path.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = files_in(&root().join("docs"))
        .into_iter()
        .filter(|(path, _)| path.file_name().strip_suffix(".md").is_some())
        .map(|(path, text)| (format!("docs/{path}"), text))
        .collect();
    pages.push(("README.md".to_owned(), fs::read_to_string(root().join("README.md")).unwrap()));
    pages
}

#[test]
fn what_others_read_is_yaml_and_what_the_pages_configure_is_accepted() {
    for file in ["action.yml", ".pre-commit-hooks.yaml", ".github/workflows/release.yml", ".github/workflows/ci.yml"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        serde_yaml::from_str::<serde_yaml::Value>(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let mut configurations = 0;
    for (path, text) in pages() {
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            serde_yaml::from_str::<serde_yaml::Value>(block).unwrap_or_else(|error| panic!("{path}: {error}\n{block}"));
            if block.starts_with("version: 1") {
                let files = Files::default();
                let file = files.add(&RepoPath::new("tollgate.yaml").unwrap(), ContentId::of(block.as_bytes()), block);
                let config = tollgate::config::read(file, block).unwrap_or_else(|error| panic!("{path}: {error:?}"));
                tollgate::policy::settings(&config, tollgate::policy::catalog().unwrap()).unwrap();
                configurations += 1;
            }
        }
    }
    assert_eq!(configurations, 3, "the whole configuration, that of branches, and that of policies");
}

#[test]
fn every_version_that_is_named_is_the_one_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    let workflow = fs::read_to_string(root().join(".github/workflows/check.yml")).unwrap();
    for (path, text) in pages().into_iter().chain([("check.yml".to_owned(), workflow)]) {
        for mark in ["/tollgate@v", "/check.yml@v", "download/v", "tollgate==", "rev: v"] {
            for named in text.split(mark).skip(1) {
                assert!(named.starts_with(version), "{path} names another version after `{mark}`");
            }
        }
    }
}

#[test]
fn pages_lead_to_pages_that_are_there() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for (path, text) in pages() {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            assert!(
                link.starts_with("http") || target.is_empty() || folder.join(target).exists(),
                "{path} leads to {link}, which is not there"
            );
        }
        let name = path.trim_start_matches("docs/");
        assert!(
            matches!(path.as_str(), "README.md" | "docs/SUMMARY.md") || summary.contains(&format!("({name})")),
            "docs/SUMMARY.md does not list {name}"
        );
    }
}

#[test]
fn every_command_and_format_has_its_line() {
    let commands = fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let reports = fs::read_to_string(root().join("docs/reports.md")).unwrap();
    for command in tollgate::cli::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(commands.contains(&format!("`tollgate {name}")), "docs/commands.md does not list {name}");
    }
    for format in tollgate::cli::Format::value_variants() {
        let name = format.to_possible_value().unwrap();
        assert!(reports.contains(&format!("| `{}` |", name.get_name())), "docs/reports.md lists no {name:?}");
    }
}
