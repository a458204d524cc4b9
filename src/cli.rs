//! The command line: structures only, no side effects.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::gate::Shard;
use crate::kustomize::ParsedFiles;
use crate::sources::Clones;

/// A policy gate for `GitOps` config repositories.
///
/// Exit codes: 0 allowed, 1 at least one finding at error severity, 2 could not decide.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a change: the gate
    Check(CheckArguments),
    /// Print what `kustomize build DIR` prints
    Render(RenderArguments),
    /// Show what a change does to what is deployed, or how two environments differ
    Diff(DiffArguments),
    /// Show which image each environment runs, since when, and by which commit
    Status(StatusArguments),
    /// Show which image was live in which environment, from when to when, and by which commit
    History(HistoryArguments),
    /// Promote an app: write what is live in the environment below into its overlay, if the gate would allow it
    Promote(PromoteArguments),
    /// Prove that the gate is on: make the changes that it must refuse, in memory, and judge each
    Drill(DrillArguments),
    /// Print the exact input that the rules see, one JSON document for each judged overlay
    Facts(JudgeArguments),
    /// Show which line of CODEOWNERS decides who owns a file
    Owners(OwnersArguments),
    /// Show which environments are frozen, until when, and the freezes of the next twelve months
    Freeze(FreezeArguments),
    /// Ask the forge who has approved a change, and when what landed
    Review(ReviewArguments),
    /// Write a report as the one comment that the gate keeps on a pull request or merge request
    Comment(CommentArguments),
    /// Run the check of open requests again whose answer no longer holds: a freeze has begun, a soak is over, somebody has reviewed
    Recheck(RecheckArguments),
    /// Set the gate up: write tollgate.yaml and the CI file for this repository, and show what the gate would say today
    Init(InitArguments),
    /// List the rules
    Rules(RulesArguments),
    /// Explain a rule: what it requires, why, and its parameters
    Explain(ExplainArguments),
    /// Run the tests of your own policies: rules `test_…` of Rego, Kyverno's tests, Gatekeeper's suites
    Test(TestArguments),
    /// Make one verdict of the JSON reports of all shards
    Merge(MergeArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page (roff)
    Man,
    /// Create a small config repository with a history and a bad change, and judge the change
    Demo(DemoArguments),
}

/// `tollgate demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where to create it: an empty folder, or one that does not exist yet [default: a new temporary folder]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// `tollgate check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// What to judge.
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// Output format on standard output
    #[arg(long, value_enum, value_name = "NAME", default_value = "human")]
    pub format: Format,
    /// Also write the report to FILE, in the format NAME; repeatable
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_output)]
    pub output: Vec<(Format, PathBuf)>,
}

/// Where clones of other repositories are.
#[derive(Debug, Args)]
pub struct SourcesArguments {
    /// Bare clones of the repositories that remote bases are in, by address: DIR/github.com/org/repo.git
    #[arg(long, value_name = "DIR")]
    pub sources: Option<PathBuf>,
}

impl SourcesArguments {
    /// Files to read, with these clones.
    #[must_use]
    pub fn files(&self) -> ParsedFiles {
        ParsedFiles::with_clones(self.sources.as_deref().map(Clones::new))
    }
}

/// A change and what it would be merged into.
#[derive(Debug, Args)]
pub struct ChangeArguments {
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// What the change would be merged into [default: taken from the CI job's environment, else the default branch]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// The change [default: taken from the CI job's environment, else HEAD]
    #[arg(long, value_name = "REV")]
    pub head: Option<String>,
    /// Judge the index against HEAD
    #[arg(long, conflicts_with_all = ["base", "head", "worktree"])]
    pub staged: bool,
    /// Judge the working tree against HEAD
    #[arg(long, conflicts_with_all = ["base", "head"])]
    pub worktree: bool,
}

