//! The plugin `ValueAddTransformer` (`api/filters/valueadd`), which has no field of its own in a kustomization.

use super::field_path::{FieldPath, Shape};
use super::namespace::{Namespace, Subjects};
use super::selector::Selector;
use crate::kustomize::build::loader::Loader;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading, Text};
use crate::yaml::{Dialect, Node, Scalar, Step};

/// Where the value goes.
struct Target {
    select: Option<Selector>,
    field: Text,
    path: FieldPath,
    /// Where the value goes in a field that holds a file path, from 1; 0 replaces the field.
    position: usize,
}

/// Adds one value to the fields of many objects, as the plugin's configuration says.
///
/// # Errors
/// When the configuration lacks something, or a field cannot take the value.
pub(crate) fn apply(
    resources: &mut [Resource],
    configuration: &Node,
    loader: &mut Loader<'_>,
) -> Result<(), RenderError> {
    let known = ["value", "targets", "targetFilePath"];
    let fields = Fields::read(configuration, &known, Reading::Plugin, "a ValueAddTransformer")?;
    let value = fields.text("value")?.map(|text| Text { value: text.value.trim().to_owned(), ..text });
    let folder = Text { value: loader.root.file_name().to_owned(), span: fields.span() };
    let value = value.filter(|text| !text.value.is_empty()).unwrap_or(folder);
    let mut targets = fields.list("targets", Target::read)?;
    if let Some(path) = fields.filled("targetFilePath")? {
        let documents = loader.instructions(&path, Dialect::Kustomization)?;
        if let Some(document) = documents.first() {
            let more = Fields::read(document, &["targets"], Reading::Plugin, "a file of targets")?;
            targets.extend(more.list("targets", Target::read)?);
        }
    }
    if targets.is_empty() {
        return Err(RenderError::at(fields.span(), "this ValueAddTransformer has no targets")
            .help("say where the value goes: `targets: [{fieldPath: metadata/namespace}]`"));
    }
    for target in &targets {
        let selects = |resource: &Resource| target.select.as_ref().is_none_or(|select| select.selects(resource));
        for resource in resources.iter_mut().filter(|resource| !resource.is_deleted() && selects(resource)) {
            if target.field.value == "metadata/namespace" {
                let subjects = Subjects::NamedDefault;
                Namespace { name: &value, specs: &[], only_unset: false, subjects }.apply(resource)?;
                continue;
            }
            let mut change = |node: &mut Node| target.put(node, &value);
            target.path.visit(&mut resource.node, Some(Shape::Scalar), &mut change)?;
        }
    }
    Ok(())
}

impl Target {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["selector", "fieldPath", "filePathPosition"];
        let fields = Fields::read(node, &known, Reading::Plugin, "a target")?;
        let field = fields.filled("fieldPath")?.ok_or_else(|| {
            RenderError::at(fields.span(), "this target has no `fieldPath`").help("write it as `metadata/namespace`")
        })?;
        let (position, span) = fields.number("filePathPosition")?.unwrap_or((0, fields.span()));
        let position = usize::try_from(position)
            .map_err(|_| RenderError::at(span, "`filePathPosition` is negative").help("positions count from 1"))?;
        let select = fields.inner("selector", &Selector::FIELDS)?.map(|select| Selector::read(&select)).transpose()?;
        Ok(Self { select, path: FieldPath::between_slashes(&field)?, field, position })
    }

    fn put(&self, node: &mut Node, value: &Text) -> Result<(), RenderError> {
        let Some(old) = node.as_scalar() else {
            return Err(RenderError::at(node.origin.span, format!("expected a string, but this is {}", node.shape())));
        };
        let text = match self.position.checked_sub(1) {
            Some(position) => inserted(&old.text, position, &value.value),
            None => value.value.clone(),
        };
        let scalar = Scalar::plain(&text);
        node.replace_scalar(scalar, value.span, Step::ValueAdd);
        Ok(())
    }
}

/// Inserts a part into a file path (`kyaml/filesys/util.go`): positions past the end add it at the end.
fn inserted(path: &str, position: usize, part: &str) -> String {
    let (root, relative) = match path.strip_prefix('/') {
        Some(relative) => ("/", relative),
        None => ("", path),
    };
    let mut parts: Vec<&str> = relative.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_inserted_as_kustomize_inserts_them() {
        for (path, position, expected) in [
            ("", 5, "P"),
            ("/", 0, "/P"),
            ("pie", 0, "P/pie"),
            ("/pie", 0, "/P/pie"),
            ("raw", 1, "raw/P"),
            ("/raw", 9, "/raw/P"),
            ("a/nice/warm/pie", 3, "a/nice/warm/P/pie"),
            ("/a/nice/warm/pie", 3, "/a/nice/warm/P/pie"),
        ] {
            assert_eq!(inserted(path, position, "P"), expected);
        }
    }
}
