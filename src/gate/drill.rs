//! Proves the gate on a repository of its user: makes, in memory, the changes that must be refused, and judges each.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::{GateError, NamedText, Request, judge, overlays};
use crate::config::{Bots, Config, FILE_NAME};
use crate::facts::{Depth, HistoryError, LandingTimes, LookBack, Stay};
use crate::finding::Finding;
use crate::kustomize::{FILE_NAMES, ParsedFiles, Renderer, Scanner};
use crate::model::{Edit, Image, Overlay, Overlays, State, at_origin, edited};
use crate::report::drill::{Answer, Attempt};
use crate::sources::{Commit, CommitTree, Comparison, EditedTree, RepoPath, Repository, Tree};
use crate::yaml::{Dialect, Node, Source, Step, parse};

/// Makes every change for one overlay of each protected environment, or for all of an app.
///
/// # Errors
/// When the repository cannot be judged at all.
pub fn drill(
    repository: &Repository,
    tip: &Commit,
    files: &ParsedFiles,
    app: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Attempt>, GateError> {
    let tree = repository.tree(tip);
    let (config, overlays) = overlays(&tree, files)?;
    let mut attempts = Vec::new();
    for (at, environment) in config.environments.iter().enumerate().filter(|(_, environment)| environment.protected) {
        let of_environment = overlays.all.iter().filter(|overlay| overlay.environment == at);
        let chosen: Vec<&Overlay> = match app {
            Some(app) => of_environment.filter(|overlay| overlay.app == app).collect(),
            None => of_environment.take(1).collect(),
        };
        for overlay in chosen {
            let drill =
                Drill { repository, tip, files, tree: &tree, config: &config, overlays: &overlays, overlay, now };
            let attempted = drill.all()?.into_iter().map(|(change, answer)| Attempt {
                environment: environment.name.clone(),
                overlay: overlay.path.to_string(),
                change,
                answer,
            });
            attempts.extend(attempted);
        }
    }
    if attempts.is_empty() {
        return Err(GateError::NoMatch(app.map_or_else(
            || "any protected environment".to_owned(),
            |app| format!("app `{app}` in a protected environment"),
        )));
    }
    Ok(attempts)
}

struct Drill<'a> {
    repository: &'a Repository,
    tip: &'a Commit,
    files: &'a ParsedFiles,
    tree: &'a CommitTree,
    config: &'a Config,
    overlays: &'a Overlays,
    overlay: &'a Overlay,
    now: DateTime<Utc>,
}

/// A change in the making.
struct Change {
    tree: EditedTree<CommitTree>,
    author: Option<&'static str>,
    is_reviewed: bool,
    now: DateTime<Utc>,
}

/// The name of everything that a drill adds.
const NAME: &str = "tollgate-drill";

/// An image that nobody has.
const NOWHERE: &str = "registry.invalid/tollgate-drill";