/// What to judge, and by whose rules.
#[derive(Debug, Args)]
pub struct JudgeArguments {
    /// Which change.
    #[command(flatten)]
    pub change: ChangeArguments,
    /// Judge every overlay, not only those that the change affects
    #[arg(long)]
    pub all: bool,
    /// In a partial clone (`git clone --filter`): let git fetch what is needed and not there
    #[arg(long)]
    pub fetch_missing: bool,
    /// Judge as of this time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<DateTime<Utc>>,
    /// Whose configuration, CODEOWNERS and freezes apply
    #[arg(long, value_enum, value_name = "SIDE", default_value = "base")]
    pub trust: TrustArgument,
    /// A clone of another repository that tollgate.yaml names for an environment; repeatable
    #[arg(long = "clone", value_name = "NAME=DIR", value_parser = parse_clone)]
    pub clones: Vec<(String, PathBuf)>,
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// A JSON file that says who approved the change
    #[arg(long, value_name = "FILE")]
    pub review: Option<PathBuf>,
    /// A folder with scan reports: JSON of Trivy or Grype, or attestations of them (cosign)
    #[arg(long, value_name = "DIR")]
    pub scans: Option<PathBuf>,
    /// What controllers report as applied.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// Judge only one part of N of the apps; `tollgate merge` makes one verdict of all parts
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    pub shard: Option<Shard>,
    /// Judge only this environment
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Judge only this app
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Run only this rule
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
}

/// What controllers report as applied.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// What Argo CD runs: the output of `kubectl get applications.argoproj.io -A -o json`
    #[arg(long, value_name = "FILE")]
    pub argocd: Option<PathBuf>,
    /// What Flux runs: the output of `kubectl get kustomizations.kustomize.toolkit.fluxcd.io -A -o json`
    #[arg(long, value_name = "FILE")]
    pub flux: Option<PathBuf>,
}

/// `tollgate history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Only this app
    #[arg(value_name = "APP")]
    pub app: Option<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// The branch whose history is read [default: the default branch]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// Only this environment
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Output format
    #[arg(long, value_enum, value_name = "NAME", default_value = "human")]
    pub format: TableFormat,
}

/// `tollgate diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// Which change.
    #[command(flatten)]
    pub change: ChangeArguments,
    /// Only this app
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// Only this environment; given twice: how the second differs from the first, in the working tree or in `--head`
    #[arg(long, value_name = "NAME", num_args = 1, action = clap::ArgAction::Append)]
    pub env: Vec<String>,
}

/// `tollgate promote`.
#[derive(Debug, Args)]
pub struct PromoteArguments {
    /// The app
    #[arg(value_name = "APP")]
    pub app: String,
    /// The environment to promote to
    #[arg(long, value_name = "ENV")]
    pub to: String,
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// Promote only this image: its repository, or with a tag or digest the version to write
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// The digest to write [default: what is live in the environment below]
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// The branch that the change will be merged into [default: the default branch]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// What controllers report as applied.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// Output format
    #[arg(long, value_enum, value_name = "NAME", default_value = "human")]
    pub format: PromoteFormat,
}

/// `tollgate drill`.
#[derive(Debug, Args)]
pub struct DrillArguments {
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// Try every overlay of this app in a protected environment [default: one overlay of each protected environment]
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// The branch that is protected [default: the default branch]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// The time of the judgements [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<DateTime<Utc>>,
    /// Output format
    #[arg(long, value_enum, value_name = "NAME", default_value = "human")]
    pub format: DrillFormat,
}

/// Output formats of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DrillFormat {
    /// For a person.
    Human,
    /// `tollgate.drill/1`.
    Json,
}

/// Output formats of a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PromoteFormat {
    /// For a person.
    Human,
    /// `tollgate.promotion/1`.
    Json,
}

/// `tollgate status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArguments,
    /// Show what ran at this time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub at: Option<DateTime<Utc>>,
    /// What controllers report as applied.
    #[command(flatten)]
    pub reports: ReportArguments,
    /// List every image, chart, source and operator that overlays name, with its line
    #[arg(long, conflicts_with_all = ["at", "write", "argocd", "flux"])]
    pub images: bool,
    /// Write the versions that the working tree (or `--base`) declares to a file that can be committed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["at", "app", "env", "format", "argocd", "flux"])]
    pub write: Option<PathBuf>,
}

