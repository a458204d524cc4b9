//! OWNERS files as Prow reads them (<https://www.kubernetes.dev/docs/guide/owners/>): `approvers` of a folder and of those above it
//! own what is in it, up to one with `no_parent_owners`; `OWNERS_ALIASES` at the root names groups.

use std::collections::BTreeMap;

use super::codeowners::{Codeowners, InvalidLine, OwnerRule};
use crate::config::OwnersDialect;
use crate::kustomize::ParsedFiles;
use crate::sources::{RepoPath, Tree, TreeError, list};
use crate::span::Span;
use crate::yaml::{Dialect, Mapping, Node, Source, Step, parse};

/// The name of the file in a folder.
pub const OWNERS: &str = "OWNERS";
/// The name of the file with groups, at the root.
pub const ALIASES: &str = "OWNERS_ALIASES";

/// What the OWNERS files of a tree say; the rules of folders come behind those of the folders above them.
///
/// # Errors
/// When the tree cannot be read.
pub(super) fn read(tree: &dyn Tree, parsed: &ParsedFiles) -> Result<Codeowners, TreeError> {
    let mut owners = Codeowners::none(OwnersDialect::Prow);
    let aliases = document(tree, parsed, &RepoPath::root().child(ALIASES), &mut owners)?;
    let groups = aliases.as_ref().map(|(document, _)| groups(document)).unwrap_or_default();
    let mut files: Vec<RepoPath> = list(tree)?.files.into_iter().filter(|path| path.file_name() == OWNERS).collect();
    files.sort_by_key(|path| path.segments().count());
    let mut approvers_of: BTreeMap<RepoPath, Vec<String>> = BTreeMap::new();
    for path in files {
        let folder = path.parent().unwrap_or_else(RepoPath::root);
        let Some((document, whole)) = document(tree, parsed, &path, &mut owners)? else { continue };
        owners.file.get_or_insert(whole);
        let filtered = document.find(&["filters", ".*"]);
        if let Some(filters) = document.get("filters").and_then(Node::as_mapping) {
            for (key, _) in filters.iter().filter(|(key, _)| &*key.text != ".*") {
                let why = format!("the filter `{}` is not followed here, so that its approvers do not count", key.text);
                owners.invalid.push(InvalidLine { span: key.span, why });
            }
        }
        let listed = filtered.unwrap_or(&document).get("approvers");
        let mut approvers: Vec<String> = listed
            .and_then(Node::as_sequence)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_text)
            .flat_map(|name| groups.get(&name.to_lowercase()).cloned().unwrap_or_else(|| vec![name.to_owned()]))
            .map(|name| format!("@{}", name.trim_start_matches('@')))
            .collect();
        let is_alone = document.find(&["options", "no_parent_owners"]).and_then(Node::as_text) == Some("true");
        if !is_alone {
            let mut above = std::iter::successors(folder.parent(), RepoPath::parent);
            approvers.extend(above.find_map(|above| approvers_of.get(&above)).into_iter().flatten().cloned());
        }
        let mut seen: Vec<String> = Vec::new();
        approvers.retain(|name| {
            !seen.contains(&name.to_lowercase()) && {
                seen.push(name.to_lowercase());
                true
            }
        });
        owners.push(OwnerRule::of_folder(&folder, approvers.clone(), listed.map_or(whole, |node| node.origin.span)));
        approvers_of.insert(folder, approvers);
    }
    Ok(owners)
}

/// The only document of a file, and the file's first line; `None` where there is none, or it cannot be read, which is told.
fn document(
    tree: &dyn Tree,
    parsed: &ParsedFiles,
    path: &RepoPath,
    owners: &mut Codeowners,
) -> Result<Option<(Node, Span)>, TreeError> {
    let Some((id, content)) = tree.read(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&content).into_owned();
    let file = parsed.files.add(path, id, &text);
    let start = Span::start_of(file);
    match parse(&Source::file(file, &text), Step::File, Dialect::Configuration) {
        Ok(documents) => Ok(documents.into_iter().next().map(|document| (document, start))),
        Err(error) => {
            let why = format!("`{path}` is not YAML, so that nobody owns anything by it: {}", error.message);
            owners.invalid.push(InvalidLine { span: error.span, why });
            Ok(None)
        }
    }
}

/// The members of groups by their names, which are compared without regard to case.
fn groups(document: &Node) -> BTreeMap<String, Vec<String>> {
    let aliases = document.get("aliases").and_then(Node::as_mapping);
    let members = |node: &Node| {
        let items = node.as_sequence().unwrap_or_default();
        items.iter().filter_map(Node::as_text).map(str::to_owned).collect()
    };
    aliases.into_iter().flat_map(Mapping::iter).map(|(key, node)| (key.text.to_lowercase(), members(node))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::MemoryTree;

    #[test]
    fn approvers_of_folders_above_count_too() {
        let tree = MemoryTree::new([
            ("OWNERS", "approvers: [root]\nreviewers: [nobody]\n"),
            ("OWNERS_ALIASES", "aliases: {Team-A: [ana, ben]}\n"),
            ("apps/OWNERS", "approvers: [team-a, ROOT]\n"),
            ("apps/secret/OWNERS", "approvers: [cem]\noptions: {no_parent_owners: true}\n"),
            ("apps/secret/deep/OWNERS", "filters: {\".*\": {approvers: [dan]}, \"x$\": {approvers: [eve]}}\n"),
            ("broken/OWNERS", "approvers: [\n"),
        ]);
        let owners = read(&tree, &ParsedFiles::default()).unwrap();
        let of = |path: &str| owners.of(&RepoPath::new(path).unwrap()).map(|rule| rule.owners.join(" "));
        assert_eq!(of("x").as_deref(), Some("@root"));
        assert_eq!(of("apps/api/x").as_deref(), Some("@ana @ben @ROOT"));
        assert_eq!(of("apps/secret/x").as_deref(), Some("@cem"));
        assert_eq!(of("apps/secret/deep/x").as_deref(), Some("@dan @cem"));
        assert_eq!(of("broken/x").as_deref(), Some("@root"));
        assert_eq!(owners.invalid.len(), 2);
    }
}
