use std::sync::Arc;

use super::overlay::Overlay;
use super::state::State;
use crate::config::Config;
use crate::kustomize::{FolderScan, RenderError, Renderer, Rendering};
use crate::sided::Sided;
use crate::sources::RepoPath;
use crate::yaml::same;

/// One overlay, before and after a change; it may be missing on one side.
#[derive(Clone)]
pub struct Case<'a> {
    /// The overlay; the head's view of it where both sides have it.
    pub overlay: &'a Overlay,
    /// What it renders to.
    pub rendered: Sided<RenderedOverlay>,
    /// What a rendering looks for.
    pub scans: Sided<Arc<FolderScan>>,
    /// Whether the change alters what it renders to.
    pub is_affected: bool,
}

impl Case<'_> {
    /// What is known of the folder's files: after the change, or before it where the change removes the overlay.
    #[must_use]
    pub fn latest_scan(&self) -> &FolderScan {
        if self.rendered.head.exists { &self.scans.head } else { &self.scans.base }
    }
}

/// What one side of an overlay renders to.
#[derive(Clone, Default)]
pub struct RenderedOverlay {
    /// Whether the overlay is there at all.
    pub exists: bool,
    /// The objects; `None` where it is not there or does not render.
    pub rendering: Option<Arc<Rendering>>,
    /// Why it does not render.
    pub error: Option<RenderError>,
    /// What it runs, needs and provides.
    pub state: Arc<State>,
}

impl RenderedOverlay {
    /// Renders the overlay in a folder.
    ///
    /// # Errors
    /// When the snapshot itself cannot be read; an overlay that does not render is not an error here.
    pub fn render(path: &RepoPath, renderer: &Renderer<'_>, config: &Config) -> Result<Self, RenderError> {
        match renderer.render_any(path) {
            Ok(rendering) => {
                let state = Arc::new(State::of(&rendering, config));
                // What cannot be printed cannot be deployed either.
                let error = rendering.to_yaml().err();
                Ok(Self { exists: true, rendering: Some(Arc::new(rendering)), error, state })
            }
            Err(failed) if failed.error.is_unreadable => Err(failed.error),
            Err(failed) => Ok(Self { exists: true, rendering: None, error: Some(failed.error), state: Arc::default() }),
        }
    }

    /// Whether it is there and renders.
    #[must_use]
    pub fn renders(&self) -> bool {
        self.exists && self.error.is_none()
    }

    /// Whether both deploy the same. What does not render is never the same as anything.
    #[must_use]
    pub fn deploys_same_as(&self, other: &Self) -> bool {
        match (&self.rendering, &other.rendering) {
            (Some(one), Some(other)) => {
                one.opaque.len() == other.opaque.len()
                    && one.opaque.iter().zip(&other.opaque).all(|(one, other)| one.makes_same_as(other))
                    && one.objects.len() == other.objects.len()
                    && one.objects.iter().zip(&other.objects).all(|(one, other)| same(one, other))
            }
            _ => !self.exists && !other.exists,
        }
    }
}