/// Output formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For a person.
    Human,
    /// `tollgate.history/1` or `tollgate.status/1`.
    Json,
    /// A table for a page or a comment.
    Markdown,
}

/// `tollgate owners`.
#[derive(Debug, Args)]
pub struct OwnersArguments {
    /// Files by their paths in the repository; they need not exist
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Where CODEOWNERS is read [default: the default branch, whose lines are the ones that count]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
}

/// `tollgate freeze`.
#[derive(Debug, Args)]
pub struct FreezeArguments {
    /// Only this environment
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Where tollgate.yaml is read [default: the default branch, whose configuration is the one that counts]
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// The time to look at [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<DateTime<Utc>>,
    /// Output format
    #[arg(long, value_enum, value_name = "NAME", default_value = "human")]
    pub format: FreezeFormat,
}

/// `tollgate review`.
#[derive(Debug, Args)]
pub struct ReviewArguments {
    /// Which forge.
    #[command(subcommand)]
    pub forge: Forge,
}

/// The forges that can be asked.
#[derive(Debug, Subcommand)]
pub enum Forge {
    /// GitHub, or GitHub Enterprise Server (`GITHUB_API_URL`); the token is `GITHUB_TOKEN` or `GH_TOKEN`
    Github(AskedArguments),
    /// GitLab (`CI_API_V4_URL`); the token is `GITLAB_TOKEN`
    Gitlab(AskedArguments),
}

/// What a forge is asked about.
#[derive(Debug, Args)]
pub struct AskedArguments {
    /// The repository: `OWNER/NAME` on GitHub, `GROUP/NAME` or a number on GitLab [default: that of the CI job]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// The number of the pull request or merge request [default: that of the CI job, or those of its merge group]
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
    /// A folder in the repository, whose CODEOWNERS and freezes say which teams are asked for
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Where to write what `--review` of `tollgate check` reads [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `tollgate comment`.
#[derive(Debug, Args)]
pub struct CommentArguments {
    /// The forge
    #[arg(value_enum, value_name = "FORGE")]
    pub forge: CiForge,
    /// What it says: Markdown, such as `tollgate check --output markdown=FILE` writes
    #[arg(long, value_name = "FILE")]
    pub body: PathBuf,
    /// Only write it again where it is there already
    #[arg(long)]
    pub existing: bool,
    /// The repository: `OWNER/NAME` on GitHub, `GROUP/NAME` or a number on GitLab [default: that of the CI job]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// The number of the pull request or merge request [default: that of the CI job]
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
}

/// `tollgate recheck`.
#[derive(Debug, Args)]
pub struct RecheckArguments {
    /// The forge
    #[arg(value_enum, value_name = "FORGE")]
    pub forge: CiForge,
    /// The name of the check: that of the job that runs `tollgate check`
    #[arg(long, value_name = "NAME", default_value = "tollgate")]
    pub check: String,
    /// The repository: `OWNER/NAME` on GitHub, `GROUP/NAME` or a number on GitLab [default: that of the CI job]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Only the request with this number [default: that of the CI job, else all]
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
}

/// Output formats of freezes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FreezeFormat {
    /// For a person.
    Human,
    /// `tollgate.freezes/1`.
    Json,
    /// A calendar to import or to subscribe to (RFC 5545).
    Ics,
}

/// `tollgate test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// A folder with policies, by its path in the repository [default: those that tollgate.yaml names]
    #[arg(value_name = "DIR")]
    pub folder: Option<String>,
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Fail where tests reach less than so many percent of the lines of policies
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub threshold: u8,
}

/// `tollgate merge`.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// The reports that `tollgate check --shard I/N --output json=FILE` wrote
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
    /// Also write the merged report to FILE
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `tollgate completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `tollgate init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// A folder in the repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Whose CI file to write [default: that of the forge whose files are there]
    #[arg(long, value_enum, value_name = "NAME")]
    pub forge: Option<CiForge>,
    /// Where the CI job gets Tollgate from; a commit in the place of REV pins it
    #[arg(long, value_name = "OWNER/NAME[@REV]", default_value = "OWNER/tollgate")]
    pub source: String,
    /// Print the files in the place of writing them
    #[arg(long)]
    pub dry_run: bool,
}

