//! What is wrong with the order in which controllers deploy.

use std::collections::BTreeSet;

use serde::Serialize;

use super::controllers::{Controllers, cycles};
use super::handle::{Handle, Handles};
use super::{Context, FactsError};
use crate::config::Dependency;
use crate::kustomize::Deployer;
use crate::model::Overlay;
use crate::span::Span;

/// Something wrong with the order in which controllers deploy.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum OrderFault {
    /// Objects that wait for each other.
    Cycle {
        /// The line that closes the cycle.
        at: Handle,
        /// Their names on the way round.
        names: Vec<String>,
    },
    /// A sync wave that deploys an app before what it depends on.
    Wave {
        /// The line that asks for the wave.
        at: Handle,
        /// The app.
        app: String,
        /// What it depends on.
        needs: String,
        /// The object that deploys the app.
        deployer: String,
    },
}

/// The same without its place, so that base and head can be compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Cycle(Vec<String>),
    Wave { app: String, needs: String, deployer: String },
}

impl OrderFault {
    /// The faults of the head that the base does not have already.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub fn of_change(context: &Context<'_>, handles: &mut Handles) -> Result<Vec<Self>, FactsError> {
        let config = context.config;
        if context.overlays.head.deployers.is_empty() {
            return Ok(Vec::new());
        }
        let sides = context.controllers()?;
        let known: BTreeSet<Fault> =
            faults(&sides.base, &config.dependencies).into_iter().map(|(_, fault)| fault).collect();
        let new = faults(&sides.head, &config.dependencies).into_iter().filter(|(_, fault)| !known.contains(fault));
        let placed = |(span, fault): (Span, Fault)| {
            let at = handles.place(span);
            match fault {
                Fault::Cycle(names) => Self::Cycle { at, names },
                Fault::Wave { app, needs, deployer } => Self::Wave { at, app, needs, deployer },
            }
        };
        Ok(new.map(placed).collect())
    }
}

/// Cycles of `dependsOn`, and waves that deploy an app before what it depends on.
fn faults(controllers: &Controllers<'_>, dependencies: &[Dependency]) -> Vec<(Span, Fault)> {
    let mut faults = Vec::new();
    for (span, way) in cycles(&controllers.waits_for) {
        // The same cycle is the same wherever it is entered.
        let mut names: Vec<String> = way.iter().map(|at| controllers.deployers[*at].name.clone()).collect();
        let first = (0..names.len()).min_by_key(|at| &names[*at]).unwrap_or_default();
        names.rotate_left(first);
        faults.push((span, Fault::Cycle(names)));
    }
    let all = || controllers.deployers.iter().zip(&controllers.deployed);
    for dependency in dependencies {
        for (deployer, deployed) in all() {
            for overlay in deployed.iter().filter(|overlay| overlay.app == dependency.app) {
                let wave = deployer.wave.map_or(0, |(wave, _)| wave);
                let needed = controllers.overlays.of_app(&dependency.needs, overlay);
                let is_later = |pair: &(&Deployer, &Vec<&Overlay>)| {
                    let (other, deployed) = pair;
                    deployed.iter().any(|other| needed.contains(other)) && other.wave.map_or(0, |(wave, _)| wave) > wave
                };
                if let Some((other, _)) = all().find(is_later) {
                    let span = deployer.wave.or(other.wave).map_or(deployer.span, |(_, span)| span);
                    faults.push((
                        span,
                        Fault::Wave {
                            app: dependency.app.clone(),
                            needs: dependency.needs.clone(),
                            deployer: deployer.name.clone(),
                        },
                    ));
                }
            }
        }
    }
    faults
}
