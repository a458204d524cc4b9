//! `vars` (`api/internal/accumulator`, `api/filters/refvar`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::field_path::FieldPath;
use super::fieldspec::{FieldSpec, Visit, visit};
use crate::kustomize::build::id::{Gvk, ResourceId};
use crate::kustomize::build::resource::Resource;
use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading, Text};
use crate::kustomize::limits::MOST_REPLACED_TEXT;
use crate::span::Span;
use crate::yaml::{Kind, Mapping, Node, Scalar, Step, Value, number_text};

/// An entry of `vars`.
#[derive(Clone, Debug)]
pub struct Var {
    name: Text,
    object: ResourceId,
    path: FieldPath,
    span: Span,
}

/// Vars by their names.
pub(crate) type Vars = BTreeMap<String, Var>;

impl Var {
    /// Reads an entry.
    ///
    /// # Errors
    /// When it lacks a name, or says something that is no var.
    pub(crate) fn read(node: &Node) -> Result<Self, RenderError> {
        let fields = Fields::read(node, &["name", "objref", "fieldref"], Reading::Kustomization, "an entry of `vars`")?;
        let object_fields = ["apiVersion", "group", "version", "kind", "name", "namespace"];
        let object = fields.inner("objref", &object_fields)?;
        let text = |name| match &object {
            None => Ok(String::new()),
            Some(object) => Ok(object.text(name)?.map(|text| text.value).unwrap_or_default()),
        };
        let mut gvk = Gvk { group: text("group")?, version: text("version")?, kind: text("kind")? };
        let api_version = text("apiVersion")?;
        match api_version.split('/').collect::<Vec<_>>()[..] {
            [group, version] => (gvk.group, gvk.version) = (group.to_owned(), version.to_owned()),
            [version] if !version.is_empty() => version.clone_into(&mut gvk.version),
            _ => {}
        }
        let span = fields.span();
        let path = fields.inner("fieldref", &["fieldPath"])?.map(|field| field.filled("fieldPath")).transpose()?;
        let path = path.flatten().unwrap_or(Text { value: "metadata.name".to_owned(), span });
        Ok(Self {
            name: fields.text("name")?.unwrap_or(Text { value: String::new(), span }),
            // Of a var's object kustomize does not ask where its kind stands.
            object: ResourceId { gvk, name: text("name")?, namespace: text("namespace")?, is_cluster_scoped: false },
            path: FieldPath::of_var(&path)?,
            span,
        })
    }

    fn means(&self, id: &ResourceId) -> bool {
        let same_object = id.gvk == self.object.gvk && id.name == self.object.name;
        let effective = if self.object.namespace.is_empty() { None } else { Some(self.object.namespace.as_str()) };
        same_object && effective.is_none_or(|namespace| namespace == id.effective_namespace())
    }
}

/// Adds a kustomization's vars, and marks the objects that they mean by their present names.
///
/// # Errors
/// When a var means several objects, or is there already.
pub(crate) fn add(known: &mut Vars, added: &[Var], resources: &mut [Resource]) -> Result<(), RenderError> {
    for var in added {
        let mut means = Vec::new();
        for (at, resource) in resources.iter().enumerate() {
            if resource.any_id(|id| var.means(id)) {
                means.push(at);
            }
        }
        match means[..] {
            [] => {}
            [at] => resources[at].vars.push(Arc::from(var.name.value.as_str())),
            [first, second, ..] => {
                return Err(RenderError::at(
                    var.span,
                    format!("the variable `{}` refers to several objects", var.name.value),
                )
                .help("add the `namespace` to its `objref`")
                .related(resources[first].node.origin.span, "one")
                .related(resources[second].node.origin.span, "another"));
            }
        }
        insert(known, var.clone())?;
    }
    Ok(())
}

/// Adds the vars of a base.
///
/// # Errors
/// When one is there already.
pub(crate) fn merge(known: &mut Vars, added: &Vars) -> Result<(), RenderError> {
    added.values().try_for_each(|var| insert(known, var.clone()))
}

fn insert(known: &mut Vars, var: Var) -> Result<(), RenderError> {
    if let Some(first) = known.get(&var.name.value) {
        return Err(RenderError::at(var.name.span, format!("the variable `{}` is defined twice", var.name.value))
            .help("rename one of the two")
            .related(first.name.span, "the first one is here"));
    }
    known.insert(var.name.value.clone(), var);
    Ok(())
}

/// The value of a var, and where it comes from.
struct Found {
    /// `None` for lists and mappings, which cannot be put into texts.
    scalar: Option<Scalar>,
    span: Span,
}

/// Replaces `$(NAME)` in every field that the specs name.
///
/// # Errors
/// When a var has no value, or something other than texts stands in such a field.
pub(crate) fn resolve(
    resources: &mut [Resource],
    vars: &Vars,
    specs: &[FieldSpec],
    is_opaque: bool,
) -> Result<(), RenderError> {
    if vars.is_empty() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for (name, var) in vars {
        if let Some(found) = RenderError::unless_opaque(value(var, resources), is_opaque)? {
            values.insert(name.as_str(), found);
        }
    }
    let mut text_left = MOST_REPLACED_TEXT;
    for resource in resources.iter_mut().filter(|resource| !resource.is_deleted()) {
        let gvk = resource.gvk();
        for spec in specs.iter().filter(|spec| spec.selects(&gvk)) {
            let how = Visit { create: None, span: resource.node.origin.span, step: Step::Var };
            visit(&mut resource.node, &spec.path, how, &mut |node| replace_at(node, &values, &mut text_left))?;
        }
        resource.propagate_shared();
    }
    Ok(())
}