/// The forges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CiForge {
    /// GitHub, or GitHub Enterprise Server.
    Github,
    /// GitLab.
    Gitlab,
}

/// `tollgate explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The rule's id, for example `image/unpinned`
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// A folder in the repository whose own policies are explained, too
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
}

/// `tollgate rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// A folder in the repository whose own policies are listed, too
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
}

/// Output formats of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Human,
    /// `tollgate.report/1`.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// `JUnit` XML, for test reports.
    Junit,
    /// Code Quality of GitLab.
    Gitlab,
    /// For a job's summary or a comment on a pull request.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// An in-toto statement with SLSA's verification summary.
    Vsa,
}

impl Format {
    /// Whether it tells more than findings.
    #[must_use]
    pub fn is_detailed(self) -> bool {
        matches!(self, Self::Markdown | Self::Html)
    }
}

/// Sides of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrustArgument {
    /// Those of the base, so that a change cannot loosen the rules that judge it.
    Base,
    /// Those of the change, to try out a configuration.
    Head,
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.with_timezone(&Utc))
        .map_err(|_| "not a valid time; write RFC 3339, for example `2026-11-23T05:00:00Z`".to_owned())
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match parts {
        Some((index, count)) if (1..=count).contains(&index) && count <= 1_000 => Ok(Shard { index, count }),
        _ => Err("write I/N, such as 1/4, with I from 1 to N".to_owned()),
    }
}

fn parse_clone(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => Ok((name.to_owned(), folder.into())),
        _ => Err("write NAME=DIR, with the name that tollgate.yaml has under `repository`".to_owned()),
    }
}

fn parse_output(text: &str) -> Result<(Format, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write NAME=FILE, for example json=report.json")?;
    let format = Format::from_str(name, false).map_err(|_| {
        let known: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("unknown format `{name}`; expected one of {}", known.join(", "))
    })?;
    if file.is_empty() {
        return Err("the file name after `=` is missing".to_owned());
    }
    Ok((format, PathBuf::from(file)))
}

/// `tollgate render`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct RenderArguments {
    /// The folder of the kustomization
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Where clones of other repositories are.
    #[command(flatten)]
    pub sources: SourcesArguments,
    /// Which files a kustomization may read: those in its folder and below, or (as Flux does) any in the repository
    #[arg(long, value_enum, value_name = "NAME", default_value = "LoadRestrictionsRootOnly")]
    pub load_restrictor: Restrictor,
    /// The order of objects, unless the kustomization sets one
    #[arg(long, value_enum, value_name = "NAME", default_value = "legacy")]
    pub reorder: Reorder,
    /// Leave out remote bases, charts and what plugins make, and say so in comments, instead of refusing them
    #[arg(long)]
    pub partial: bool,
    /// Show before each line which source line wrote it, by which step, and what it replaced
    #[arg(long)]
    pub origins: bool,
    /// Output format of `--origins`: a column before each line, or a line of JSON for each value
    #[arg(long, value_enum, value_name = "NAME", default_value = "text", requires = "origins")]
    pub format: OriginsFormat,
    /// Render every overlay in or below DIR, each into its own file below `--output`
    #[arg(long, requires = "output", conflicts_with = "origins")]
    pub all: bool,
    /// Where `--all` writes: `FOLDER/apps/api/overlays/production.yaml`
    #[arg(long, value_name = "FOLDER", requires = "all")]
    pub output: Option<PathBuf>,
    /// Add the label `app.kubernetes.io/managed-by` to every object
    #[arg(long = "enable-managedby-label")]
    pub managed_by_label: bool,
}

/// Output formats of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OriginsFormat {
    /// A column before each line.
    Text,
    /// A line of JSON for each value.
    Json,
}

/// kustomize's names for what may be read.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Restrictor {
    /// Files in or below the kustomization's folder.
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// Any file in the repository.
    #[value(name = "LoadRestrictionsNone")]
    None,
}

/// kustomize's names for orders.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Reorder {
    /// By kind.
    Legacy,
    /// As listed.
    None,
}
