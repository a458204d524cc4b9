//! Rules: their metadata, their input, and their evaluation. The only stage that names regorus.

pub use catalog::{Rule, catalog};
pub use engine::{Engine, PolicyError, Raised, Related};
pub use input::{
    ChangeInput, Combination, CombinedApp, CombinedImage, ContainerInput, Document, EnvironmentInput, ErrorInput,
    Evidence, Facts, FileOwners, FreezeInput, Handle, Handles, ImageInput, LimitsInput, Moment, OrderFault,
    OverlayInput, OverlayOwners, OwnersFacts, Promotion, ProvidedInput, ReferenceInput, RelatedInput, Running, Soak,
    StateInput, StayInput, Target, Tier, VersionRow, VersionsFacts,
};
pub use metadata::{Metadata, Scope};
pub use settings::{Settings, settings};

mod catalog;
mod engine;
mod input;
mod metadata;
mod settings;