fn value(var: &Var, resources: &[Resource]) -> Result<Found, RenderError> {
    let name = var.name.value.as_str();
    let marked = resources.iter().find(|resource| resource.vars.iter().any(|known| **known == *name));
    let Some(resource) = marked else {
        return Err(RenderError::at(var.span, format!("the variable `{name}` refers to no object that is built here"))
            .help("its `objref` names an object by `apiVersion`, `kind` and its name before any prefix")
            .unmatched());
    };
    let node = var.path.find(&resource.node)?.ok_or_else(|| var.path.missing(&resource.node))?;
    let scalar = node.as_scalar().map(|scalar| match scalar.kind {
        // What is no decimal number, such as `0x1F`, is no number to kustomize here.
        Kind::Int(_) | Kind::Uint(_) => {
            let number = scalar.text.parse::<i64>().map(|number| Scalar::plain(&number.to_string()));
            number.map_err(|_| RenderError::at(node.origin.span, format!("`{}` is not a decimal number", scalar.text)))
        }
        Kind::Bool(value) => Ok(Scalar::plain(if value { "true" } else { "false" })),
        Kind::Float(value) => {
            let text = format!("{value}");
            Ok(Scalar { text: Arc::from(text), kind: Kind::Float(value), plain: true, folded: false })
        }
        Kind::Null | Kind::String | Kind::Timestamp => Ok(Scalar::string(&scalar.text)),
    });
    Ok(Found { scalar: scalar.transpose()?, span: node.origin.span })
}

fn replace_at(node: &mut Node, values: &BTreeMap<&str, Found>, text_left: &mut usize) -> Result<(), RenderError> {
    let is_text = |node: &Node| node.as_scalar().is_some_and(|scalar| scalar.kind == Kind::String);
    match &node.value {
        Value::Scalar(_) if is_text(node) => replace_in(node, values, text_left),
        Value::Scalar(_) => Ok(()),
        Value::Sequence(items) => match items.iter().find(|item| !is_text(item)) {
            Some(item) => {
                Err(RenderError::at(item.origin.span, format!("expected a string, but this is {}", item.shape()))
                    .help("variables are replaced in this list, so its items must all be strings: write it in quotes"))
            }
            None if items.iter().any(mentions) => {
                let mut items = node.as_sequence_mut().into_iter().flatten();
                items.try_for_each(|item| replace_in(item, values, text_left))
            }
            None => Ok(()),
        },
        Value::Mapping(mapping) => {
            if let Some((key, _)) = mapping.iter().find(|(key, _)| !key.is_string) {
                return Err(RenderError::at(key.span, format!("the key `{}` is not a string", key.text))
                    .help("write it in quotes"));
            }
            if !mapping.iter().any(|(_, node)| mentions(node)) {
                return Ok(());
            }
            let entries = node.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut);
            let mut texts = entries.map(|(_, node)| node).filter(|node| is_text(node));
            texts.try_for_each(|node| replace_in(node, values, text_left))
        }
    }
}

fn mentions(node: &Node) -> bool {
    node.as_text().is_some_and(|text| text.contains('$'))
}

fn replace_in(node: &mut Node, values: &BTreeMap<&str, Found>, text_left: &mut usize) -> Result<(), RenderError> {
    let Some(text) = node.as_text().filter(|text| text.contains('$')) else { return Ok(()) };
    let whole = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')).and_then(|name| values.get(name));
    if let Some(Found { scalar: Some(scalar), span }) = whole {
        node.replace_scalar(scalar.clone(), *span, Step::Var);
        return Ok(());
    }
    let replaced = expand(text, values);
    *text_left = text_left.saturating_sub(replaced.len());
    if *text_left == 0 {
        let message = format!("these variables produce more than {MOST_REPLACED_TEXT} bytes of text");
        return Err(RenderError::at(node.origin.span, message).help("split the overlay"));
    }
    if replaced != text {
        let span = node.origin.span;
        node.replace_scalar(Scalar::string(&replaced), span, Step::Var);
    }
    Ok(())
}

/// `$(NAME)` becomes the value, `$$` a dollar sign; everything else stays (`api/filters/refvar/expand.go`).
fn expand(text: &str, values: &BTreeMap<&str, Found>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$').filter(|at| at + 1 < rest.len()) {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if let Some(behind) = behind.strip_prefix('$') {
            out.push('$');
            rest = behind;
            continue;
        }
        let Some((name, behind)) = behind.strip_prefix('(').and_then(|behind| behind.split_once(')')) else {
            out.push('$');
            rest = behind;
            continue;
        };
        match values.get(name).and_then(|found| found.scalar.as_ref()) {
            Some(scalar) => out.push_str(&number_text(scalar.kind).unwrap_or_else(|| scalar.text.to_string())),
            None => out.push_str(&format!("$({name})")),
        }
        rest = behind;
    }
    out + rest
}
