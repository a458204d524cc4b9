use std::io;
use std::path::Path;

use super::check::render_error;
use super::{Exit, Process};
use crate::cli::{Render, Reorder, Restrictor};
use crate::kustomize::{LoadRestrictor, Options, Order, Parsed, Renderer};
use crate::sources::{RepoPath, Repository, Tree, WorkingTree};

pub(super) fn run(arguments: &Render, process: &mut Process<'_>) -> io::Result<Exit> {
    let (tree, folder) = match place(&arguments.folder) {
        Ok(found) => found,
        Err(message) => {
            writeln!(process.err, "error: {message}")?;
            return Ok(Exit::Undecided);
        }
    };
    let parsed = Parsed::default();
    let options = Options {
        restrictor: match arguments.load_restrictor {
            Restrictor::RootOnly => LoadRestrictor::RootOnly,
            Restrictor::None => LoadRestrictor::None,
        },
        order: match arguments.reorder {
            Reorder::Legacy => None,
            Reorder::None => Some(Order::Fifo),
        },
        managed_by_label: arguments.managed_by_label,
    };
    let renderer = Renderer::new(&parsed, &*tree, options);
    let rendering = renderer.render(&folder).map_err(|failed| failed.error);
    match rendering.and_then(|rendering| rendering.to_yaml()) {
        Ok(text) => {
            process.out.write_all(text.as_bytes())?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            render_error(&error, &parsed, process)?;
            Ok(Exit::Refused)
        }
    }
}

/// The tree to render from and the folder in it: the repository that holds the folder, else the current folder.
fn place(folder: &Path) -> Result<(Box<dyn Tree>, RepoPath), String> {
    let absolute = folder.canonicalize().map_err(|error| format!("cannot open `{}`: {error}", folder.display()))?;
    let repository = Repository::discover(&absolute).map_err(|error| error.to_string())?;
    let (tree, root): (Box<dyn Tree>, _) = if let Some(repository) = &repository {
        (Box::new(repository.working_tree()), repository.root().to_owned())
    } else {
        let here = Path::new(".").canonicalize().map_err(|error| format!("cannot open the current folder: {error}"))?;
        let root = if absolute.starts_with(&here) { here } else { absolute.clone() };
        (Box::new(WorkingTree::new(&root)), root)
    };
    let inside = absolute.strip_prefix(&root).ok().and_then(Path::to_str).and_then(RepoPath::new);
    let inside = inside.ok_or_else(|| format!("`{}` is not below `{}`", absolute.display(), root.display()))?;
    Ok((tree, inside))
}
