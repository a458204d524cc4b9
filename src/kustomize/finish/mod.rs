//! What happens once, at the root of a build: name hashes, name references, build metadata, order.

pub(crate) mod build_metadata;
pub(crate) mod hash;
pub(crate) mod nameref;
pub(crate) mod order;
pub(crate) mod secrets;
