//! The document that rules see. Keys are lowerCamelCase as in Kubernetes; whatever can be pointed at carries an `at`
//! handle, which a rule hands back.

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value as Json;

use crate::config::{Bots, Environment};
use crate::facts::{Context, Facts, Handle, StateInput, owners};
use crate::model::Case;
use crate::sided::Sided;
use crate::sources::RepoPath;
use crate::words;

/// The whole document: one overlay before and after, or the change as a whole.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RuleInput {
    /// `tollgate.input/1`.
    #[cfg_attr(test, schemars(extend("const" = "tollgate.input/1")))]
    pub schema: &'static str,
    /// The time of the judgement, RFC 3339.
    pub now: String,
    /// The overlay; `null` for the change as a whole.
    pub overlay: Option<OverlayInput>,
    /// Its environment; `null` for the change as a whole.
    pub environment: Option<EnvironmentInput>,
    /// The change.
    pub change: ChangeInput,
    /// Before.
    pub base: StateInput,
    /// After.
    pub head: StateInput,
    /// What else is known.
    pub facts: Facts,
    /// Parameters by rule and name.
    #[cfg_attr(test, schemars(with = "serde_json::Map<String, Json>"))]
    pub parameters: Json,
}

/// An overlay.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OverlayInput {
    /// The folder.
    pub path: String,
    /// The app.
    pub app: String,
    /// The cluster or part.
    pub part: String,
    /// Whether its rendered output changes.
    pub affected: bool,
    /// The overlay's own file.
    pub at: Handle,
}

/// An environment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentInput {
    /// Its name.
    pub name: String,
    /// Whether it is protected.
    pub protected: bool,
    /// How long a content must have been live below.
    pub soak: Option<Soak>,
    /// How many owners must approve.
    pub approvals: usize,
    /// Whether bots may change it.
    pub bots: Bots,
}

impl EnvironmentInput {
    fn of(environment: &Environment) -> Self {
        Self {
            name: environment.name.clone(),
            protected: environment.protected,
            soak: environment.soak.map(|seconds| Soak { seconds, text: words::duration(seconds) }),
            approvals: environment.approvals,
            bots: environment.bots,
        }
    }
}

/// A duration.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Soak {
    /// In seconds.
    pub seconds: i64,
    /// In words.
    pub text: String,
}

/// The change around an overlay.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangeInput {
    /// The base's commit.
    pub base: String,
    /// The head's commit.
    pub head: Option<String>,
    /// Names of bots among its authors.
    pub bots: Vec<String>,
    /// The first changed line that reaches the overlay; `null` where no changed file is text.
    pub at: Option<Handle>,
}

impl RuleInput {
    /// The document of an overlay. `own` is the line that stands for the overlay as a whole, `changed` the first changed
    /// line that reaches it.
    #[must_use]
    pub fn of_case(
        context: &Context<'_>,
        parameters: &Json,
        case: &Case<'_>,
        places: &Places,
        states: Sided<StateInput>,
        facts: Facts,
    ) -> Self {
        let Case { overlay, .. } = case;
        let environment = &context.config.environments[overlay.environment];
        let input = OverlayInput {
            path: overlay.path.to_string(),
            app: overlay.app.clone(),
            part: overlay.part.clone(),
            affected: places.is_affected,
            at: places.own,
        };
        let reaches = |touched: &[RepoPath]| owners::reaches(case, touched);
        let mut about = Self::about(context, parameters, Some(places.changed), states, facts);
        about.change.bots = context.change.bots_that(reaches);
        Self { overlay: Some(input), environment: Some(EnvironmentInput::of(environment)), ..about }
    }

    /// The document of the change as a whole.
    #[must_use]
    pub fn of_change(context: &Context<'_>, parameters: &Json, changed: Option<Handle>, facts: Facts) -> Self {
        Self::about(context, parameters, changed, Sided::default(), facts)
    }

    fn about(
        context: &Context<'_>,
        parameters: &Json,
        changed: Option<Handle>,
        states: Sided<StateInput>,
        facts: Facts,
    ) -> Self {
        let comparison = context.comparison;
        Self {
            schema: "tollgate.input/1",
            now: context.clock.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            overlay: None,
            environment: None,
            change: ChangeInput {
                base: comparison.base.id.to_string(),
                head: comparison.head.as_ref().map(|head| head.id.to_string()),
                bots: context.change.bots_that(|_| true),
                at: changed,
            },
            base: states.base,
            head: states.head,
            facts,
            parameters: parameters.clone(),
        }
    }
}

/// Where findings about an overlay as a whole point.
pub struct Places {
    /// The line that stands for the overlay.
    pub own: Handle,
    /// The first changed line that reaches it.
    pub changed: Handle,
    /// Whether the document is about a change of the overlay, and not about what the base has already.
    pub is_affected: bool,
}

#[cfg(test)]
mod tests {
    use schemars::Schema;
    use schemars::generate::SchemaSettings;
    use schemars::transform::{RecursiveTransform, Transform as _};

    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/input.schema.json");

    /// Nothing is in a document that the schema does not name.
    fn close(schema: &mut Schema) {
        if schema.get("properties").is_some() {
            schema.insert("additionalProperties".to_owned(), Json::Bool(false));
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the schema is published as a file of the project")]
    fn the_published_schema_is_that_of_the_types() {
        let mut schema =
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<RuleInput>();
        RecursiveTransform(close).transform(&mut schema);
        let says = "What a rule sees: one overlay before and after, or (overlay null) the change as a whole. \
                    Changes only by addition.";
        schema.insert("title".to_owned(), Json::from("tollgate.input/1"));
        schema.insert("description".to_owned(), Json::from(says));
        let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(FILE, &made).unwrap();
        }
        let published = std::fs::read_to_string(FILE).unwrap();
        assert!(published == made, "policies/input.schema.json is stale: `UPDATE=1 cargo test` writes it again");
    }
}
