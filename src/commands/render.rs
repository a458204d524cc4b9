use std::io;
use std::path::Path;

use super::check::render_error;
use super::{Exit, Process};
use crate::cli::{Render, Reorder, Restrictor};
use crate::kustomize::{LoadRestrictor, Options, Order, Parsed, RenderError, Renderer, Rendering};
use crate::sources::{RepoPath, Repository, Tree, WorkingTree};
use crate::span::Span;
use crate::yaml::{Writer, emit_noting};

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
    let printed = rendering
        .and_then(|rendering| if arguments.origins { with_origins(&rendering, &parsed) } else { rendering.to_yaml() });
    match printed {
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

/// The output with a column before it: who wrote the value on each line, or else the key.
fn with_origins(rendering: &Rendering, parsed: &Parsed) -> Result<String, RenderError> {
    let place = |span: Span| {
        let place = parsed.files.location(span);
        format!("{}:{}", place.path, place.line)
    };
    let told = |writer: Writer<'_>| match writer {
        Writer::Key(span) => place(span),
        Writer::Value(origin) => {
            let before = origin.before.as_ref().filter(|before| before.origin.span != origin.span);
            let before = before.map(|before| format!(" ← {}", place(before.origin.span))).unwrap_or_default();
            format!("{} ({}{before})", place(origin.span), origin.step.name())
        }
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    for (at, object) in rendering.objects.iter().enumerate() {
        if at > 0 {
            rows.push((String::new(), "---".to_owned()));
        }
        let (mut text, mut notes) = (String::new(), Vec::new());
        emit_noting(object, &mut text, &mut |at, writer| notes.push((at, told(writer))))
            .map_err(|error| RenderError::at(error.span, error.message))?;
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let mut here = notes.iter().filter(|(at, _)| (start..start + line.len()).contains(at));
            rows.push((
                here.next_back().map(|(_, told)| told.clone()).unwrap_or_default(),
                line.trim_end_matches('\n').to_owned(),
            ));
            start += line.len();
        }
    }
    let width = rows.iter().map(|(told, _)| told.chars().count()).max().unwrap_or_default();
    Ok(rows.iter().fold(String::new(), |mut out, (told, line)| {
        let pad = " ".repeat(width - told.chars().count());
        out.push_str(format!("{told}{pad} │ {line}").trim_end());
        out.push('\n');
        out
    }))
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
