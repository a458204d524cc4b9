//! The command line: structures only, no side effects.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A policy gate for GitOps config repositories.
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
    /// Print what `kustomize build DIR` prints
    Render(Render),
}

/// `tollgate render`.
#[derive(Debug, Args)]
pub struct Render {
    /// The folder of the kustomization
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Which files a kustomization may read: those below its folder, or (as Flux renders) any in the repository
    #[arg(long, value_enum, value_name = "NAME", default_value = "LoadRestrictionsRootOnly")]
    pub load_restrictor: Restrictor,
    /// The order of objects where the kustomization asks for none
    #[arg(long, value_enum, value_name = "NAME", default_value = "legacy")]
    pub reorder: Reorder,
    /// Add the label `app.kubernetes.io/managed-by` to every object
    #[arg(long = "enable-managedby-label")]
    pub managed_by_label: bool,
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
