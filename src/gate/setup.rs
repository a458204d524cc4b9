//! What a repository needs to be judged: a configuration that finds what is found without one.

use std::collections::{BTreeMap, BTreeSet};

use super::{GateError, overlays};
use crate::config::{Config, FILE_NAME, ONE_ENVIRONMENT};
use crate::kustomize::ParsedFiles;
use crate::model::{Overlay, Overlays};
use crate::sources::{EditedTree, RepoPath, Repository};
use crate::words::count;

/// What was found in a repository without a configuration, and the configuration that says so.
pub struct Setup {
    /// The text of the configuration.
    pub config: String,
    /// By environment, lowest first: its name, how many overlays it has, and one of them.
    pub environments: Vec<(String, usize, RepoPath)>,
    /// How many apps there are.
    pub apps: usize,
}

/// Looks at the working tree, and writes down what is found. What the configuration names is what is found without it, or it names
/// nothing.
///
/// # Errors
/// When the working tree cannot be read.
pub fn setup(repository: &Repository, files: &ParsedFiles) -> Result<Setup, GateError> {
    let (config, found) = overlays(&repository.working_tree(), files)?;
    let mut by_environment: BTreeMap<usize, Vec<&Overlay>> = BTreeMap::new();
    for overlay in &found.all {
        by_environment.entry(overlay.environment).or_default().push(overlay);
    }
    let name = |at: &usize| config.environments[*at].name.clone();
    let environments: Vec<(String, usize, RepoPath)> = by_environment
        .iter()
        .filter_map(|(at, overlays)| Some((name(at), overlays.len(), overlays.first()?.path.clone())))
        .collect();
    let apps = found.all.iter().map(|overlay| &overlay.app).collect::<BTreeSet<_>>().len();
    let head = head(&environments, apps, found.all.len());
    let named = named(&config, by_environment.keys().copied());
    let whole = format!("{head}{named}{TAIL}");
    let mut edited = EditedTree::of(repository.working_tree());
    edited.write(RepoPath::root().child(FILE_NAME), &whole);
    let written = overlays(&edited, files);
    let is_same = written.is_ok_and(|(written, again)| identities(&written, &again) == identities(&config, &found));
    let commented = || named.lines().fold(String::new(), |text, line| format!("{text}# {line}\n"));
    let text = if is_same { whole } else { format!("{head}{}{TAIL}", commented()) };
    Ok(Setup { config: text, environments, apps })
}

fn identities(config: &Config, overlays: &Overlays) -> Vec<(RepoPath, String, String)> {
    let identity = |overlay: &Overlay| {
        (overlay.path.clone(), overlay.app.clone(), config.environments[overlay.environment].name.clone())
    };
    overlays.all.iter().map(identity).collect()
}

fn head(environments: &[(String, usize, RepoPath)], apps: usize, overlays: usize) -> String {
    let mut text = format!(
        "# What Tollgate judges, and how. Changes to this file count once they have landed.\nversion: 1\n\n# Found: {} of {}.\n",
        count(overlays, "overlay"),
        count(apps, "app")
    );
    for (name, count, first) in environments {
        text.push_str(&format!("#   {name}: {count}, such as {first}\n"));
    }
    text
}

/// The environments that are in use. What holds without a file stays as it is.
fn named(config: &Config, used: impl Iterator<Item = usize>) -> String {
    let is_one = |at: &usize| config.environments[*at].name == ONE_ENVIRONMENT;
    let (unnamed, used): (Vec<usize>, Vec<usize>) = used.partition(is_one);
    if used.is_empty() {
        return "# No folder names an environment: all of it is judged as one.\n".to_owned();
    }
    let mut text = String::new();
    if !unnamed.is_empty() {
        text.push_str("# Nothing names the environment of some overlays: add their names as `aliases`.\n");
    }
    text.push_str("environments:            # lowest first: each is promoted from the one before it\n");
    for at in used {
        let environment = &config.environments[at];
        text.push_str(&format!("  - name: {}\n", environment.name));
        if environment.protected {
            text.push_str("    protected: true      # requires owners, limits and approvals\n");
            text.push_str("    # soak: 24h          # how long a digest must have been live below\n");
            text.push_str("    # bots: deny         # automation may not change it\n");
        }
    }
    text
}

const TAIL: &str = "
# freezes:
#   - name: weekend
#     environments: [production]
#     schedule: \"0 17 * * FRI\"
#     duration: 63h
#     timeZone: Europe/Berlin
# rules:
#   image/unpinned: { severity: warning }
#   resources/missing_limits: { require: [limits.memory] }
";
