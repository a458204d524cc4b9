//! What was live where, held against repositories that are made together with the truth about them.

use std::collections::BTreeMap;

use tollgate::config::Config;
use tollgate::facts::{Gap, HistorySource, ImageStay, LiveHistory};
use tollgate::kustomize::{ParsedFiles, Scanner};
use tollgate::model::{OverlayFilter, discover};
use tollgate::sources::{CommitId, ContentId, RepoPath, Repository as Opened, list};

use crate::support::{Files, Numbers, Repository};

const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];
const START: i64 = 1_700_000_000;
const STEPS: usize = 250;

/// Rows by app and environment: digest, from, to.
type Truth = BTreeMap<(String, String), Vec<(String, i64, Option<i64>)>>;

/// A repository in the making, and what it runs.
struct Made {
    repository: Repository,
    files: Files,
    tip: CommitId,
    time: i64,
    truth: Truth,
    numbers: Numbers,
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

fn app(at: usize) -> String {
    format!("app-{at}")
}

fn overlay(app: &str, environment: &str) -> RepoPath {
    path(&format!("apps/{app}/overlays/{environment}/kustomization.yaml"))
}

fn pinned(app: &str, digest: &str) -> String {
    format!("# pinned\nresources: [../../base]\nimages:\n- name: example.com/{app}\n  digest: {digest}\n")
}

impl Made {
    fn new(seed: u64, apps: usize) -> Self {
        let mut files = Files::new();
        for app in (0..apps).map(app) {
            add_app(&mut files, &app);
        }
        let repository = Repository::new();
        let tip = repository.commit("main", &files, "Ana <ana@example.com>", START, &[]);
        let mut made = Self { repository, files, tip, time: START, truth: Truth::new(), numbers: Numbers(seed) };
        made.note();
        made
    }

    /// What the files run: written down here without rendering anything.
    fn running(&self) -> BTreeMap<(String, String), String> {
        let mut running = BTreeMap::new();
        for (file, text) in &self.files {
            let segments: Vec<&str> = file.as_str().split('/').collect();
            let ["apps", app, "overlays" | "envs", environment, "kustomization.yaml"] = segments[..] else { continue };
            let base = self.files.get(&path(&format!("apps/{app}/base/deployment.yaml")));
            let found = |text: &str| text.find("sha256:").map(|at| text[at..at + 71].to_owned());
            if let (Some(base), false) = (base, text.contains("broken")) {
                running.insert((app.to_owned(), environment.to_owned()), found(text).or_else(|| found(base)).unwrap());
            }
        }
        running
    }

    fn note(&mut self) {
        let running = self.running();
        for (place, rows) in &mut self.truth {
            if let Some(open) = rows.last_mut().filter(|row| row.2.is_none())
                && running.get(place) != Some(&open.0)
            {
                open.2 = Some(self.time);
            }
        }
        for (place, digest) in running {
            let rows = self.truth.entry(place).or_default();
            if rows.last().is_none_or(|row| row.2.is_some()) {
                rows.push((digest, self.time, None));
            }
        }
    }

    fn commit(&mut self, also: Option<CommitId>) {
        self.time += 600 + i64::try_from(self.numbers.below(9000)).unwrap();
        let parents: Vec<CommitId> = [Some(self.tip), also].into_iter().flatten().collect();
        self.tip = self.repository.commit("main", &self.files, "Ben <ben@example.com>", self.time, &parents);
        self.note();
    }

    fn step(&mut self, number: usize) {
        let (at, environment) = (self.numbers.below(5), ENVIRONMENTS[self.numbers.below(3)]);
        let app = app(at);
        let file = overlay(&app, environment);
        let moved = path(&file.as_str().replace("/overlays/", "/envs/"));
        let file = if self.files.contains_key(&moved) { moved } else { file };
        let base = path(&format!("apps/{app}/base/deployment.yaml"));
        match self.numbers.below(20) {
            0..=10 if self.files.contains_key(&file) => {
                self.files.insert(file, pinned(&app, &digest(number)));
            }
            // A side branch carries a digest that is replaced before the merge, and so is never live.
            11..=13 if self.files.contains_key(&file) => {
                let mut side = self.files.clone();
                side.insert(file.clone(), pinned(&app, &digest(100_000 + number)));
                let branch = format!("side-{number}");
                let first =
                    self.repository.commit(&branch, &side, "Cem <cem@example.com>", self.time + 60, &[self.tip]);
                self.files.insert(file, pinned(&app, &digest(number)));
                let files = self.files.clone();
                let second =
                    self.repository.commit(&branch, &files, "Cem <cem@example.com>", self.time + 120, &[first]);
                return self.commit(Some(second));
            }
            // The base's image reaches every overlay that pins nothing itself.
            14 if self.files.contains_key(&base) => {
                self.files.insert(base, deployment(&app, &digest(number)));
                if self.files.contains_key(&file) {
                    self.files.insert(file, "resources: [../../base]\n".to_owned());
                }
            }
            15 if self.files.contains_key(&file) => {
                self.files.insert(file, "resources: [../../base]\nbroken: true\n".to_owned());
            }
            // The overlays move, or the app goes away, or comes back.
            16 => {
                let moved = |file: &RepoPath| {
                    let text = file.as_str();
                    let text = if text.contains("/envs/") {
                        text.replace("/envs/", "/overlays/")
                    } else {
                        text.replace("/overlays/", "/envs/")
                    };
                    path(&text)
                };
                let prefix = format!("apps/{app}/");
                let files = std::mem::take(&mut self.files).into_iter();
                self.files = files
                    .map(
                        |(file, text)| {
                            if file.as_str().starts_with(&prefix) { (moved(&file), text) } else { (file, text) }
                        },
                    )
                    .collect();
            }
            // The base goes away alone, folder and all, or comes back.
            18 if self.files.contains_key(&file) => {
                let prefix = format!("apps/{app}/base/");
                if self.files.contains_key(&base) {
                    self.files.retain(|file, _| !file.as_str().starts_with(&prefix));
                } else {
                    add_base(&mut self.files, &app, &digest(number));
                }
            }
            17 => {
                let prefix = format!("apps/{app}/");
                if self.files.keys().any(|file| file.as_str().starts_with(&prefix)) {
                    self.files.retain(|file, _| !file.as_str().starts_with(&prefix));
                } else {
                    add_app(&mut self.files, &app);
                }
            }
            _ => {
                self.files.insert(path("README.md"), format!("{number}\n"));
            }
        }
        self.commit(None);
    }
}

fn deployment(app: &str, digest: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {app}}}\nspec:\n  template:\n    spec:\n      containers:\n      \
         - {{name: app, image: \"example.com/{app}@{digest}\"}}\n"
    )
}