type Row = (&'static str, Answer);

impl Drill<'_> {
    fn all(&self) -> Result<Vec<Row>, GateError> {
        let environment = &self.config.environments[self.overlay.environment];
        let unknown = format!("{NOWHERE}@sha256:{}", "0123456789abcdef".repeat(4));
        let own = self.images(self.overlay).into_iter().next().map_or_else(|| unknown.clone(), |image| image.reference);
        let unproven = "`promotesFrom` is missing, so no environment has to prove what enters this one";
        let owned = format!("no CODEOWNERS line covers `{}`", self.overlay.path);
        let mut rows = vec![
            self.adds("an image by tag", &pod(&format!("{NOWHERE}:latest"), ""), "`image/unpinned` is off here")?,
            self.adds("a digest that was never seen", &pod(&unknown, ""), unproven)?,
            self.only_lower()?,
            self.too_fresh()?,
            self.without_limits(),
            self.adds(
                "a Secret that nothing provides",
                &pod(&own, ", envFrom: [{secretRef: {name: tollgate-drill}}]"),
                "`secret/missing` is off here",
            )?,
            self.adds(
                "a ConfigMap that nothing provides",
                &pod(&own, ", envFrom: [{configMapRef: {name: tollgate-drill}}]"),
                "`config/missing` is off here",
            )?,
            self.adds("a misspelt field", &pod(&own, ", imagePullPolicie: Always"), "`schema/invalid` is off here")?,
            self.in_base(&unknown)?,
            self.by_component(&unknown)?,
            self.remote_base()?,
        ];
        let mut by_bot = self.harmless()?;
        if let Some(change) = &mut by_bot {
            change.author = Some("renovate[bot]");
        }
        rows.push(match (environment.bots, by_bot) {
            (Bots::Allow, _) => ("a bot's commit", Answer::NotAsked("`bots: deny` is not set".to_owned())),
            (Bots::Deny, change) => ("a bot's commit", self.answer(change, "`owners/bot_write` is off here")),
        });
        let mut unapproved = self.harmless()?;
        if let Some(change) = &mut unapproved {
            change.is_reviewed = true;
        }
        rows.push(match environment.approvals {
            0 => ("a change that nobody approved", Answer::NotAsked("`approvals: 0`".to_owned())),
            _ => ("a change that nobody approved", self.answer(unapproved, &owned)),
        });
        rows.push(self.in_freeze()?);
        rows.push(self.loosened()?);
        rows.push(self.moved()?);
        rows.push(self.by_link(&unknown)?);
        rows.push(self.with_instructions());
        Ok(rows)
    }

    fn change(&self) -> Change {
        // A freeze would refuse everything, and hide what the other rules do.
        let ends = self.freezes().filter_map(|freeze| freeze.active(self.now)).map(|window| window.until).max();
        let now = ends.map_or(self.now, |end| end + Duration::minutes(1));
        Change { tree: EditedTree::of(self.tree.clone()), author: None, is_reviewed: false, now }
    }

    fn freezes(&self) -> impl Iterator<Item = &crate::config::Freeze> {
        let name = &self.config.environments[self.overlay.environment].name;
        self.config.freezes.iter().filter(move |freeze| freeze.environments.contains(name))
    }

    fn answer(&self, change: Option<Change>, because: &str) -> Answer {
        let Some(change) = change else {
            return Answer::Impossible("the kustomization cannot be extended by a line".to_owned());
        };
        let commit = |author: &str| {
            let mut commit = self.tip.clone();
            author.clone_into(&mut commit.author_name);
            (commit.parents, commit.others) = (1, Vec::new());
            commit
        };
        let comparison = Comparison {
            base: self.tip.clone(),
            base_tree: self.tree.clone(),
            head: Some(self.tip.clone()),
            head_tree: Box::new(change.tree),
            added: change.author.map(commit).into_iter().collect(),
        };
        let review = format!(r#"{{"pullRequest": {{"author": {{"login": "{NAME}"}}}}, "head": "{}"}}"#, self.tip.id);
        let request = Request {
            review: change.is_reviewed.then_some(NamedText { name: "the drill", text: &review }),
            ..Request::new(self.repository, &comparison, change.now)
        };
        match judge(&request, self.files) {
            Err(error) => Answer::Undecided(error.to_string()),
            Ok(report) => match report.findings.iter().find(|finding| finding.closes()) {
                Some(finding) => self.refused(finding),
                None => Answer::LetThrough(because.to_owned()),
            },
        }
    }

    fn refused(&self, finding: &Finding) -> Answer {
        Answer::Refused { rule: finding.rule.clone(), place: self.files.files.location(finding.primary.span) }
    }

    /// The overlay's kustomization, its path and text; `None` where it holds plain manifests.
    fn kustomization(&self, folder: &RepoPath) -> Result<Option<(RepoPath, String)>, GateError> {
        for name in FILE_NAMES {
            let path = folder.child(name);
            if let Some((_, content)) = self.tree.read(&path)? {
                return Ok(String::from_utf8(content.to_vec()).ok().map(|text| (path, text)));
            }
        }
        Ok(None)
    }

    /// A change that adds an object to a folder.
    fn adding(&self, folder: &RepoPath, object: &str) -> Result<Option<Change>, GateError> {
        let mut change = self.change();
        let name = format!("{NAME}.yaml");
        if let Some((path, text)) = self.kustomization(folder)? {
            let Some(text) = extended(&text, "resources", &name) else { return Ok(None) };
            change.tree.write(path, &text);
        }
        change.tree.write(folder.child(&name), object);
        Ok(Some(change))
    }

    fn adds(&self, what: &'static str, object: &str, because: &str) -> Result<Row, GateError> {
        Ok((what, self.answer(self.adding(&self.overlay.path, object)?, because)))
    }

    fn harmless(&self) -> Result<Option<Change>, GateError> {
        self.adding(&self.overlay.path, &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {NAME}}}\n"))
    }

    fn images(&self, overlay: &Overlay) -> Vec<Image> {
        let renderer = Renderer::new(self.files, self.tree, self.overlays.rendering(self.config));
        let Ok(rendering) = renderer.render_any(&overlay.path) else { return Vec::new() };
        State::of(&rendering, self.config).images.into_iter().map(|used| used.image).collect()
    }

    /// A change by which the overlay runs an image: in the place of what it runs of the same repository, else in addition.
    fn running(&self, image: &Image) -> Result<Option<Change>, GateError> {
        let renderer = Renderer::new(self.files, self.tree, self.overlays.rendering(self.config));
        let state = renderer.render_any(&self.overlay.path).map(|it| State::of(&it, self.config)).unwrap_or_default();
        let of_repository = state.images.iter().find(|used| used.image.repository == image.repository);
        let Some(used) = of_repository else { return self.adding(&self.overlay.path, &pod(&image.reference, "")) };
        let Some(edits) = at_origin(&self.files.files, used, image) else { return Ok(None) };
        let source = self.files.files.get(used.origin.span.file);
        let mut change = self.change();
        change.tree.write(source.path.clone(), &edited(&source.text, &edits));
        Ok(Some(change))
    }

    fn images_in(&self, environment: usize) -> Vec<Image> {
        let overlays = self.overlays.counterparts(self.overlay, environment);
        overlays.into_iter().flat_map(|overlay| self.images(overlay)).collect()
    }

    fn below(&self) -> Option<usize> {
        let below = crate::facts::environments_below(self.config, &|_| self.overlays, self.overlay)?;
        below.environments.first().copied()
    }

    fn only_lower(&self) -> Result<Row, GateError> {
        let what = "a digest that only ran further below";
        let Some(below) = self.below() else {
            return Ok((what, Answer::NotAsked("`promotesFrom` is missing".to_owned())));
        };
        let now = self.now.timestamp();
        let history = LookBack::new(
            self.repository,
            self.files,
            self.overlays.rendering(self.config),
            self.config,
            self.tip,
            &LandingTimes::default(),
            now,
        )
        .map_err(HistoryError::from)?;
        let above = self.overlays.counterparts(self.overlay, below).into_iter().chain([self.overlay]);
        let above: Vec<&Overlay> = above.collect();
        for image in (0..below).rev().flat_map(|lower| self.images_in(lower)).filter(|image| image.digest.is_some()) {
            let content = image.content(&self.config.mirrors);
            let stays = above.iter().map(|overlay| history.stays(&overlay.path, &content, Depth::Any, now));
            let stays: Vec<Vec<Stay>> = stays.collect::<Result<_, _>>()?;
            if stays.iter().all(Vec::is_empty) {
                return Ok((what, self.answer(self.running(&image)?, "it is not asked where it ran")));
            }
        }
        Ok((what, Answer::Impossible("whatever runs further below has run there too".to_owned())))
    }

    fn too_fresh(&self) -> Result<Row, GateError> {
        let what = "a digest that is live below for a minute";
        let Some(soak) = self.config.environments[self.overlay.environment].soak else {
            return Ok((what, Answer::NotAsked("`soak` is not set".to_owned())));
        };
        let Some(below) = self.below() else {
            return Ok((what, Answer::NotAsked("`promotesFrom` is missing".to_owned())));
        };
        let own = self.images(self.overlay);
        let fresh = self.images_in(below).into_iter().find(|image| !own.iter().any(|it| it.digest == image.digest));
        let Some(image) = fresh else {
            return Ok((what, Answer::Impossible("everything that is live below runs here already".to_owned())));
        };
        let mut change = self.running(&image)?;
        // The newest commit is the latest time at which it can have come.
        let landed = DateTime::from_timestamp(self.tip.time, 0).unwrap_or(self.now);
        if let Some(change) = &mut change {
            change.now = landed + Duration::minutes(1);
        }
        let because = format!("it is live below for longer than {} already", crate::words::duration(soak));
        let answer = match self.answer(change, &because) {
            Answer::LetThrough(because) => Answer::Impossible(because),
            other => other,
        };
        Ok((what, answer))
    }

    fn without_limits(&self) -> Row {
        let what = "a container without its limits";
        let renderer = Renderer::new(self.files, self.tree, self.overlays.rendering(self.config));
        let state = renderer.render_any(&self.overlay.path).map(|it| State::of(&it, self.config)).unwrap_or_default();
        let Some(container) = state.containers.iter().find(|container| !container.resources.is_empty()) else {
            return (what, Answer::Impossible("no container has any".to_owned()));
        };
        let span = container.origin.span;
        let source = self.files.files.get(span.file);
        let mut change = self.change();
        change.tree.write(source.path.clone(), &edited(&source.text, &[Edit { span, text: "{}".to_owned() }]));
        (what, self.answer(Some(change), "`resources/removed_limits` is off here, or something else supplies them"))
    }

    fn in_base(&self, image: &str) -> Result<Row, GateError> {
        let what = "the same in a base";
        let scan = Scanner::new(self.files, self.tree).scan(&self.overlay.path)?;
        let Some(base) = scan.roots.iter().find(|root| !root.is_within(&self.overlay.path)) else {
            return Ok((what, Answer::Impossible("the overlay has no base".to_owned())));
        };
        Ok((what, self.answer(self.adding(base, &pod(image, ""))?, "nothing in the base is asked for a proof")))
    }

    fn by_component(&self, image: &str) -> Result<Row, GateError> {
        let what = "the same by a component";
        let Some((path, text)) = self.kustomization(&self.overlay.path)? else {
            return Ok((what, Answer::Impossible("the overlay has no kustomization".to_owned())));
        };
        let change = extended(&text, "components", NAME).map(|text| {
            let mut change = self.change();
            let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [pod.yaml]\n";
            change.tree.write(path, &text);
            change.tree.write(self.overlay.path.child(NAME).child(FILE_NAMES[0]), component);
            change.tree.write(self.overlay.path.child(NAME).child("pod.yaml"), &pod(image, ""));
            change
        });
        Ok((what, self.answer(change, "nothing in a component is asked for a proof")))
    }

    fn remote_base(&self) -> Result<Row, GateError> {
        let what = "a remote base";
        let Some((path, text)) = self.kustomization(&self.overlay.path)? else {
            return Ok((what, Answer::Impossible("the overlay has no kustomization".to_owned())));
        };
        let change = extended(&text, "resources", "https://git.invalid/org/repo?ref=main").map(|text| {
            let mut change = self.change();
            change.tree.write(path, &text);
            change
        });
        Ok((what, self.answer(change, "`render/failed` is off here")))
    }

    fn in_freeze(&self) -> Result<Row, GateError> {
        let what = "a change inside a freeze";
        let begins = |freeze: &crate::config::Freeze| match freeze.active(self.now) {
            Some(_) => Some(self.now),
            None => freeze.next(self.now),
        };
        let Some(begins) = self.freezes().filter_map(begins).min() else {
            return Ok((what, Answer::NotAsked("no freeze is to come".to_owned())));
        };
        let change = self.harmless()?.map(|change| Change { now: begins, ..change });
        Ok((what, self.answer(change, "`freeze/active` is off here")))
    }

    fn loosened(&self) -> Result<Row, GateError> {
        let path = RepoPath::root().child(FILE_NAME);
        let text = self.tree.read(&path)?.map(|(_, content)| String::from_utf8_lossy(&content).into_owned());
        let mut change = self.change();
        change.is_reviewed = true;
        change.tree.write(path, &(text.unwrap_or_else(|| "version: 1\n".to_owned()) + "\n# a drill\n"));
        let because = format!("no CODEOWNERS line covers `{FILE_NAME}`");
        Ok(("another configuration", self.answer(Some(change), &because)))
    }

    /// Every file of the overlay's folder itself, elsewhere.
    fn moved(&self) -> Result<Row, GateError> {
        let what = "the overlay in a folder of another name";
        let Some(parent) = self.overlay.path.parent() else {
            return Ok((what, Answer::Impossible("the overlay is the whole repository".to_owned())));
        };
        let mut change = self.change();
        for path in crate::sources::list_below(self.tree, std::slice::from_ref(&self.overlay.path))?.files {
            let Some((_, content)) = self.tree.read(&path)? else { continue };
            let below = path.segments().skip(self.overlay.path.segments().count());
            let target = below.fold(parent.child(NAME), |folder, name| folder.child(name));
            change.tree.write(target, &String::from_utf8_lossy(&content));
            change.tree.remove(path);
        }
        Ok((what, self.answer(Some(change), "nobody judges the new folder, and no rule asks about it")))
    }

    fn by_link(&self, image: &str) -> Result<Row, GateError> {
        let what = "a kustomization behind a link";
        let (Some((path, text)), Some(parent)) = (self.kustomization(&self.overlay.path)?, self.overlay.path.parent())
        else {
            return Ok((what, Answer::Impossible("the overlay has no kustomization".to_owned())));
        };
        let name = format!("{NAME}.yaml");
        let change = extended(&text, "resources", &name).map(|text| {
            let mut change = self.change();
            change.tree.write(parent.child("tollgate-drill-target.yaml"), &text);
            change.tree.link(path, "../tollgate-drill-target.yaml");
            change.tree.write(self.overlay.path.child(&name), &pod(image, ""));
            change
        });
        Ok((what, self.answer(change, "nothing behind a link is asked for a proof")))
    }

    fn with_instructions(&self) -> Row {
        let mut change = self.change();
        change.tree.write(
            self.overlay.path.child(".argocd-source.yaml"),
            &format!("kustomize: {{images: [\"x={NOWHERE}:latest\"]}}\n"),
        );
        ("a deployer's instruction file", self.answer(Some(change), "`render/failed` is off here"))
    }
}

