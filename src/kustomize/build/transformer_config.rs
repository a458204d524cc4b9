//! Transformer configurations: which fields of which kinds each transformer changes
//! (`api/internal/plugins/builtinconfig`).

use std::sync::{Arc, LazyLock};

use crate::kustomize::error::RenderError;
use crate::kustomize::file::fields::{Fields, Reading};
use crate::kustomize::finish::order;
use crate::kustomize::known::specs;
use crate::kustomize::transform::fieldspec::{FieldSpec, KindPattern};
use crate::yaml::Node;

/// The fields that each transformer changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransformerConfig {
    /// `namePrefix`.
    pub name_prefix: Vec<FieldSpec>,
    /// `nameSuffix`.
    pub name_suffix: Vec<FieldSpec>,
    /// `namespace`.
    pub namespace: Vec<FieldSpec>,
    /// `commonLabels`, and `labels` with `includeSelectors`.
    pub common_labels: Vec<FieldSpec>,
    /// `labels`, besides `metadata/labels`.
    pub labels: Vec<FieldSpec>,
    /// `labels` with `includeTemplates`.
    pub template_labels: Vec<FieldSpec>,
    /// `commonAnnotations`.
    pub common_annotations: Vec<FieldSpec>,
    /// Fields that hold names of other objects.
    pub name_references: Vec<NameReferences>,
    /// Fields in which `vars` are replaced.
    pub var_references: Vec<FieldSpec>,
    /// `images`.
    pub images: Vec<FieldSpec>,
    /// `replicas`.
    pub replicas: Vec<FieldSpec>,
}

/// The fields that hold names of one kind of object.
#[derive(Clone, Debug)]
pub(crate) struct NameReferences {
    /// What kind of object the names are of.
    pub referent: KindPattern,
    /// Where the names stand.
    pub fields: Vec<FieldSpec>,
}

static DEFAULT: LazyLock<Arc<TransformerConfig>> = LazyLock::new(|| Arc::new(specs::default_config()));

impl TransformerConfig {
    /// kustomize's own.
    pub(crate) fn standard() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// Reads a configuration file's first document, strictly as kustomize does.
    ///
    /// # Errors
    /// When it has an unknown field, or a list contradicts itself.
    pub(crate) fn read(document: &Node) -> Result<Self, RenderError> {
        let mut config = Self::default();
        let mut names: Vec<&'static str> = config.lists().iter().map(|(name, _)| *name).collect();
        names.push("nameReference");
        let fields = Fields::read(document, &names, Reading::Configuration, "a transformer configuration")?;
        for (name, list) in config.lists() {
            *list = fields.list(name, |node| FieldSpec::read(node, Reading::Configuration))?;
        }
        config.name_references = fields.list("nameReference", NameReferences::read)?;
        config.sort();
        Ok(config)
    }

    /// Sorts all lists as kustomize does whenever it has read or merged a configuration. The order decides which of
    /// two specs that overlap is left when they are merged into another configuration.
    fn sort(&mut self) {
        let key = |kind: &KindPattern| order::kind_key(&kind.group, &kind.version, &kind.kind);
        for (_, list) in self.lists() {
            list.sort_by_cached_key(|spec| key(&spec.kind));
        }
        self.name_references.sort_by_cached_key(|known| key(&known.referent));
    }

    /// The plain lists with their names.
    fn lists(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("namePrefix", &mut self.name_prefix),
            ("nameSuffix", &mut self.name_suffix),
            ("namespace", &mut self.namespace),
            ("commonLabels", &mut self.common_labels),
            ("labels", &mut self.labels),
            ("templateLabels", &mut self.template_labels),
            ("commonAnnotations", &mut self.common_annotations),
            ("varReference", &mut self.var_references),
            ("images", &mut self.images),
            ("replicas", &mut self.replicas),
        ]
    }

    /// Adds what another configuration knows besides.
    ///
    /// # Errors
    /// When the two disagree on whether a field is created.
    pub(crate) fn merge(&mut self, mut other: Self) -> Result<(), RenderError> {
        let others = other.lists().map(|(_, list)| std::mem::take(list));
        for ((_, list), added) in self.lists().into_iter().zip(others) {
            merge_all(list, added)?;
        }
        for added in other.name_references {
            match self.name_references.iter_mut().find(|known| known.referent == added.referent) {
                Some(known) => merge_all(&mut known.fields, added.fields)?,
                None => self.name_references.push(added),
            }
        }
        self.sort();
        Ok(())
    }
}

impl NameReferences {
    fn read(node: &Node) -> Result<Self, RenderError> {
        let known = ["group", "version", "kind", "fieldSpecs"];
        let fields = Fields::read(node, &known, Reading::Configuration, "an entry of `nameReference`")?;
        let specs = fields.list("fieldSpecs", |node| FieldSpec::read(node, Reading::Configuration))?;
        Ok(Self { referent: KindPattern::read(&fields)?, fields: specs })
    }
}

/// Adds the specs that are not there yet.
///
/// # Errors
/// When one is there that says something else about creating the field.
pub(crate) fn merge_all(specs: &mut Vec<FieldSpec>, added: Vec<FieldSpec>) -> Result<(), RenderError> {
    for spec in added {
        match specs.iter().find(|known| spec.kind.includes(&known.kind) && known.path == spec.path) {
            None => specs.push(spec),
            Some(known) if known.create == spec.create => {}
            Some(known) => {
                let (path, create) = (spec.path.join("/"), known.create);
                let message = format!("the field `{path}` is already configured with `create: {create}`");
                let error = RenderError::placed(spec.at.or(known.at), message);
                let error = error.help(format!("write `create: {create}`, or remove the entry"));
                return Err(match known.at.filter(|at| Some(*at) != spec.at) {
                    Some(at) => error.related(at, "the first one is here"),
                    None => error,
                });
            }
        }
    }
    Ok(())
}