fn add_base(files: &mut Files, app: &str, digest: &str) {
    files.insert(path(&format!("apps/{app}/base/kustomization.yaml")), "resources: [deployment.yaml]\n".to_owned());
    files.insert(path(&format!("apps/{app}/base/deployment.yaml")), deployment(app, digest));
}

fn add_app(files: &mut Files, app: &str) {
    add_base(files, app, &digest(0));
    for environment in ENVIRONMENTS {
        files.insert(overlay(app, environment), "resources: [../../base]\n".to_owned());
    }
}

/// Overlays that have moved are found by both layouts.
fn config(parsed: &ParsedFiles) -> Config {
    let text = "version: 1\nlayout: [\"apps/{app}/overlays/{env}\", \"apps/{app}/envs/{env}\"]\n";
    let file = parsed.files.add(&path("tollgate.yaml"), ContentId::of(text.as_bytes()), text);
    tollgate::config::read(file, text).unwrap()
}

#[test]
fn history_is_the_truth_row_for_row() {
    for seed in 1..=4u64 {
        let mut made = Made::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 5);
        for number in 1..=STEPS {
            made.step(number);
        }
        let parsed = ParsedFiles::default();
        let repository = Opened::discover(made.repository.path()).unwrap().unwrap();
        let tip = repository.default_branch().unwrap();
        let config = config(&parsed);
        let tree = repository.tree(&tip);
        let overlays = discover(&config, &list(&tree).unwrap(), &Scanner::new(&parsed, &tree), None).unwrap();
        let source = HistorySource {
            repository: &repository,
            files: &parsed,
            config: &config,
            tip: &tip,
            overlays: &overlays,
            filter: OverlayFilter::default(),
            now: made.time + 60,
            progress: tollgate::progress::Progress::silent(),
        };
        let history = LiveHistory::all(&source).unwrap();
        let mut found = Truth::new();
        for (app, environments) in &history.live {
            for (at, rows) in environments {
                let row = |row: &ImageStay| (row.image.digest.clone().unwrap(), row.from, row.to);
                let place = (app.clone(), config.environments[*at].name.clone());
                found.insert(place, rows.iter().map(row).collect());
            }
        }
        assert_eq!(found, made.truth, "seed {seed}");
        let rows: usize = found.values().map(Vec::len).sum();
        assert!(rows > 80, "only {rows} rows");
        let expected = ["no field `broken`", "`../../base` does not exist"];
        let broken = history.gaps.iter().all(|gap| expected.iter().any(|why| gap.why.contains(why)));
        assert!(broken && !history.gaps.is_empty(), "{:?}", history.gaps);
        for count in [2, 3, 10, 1_000] {
            let in_sections = LiveHistory::in_sections(&source, |_| count).unwrap();
            assert_eq!(in_sections.live, history.live, "seed {seed}, {count} sections");
            assert_eq!(in_sections.gaps, history.gaps, "seed {seed}, {count} sections");
        }
        for part in 0..12 {
            let time = START + (made.time - START) * part / 10;
            assert_eq!(
                lasting(&LiveHistory::at_time(&source, time).unwrap(), time),
                lasting(&history, time),
                "seed {seed}, {part} tenths"
            );
        }
    }
}

/// What lasted at a time, in a fixed order, however much longer it lasted.
fn lasting(history: &LiveHistory, time: i64) -> (Vec<(String, usize, ImageStay)>, Vec<Gap>) {
    let mut stays = Vec::new();
    for (app, environments) in &history.live {
        for (environment, rows) in environments {
            let rows = rows.iter().filter(|row| row.lasted_at(time));
            let row = |row: &ImageStay| ImageStay { to: None, ends_in_gap: false, ..row.clone() };
            stays.extend(rows.map(|found| (app.clone(), *environment, row(found))));
        }
    }
    stays.sort_by(|one, other| (&one.0, one.1, one.2.from).cmp(&(&other.0, other.1, other.2.from)));
    let mut gaps: Vec<Gap> = history.gaps.iter().filter(|gap| gap.lasted_at(time)).cloned().collect();
    // What was wrong at that time may be another reason than the last one.
    for gap in &mut gaps {
        (gap.to, gap.why) = (None, String::new());
    }
    gaps.sort_by(|one, other| one.overlay.cmp(&other.overlay));
    (stays, gaps)
}