fn pod(image: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {NAME}}}\nspec:\n  containers:\n    - {{name: drill, image: \"{image}\", \
         resources: {{requests: {{cpu: 1m, memory: 1Mi}}, limits: {{cpu: 1m, memory: 1Mi}}}}{more}}}\n"
    )
}

/// A kustomization with another entry in one of its lists; `None` where that takes more than a line.
fn extended(text: &str, list: &str, entry: &str) -> Option<String> {
    let files = crate::span::Files::default();
    let file = files.add(&RepoPath::root(), crate::sources::ContentId::of(text.as_bytes()), text);
    let documents = parse(&Source::file(file, text), Step::File, Dialect::Kustomization).ok()?;
    let root = documents.first()?;
    let known: BTreeMap<&str, &Node> = root.as_mapping()?.iter().map(|(key, value)| (&*key.text, value)).collect();
    if text.trim_start().starts_with('{') {
        return None;
    }
    let Some(items) = known.get(list).filter(|node| !node.is_null()) else {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        return (!known.contains_key(list)).then(|| format!("{text}{end}{list}:\n- {entry}\n"));
    };
    let span = items.origin.span;
    let written = files.slice(span);
    let last = items.as_sequence()?.last().map(|item| item.origin.span);
    if written.starts_with('[') {
        let at = written.rfind(']')? + span.start as usize;
        let comma = if last.is_some() { ", " } else { "" };
        return Some(format!("{}{comma}\"{entry}\"{}", text.get(..at)?, text.get(at..)?));
    }
    let last = last?;
    let line_start = text.get(..last.start as usize)?.rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text.get(line_start..)?.chars().take_while(|character| *character == ' ').collect();
    let line_end = text.get(last.end as usize..)?.find('\n').map_or(text.len(), |at| last.end as usize + at);
    Some(format!("{}\n{indent}- {entry}{}", text.get(..line_end)?, text.get(line_end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_added_as_the_others_are_written() {
        for (text, expected) in [
            ("namePrefix: a-\n", Some("namePrefix: a-\nresources:\n- x\n")),
            ("resources: [a]\n", Some("resources: [a, \"x\"]\n")),
            ("resources: []\n", Some("resources: [\"x\"]\n")),
            ("resources:\n  - a # c\nnamePrefix: b\n", Some("resources:\n  - a # c\n  - x\nnamePrefix: b\n")),
            ("resources:\n- a", Some("resources:\n- a\n- x")),
            ("{resources: [a]}\n", None),
        ] {
            assert_eq!(extended(text, "resources", "x").as_deref(), expected, "{text}");
        }
    }
}
