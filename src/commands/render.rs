use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::shared::{CommandError, explain_error, explain_render_error};
use super::{Exit, Invocation};
use crate::cli::{OriginsFormat, RenderArguments, Reorder, Restrictor};
use crate::gate;
use crate::kustomize::{Elsewhere, LoadRestrictor, Options, Order, ParsedFiles, RenderError, Renderer, Rendering};
use crate::report::escape::printable;
use crate::report::origins;
use crate::sources::{RepoPath, Repository, Tree, WorkingTree, write_below};
use crate::words::count;

pub(super) fn run(arguments: &RenderArguments, invocation: &mut Invocation<'_>) -> io::Result<Exit> {
    let (tree, folder) = match place(&arguments.folder) {
        Ok(found) => found,
        Err(message) => {
            writeln!(invocation.err, "error: {}", printable(&message))?;
            return Ok(Exit::Undecided);
        }
    };
    let parsed = arguments.sources.files();
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
        elsewhere: if arguments.partial { Elsewhere::LeftOut } else { Elsewhere::Refused },
        takes_old_spellings: false,
    };
    if let Some(output) = &arguments.output {
        return all(&*tree, &folder, &parsed, options, output, invocation);
    }
    let renderer = Renderer::new(&parsed, &*tree, options);
    let rendering = renderer.render(&folder).map_err(|failed| failed.error);
    let printed = rendering.and_then(|rendering| match (arguments.origins, arguments.format) {
        (false, _) => rendering.to_yaml().map(|yaml| (left_out(&rendering, &parsed) + &yaml).into_bytes()),
        (true, OriginsFormat::Text) => origins::text(&rendering, &parsed.files).map(String::into_bytes),
        (true, OriginsFormat::Json) => {
            let mut lines = Vec::new();
            origins::json(&rendering, &parsed.files, &mut lines)
                .map_err(|error| RenderError::nowhere(error.to_string()))?;
            Ok(lines)
        }
    });
    match printed {
        Ok(bytes) => {
            invocation.out.write_all(&bytes)?;
            Ok(Exit::Allowed)
        }
        Err(error) => {
            explain_render_error(&error, &parsed, invocation)?;
            Ok(Exit::Refused)
        }
    }
}

/// Comments that tell what is missing in a rendering.
fn left_out(rendering: &Rendering, parsed: &ParsedFiles) -> String {
    let told = rendering.opaque.iter().map(|opaque| {
        let place = parsed.files.location(opaque.span);
        format!("# not rendered: {} ({}:{})\n", printable(&opaque.written), printable(place.path.as_str()), place.line)
    });
    told.collect()
}

/// Why one overlay was not written.
enum Unwritten {
    Unrendered(RenderError),
    Disk(io::Error),
}

/// Where an overlay is written: its own path with an ending.
fn file_of(overlay: &RepoPath) -> RepoPath {
    let folder = overlay.parent().unwrap_or_else(RepoPath::root);
    folder.child(&format!("{}.yaml", if overlay.is_root() { "root" } else { overlay.file_name() }))
}

/// Renders every overlay in a folder, each into a file of its own.
fn all(
    tree: &dyn Tree,
    folder: &RepoPath,
    parsed: &ParsedFiles,
    options: Options,
    output: &Path,
    invocation: &mut Invocation<'_>,
) -> io::Result<Exit> {
    let overlays = match gate::overlays(tree, parsed) {
        Ok((_, overlays)) => overlays,
        Err(error) => {
            explain_error(&CommandError::Gate(error), parsed, invocation)?;
            return Ok(Exit::Undecided);
        }
    };
    let overlays: Vec<&RepoPath> =
        overlays.all.iter().map(|overlay| &overlay.path).filter(|path| path.is_within(folder)).collect();
    if overlays.is_empty() {
        writeln!(invocation.err, "error: no overlay was found in `{}`", printable(folder.as_str()))?;
        writeln!(
            invocation.err,
            "  help: the path of an overlay names an environment, or matches `layout` in tollgate.yaml"
        )?;
        return Ok(Exit::Undecided);
    }
    let renderer = Renderer::new(parsed, tree, options);
    let written = overlays
        .par_iter()
        .map(|path| {
            let text = renderer.render_any(path).map_err(|failed| failed.error).and_then(|found| found.to_yaml());
            // What an earlier run has written is no rendering of what does not render now.
            let content = text.as_deref().ok().map(str::as_bytes);
            write_below(output, &file_of(path), content).map_err(Unwritten::Disk)?;
            text.map(|_| ()).map_err(Unwritten::Unrendered)
        })
        .collect::<Vec<_>>();
    let mut failed = 0;
    for (path, result) in overlays.iter().zip(written) {
        match result {
            Ok(()) => {}
            Err(Unwritten::Disk(error)) => {
                writeln!(invocation.err, "error: cannot write below `{}`: {error}", output.display())?;
                return Ok(Exit::Undecided);
            }
            Err(Unwritten::Unrendered(error)) => {
                failed += 1;
                writeln!(invocation.err, "`{}` does not render:", printable(path.as_str()))?;
                explain_render_error(&error, parsed, invocation)?;
            }
        }
    }
    let succeeded = count(overlays.len() - failed, "overlay");
    writeln!(invocation.err, "{succeeded} rendered into `{}`, {failed} failed", output.display())?;
    Ok(if failed == 0 { Exit::Allowed } else { Exit::Refused })
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
