//! The order of the output (`api/internal/builtins/SortOrderTransformer.go`).

use crate::kustomize::build::id::ResourceId;
use crate::kustomize::build::resource::Resource;
use crate::kustomize::known::order::{FIRST, KindOrder, LAST};

/// Sorts by kind, then by group, version, namespace and name.
pub(crate) fn legacy(resources: &mut [Resource], order: &KindOrder) {
    resources.sort_by_cached_key(|resource| {
        let id = resource.id();
        let rank = rank(&id.gvk.kind, &order.first, &order.last);
        // Of kinds named `Namespace` the one that everything stands in comes first, where the kind has its own place.
        let is_placed = rank != order.first.len();
        let is_other = !is_placed || id.gvk.kind != "Namespace" || !id.gvk.group.is_empty();
        (rank, is_other, kind_text(&id.gvk.group, &id.gvk.version, &id.gvk.kind), sort_text(&id))
    });
}

/// The place of a kind among those that come first or last; of a kind that stands in both lists the last counts.
fn rank<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> usize {
    let place = |kinds: &[T]| kinds.iter().rposition(|known| known.as_ref() == kind);
    place(last).map(|at| first.len() + 1 + at).or_else(|| place(first)).unwrap_or(first.len())
}

/// The order in which kustomize looks at kinds.
pub(crate) fn kind_key(group: &str, version: &str, kind: &str) -> (usize, String) {
    (rank(kind, &FIRST, &LAST), kind_text(group, version, kind))
}

fn kind_text(group: &str, version: &str, kind: &str) -> String {
    let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
}

fn sort_text(id: &ResourceId) -> String {
    let or = |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    let gvk =
        format!("{}.{}.{}", or(&id.gvk.kind, "[noKind]"), or(&id.gvk.version, "[noVer]"), or(&id.gvk.group, "[noGrp]"));
    format!("{gvk}|{}|{}", or(&id.namespace, "~X"), or(&id.name, "~N"))
}
