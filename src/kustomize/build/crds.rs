//! `crds`: field specs out of descriptions of custom kinds (`api/internal/accumulator/loadconfigfromcrds.go`).

use super::transformer_config::{NameReferences, TransformerConfig, merge_all};
use crate::kustomize::error::RenderError;
use crate::kustomize::limits::{DEEPEST_DEFINITION, MOST_DEFINED_FIELDS};
use crate::kustomize::transform::fieldspec::{FieldSpec, KindPattern};
use crate::yaml::{Mapping, Node};

/// What the descriptions in one document say: properties with marks are annotations, labels, names or references.
///
/// # Errors
/// When two of them contradict each other, or descriptions refer to each other in a circle.
pub(crate) fn config(document: &Node) -> Result<TransformerConfig, RenderError> {
    let wrong = |node: &Node| {
        RenderError::at(node.origin.span, "these are not definitions as `crds` expects them")
            .help("`crds` expects OpenAPI definitions by name; list a CustomResourceDefinition under `resources`")
    };
    let Some(descriptions) = document.as_mapping() else { return Err(wrong(document)) };
    let mut config = TransformerConfig::default();
    let mut fields_left = MOST_DEFINED_FIELDS;
    for (name, description) in descriptions.iter() {
        if description.as_mapping().is_none() && !description.is_null() {
            return Err(wrong(description));
        }
        let Some(properties) = properties(description) else { continue };
        if ["kind", "apiVersion", "metadata"].iter().any(|field| properties.get(field).is_none()) {
            continue;
        }
        let kind = name.text.rsplit('.').next().unwrap_or_default().to_owned();
        let kind = KindPattern { kind: kind.into(), ..KindPattern::default() };
        let mut found = TransformerConfig::default();
        collect(document, properties, &kind, &mut Vec::new(), &mut fields_left, &mut found)?;
        config.merge(found)?;
    }
    Ok(config)
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let mapping = node.as_mapping()?;
    mapping.get(name).or_else(|| Some(mapping.iter().find(|(key, _)| key.text.eq_ignore_ascii_case(name))?.1))
}

fn properties(description: &Node) -> Option<&Mapping> {
    field(field(description, "Schema")?, "properties")?.as_mapping()
}

fn collect(
    document: &Node,
    properties: &Mapping,
    kind: &KindPattern,
    path: &mut Vec<String>,
    fields_left: &mut usize,
    config: &mut TransformerConfig,
) -> Result<(), RenderError> {
    for (name, property) in properties.iter() {
        *fields_left = fields_left.checked_sub(1).ok_or_else(|| {
            RenderError::at(name.span, format!("these kinds have more than {MOST_DEFINED_FIELDS} fields together"))
                .help("leave out references to kinds without names, labels or annotations")
        })?;
        if path.len() >= DEEPEST_DEFINITION {
            return Err(RenderError::at(
                name.span,
                format!("kinds that refer to each other more than {DEEPEST_DEFINITION} deep"),
            )
            .help("a definition that contains itself cannot be followed; leave the reference out"));
        }
        path.push(name.text.to_string());
        let mark = |name: &str| property.get(name).and_then(Node::as_text);
        let spec = |extra: Option<&str>| {
            let path = path.iter().cloned().chain(extra.map(str::to_owned)).collect();
            FieldSpec { kind: kind.clone(), path, create: false, at: Some(name.span) }
        };
        if mark("x-kubernetes-annotation").is_some() {
            merge_all(&mut config.common_annotations, vec![spec(None)])?;
        }
        if mark("x-kubernetes-label-selector").is_some() {
            merge_all(&mut config.common_labels, vec![spec(None)])?;
        }
        if mark("x-kubernetes-identity").is_some() {
            merge_all(&mut config.name_prefix, vec![spec(None)])?;
        }
        let referent = (mark("x-kubernetes-object-ref-api-version"), mark("x-kubernetes-object-ref-kind"));
        if let (Some(version), Some(kind)) = referent {
            let key = mark("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let (version, kind) = (version.to_owned().into(), kind.to_owned().into());
            let referent = KindPattern { version, kind, ..KindPattern::default() };
            let mut reference = TransformerConfig::default();
            reference.name_references.push(NameReferences { referent, fields: vec![spec(Some(key))] });
            config.merge(reference)?;
        }
        let inner = mark("$ref").and_then(|name| document.get(name)).and_then(self::properties);
        if let Some(inner) = inner {
            collect(document, inner, kind, path, fields_left, config)?;
        }
        path.pop();
    }
    Ok(())
}
