//! Remote bases of which the caller has brought clones: built from Git objects, as any folder is.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::accumulator::Accumulator;
use super::assembly::{Run, Visit};
use super::closure::Closure;
use super::opaque::Opaque;
use super::remote::{self, Address};
use super::renderer::{Elsewhere, Renderer};
use super::store::Built;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::Text;
use crate::kustomize::limits::MOST_REMOTE;
use crate::kustomize::transform::vars;
use crate::sources::{Clones, RepoPath};
use crate::span::Span;
use crate::yaml::{Node, Value};

/// Clones that the caller has brought, and what was built from them.
#[derive(Default)]
pub(crate) struct Supplied {
    clones: Option<Clones>,
    built: Mutex<HashMap<String, Arc<Built>>>,
}

impl Supplied {
    pub(crate) fn new(clones: Clones) -> Self {
        Self { clones: Some(clones), built: Mutex::default() }
    }
}

impl Renderer<'_> {
    /// Adds what an entry names on another machine: built from its clone where there is one, else left out and told.
    pub(super) fn add_elsewhere(
        &self,
        entry: &Text,
        accumulator: &mut Accumulator,
        visit: &mut Visit<'_>,
    ) -> Result<(), RenderError> {
        let Some(built) = self.supplied(entry, visit)? else {
            if self.options.elsewhere == Elsewhere::LeftOut {
                accumulator.opaque.push(Opaque::of_entry(entry));
                return Ok(());
            }
            return Err(if self.options.elsewhere == Elsewhere::Required {
                RenderError::at(entry.span, format!("no clone of `{}` was supplied", entry.value))
                    .help("clone it below the folder that `--sources` names, such as `DIR/github.com/org/repo.git`")
            } else {
                remote::refuse(&entry.value, entry.span)
            });
        };
        let mut resources = built.resources.clone();
        for resource in &mut resources {
            told_by(&mut resource.node, entry.span);
        }
        accumulator.append(resources, entry.span)?;
        accumulator.merge_config(&built.config)?;
        vars::merge(&mut accumulator.vars, &built.vars)?;
        accumulator.opaque.push(Opaque { is_seen: true, ..Opaque::of_entry(entry) });
        accumulator.opaque.extend(built.opaque.iter().map(|opaque| Opaque { span: entry.span, ..opaque.clone() }));
        Ok(())
    }

    /// What an entry builds from its clone; `None` where there is none.
    fn supplied(&self, entry: &Text, visit: &mut Visit<'_>) -> Result<Option<Arc<Built>>, RenderError> {
        let supplied = &self.parsed.supplied;
        let Some(clones) = &supplied.clones else { return Ok(None) };
        let Some(address) = Address::parse(&entry.value) else { return Ok(None) };
        let key = format!("{} {:?} {}", address.repository, address.reference, address.folder);
        if let Some(known) = supplied.built.lock().get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let failed = |why: String| RenderError::at(entry.span, format!("`{}` does not render: {why}", entry.value));
        if visit.run.remote >= MOST_REMOTE {
            return Err(failed(format!("more than {MOST_REMOTE} repositories list each other")));
        }
        let tree = clones.tree(&address.repository, address.reference.as_deref());
        let Some(tree) = tree.map_err(|error| failed(error.to_string()))? else { return Ok(None) };
        let folder = RepoPath::new(&address.folder).ok_or_else(|| failed("its folder is outside".to_owned()))?;
        let inner = Renderer::new(self.parsed, &tree, self.options.clone());
        let mut run = Run::default();
        run.remote = visit.run.remote + 1;
        let mut closure = Closure::default();
        let built = inner.folder(&folder, &mut run, &mut closure).map_err(|error| failed(error.message))?;
        supplied.built.lock().insert(key, Arc::clone(&built));
        Ok(Some(built))
    }

    /// The base or component in a folder of this tree.
    fn folder(&self, folder: &RepoPath, run: &mut Run, closure: &mut Closure) -> Result<Arc<Built>, RenderError> {
        let mut loader = self.loader(folder, closure, &run.schemas);
        loader.enter()?;
        let root = loader.root.clone();
        let read = loader.kustomization(None)?;
        let read = read.ok_or_else(|| RenderError::nowhere(format!("`{folder}` has no kustomization")))?;
        let kustomization = (*read).as_ref().map_err(Clone::clone)?;
        if kustomization.is_component {
            return Err(RenderError::nowhere(format!(
                "`{folder}` is a component, which is not supported from elsewhere"
            )));
        }
        self.build(&root, kustomization, run, closure, None)
    }
}

/// Lets an entry of this repository stand for all that comes by it: nobody can edit the rest here.
fn told_by(node: &mut Node, span: Span) {
    node.origin.span = span;
    node.origin.before = None;
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => Arc::make_mut(items).iter_mut().for_each(|item| told_by(item, span)),
        Value::Mapping(mapping) => {
            for (_, value) in Arc::make_mut(mapping).iter_mut() {
                told_by(value, span);
            }
        }
    }
}
