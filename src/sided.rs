//! The two sides of a change.

/// Something on both sides of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sided<T> {
    /// Before the change.
    pub base: T,
    /// After it has landed.
    pub head: T,
}

impl<T> Sided<T> {
    /// Both sides by reference.
    pub fn as_ref(&self) -> Sided<&T> {
        Sided { base: &self.base, head: &self.head }
    }

    /// Does the same to both sides.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Sided<U> {
        Sided { base: make(self.base), head: make(self.head) }
    }

    /// Does the same to both sides, unless it fails.
    ///
    /// # Errors
    /// The first error, the base's first.
    pub fn try_map<U, E>(self, mut make: impl FnMut(T) -> Result<U, E>) -> Result<Sided<U>, E> {
        Ok(Sided { base: make(self.base)?, head: make(self.head)? })
    }

    /// Each side of one beside the same side of the other.
    pub fn zip<U>(self, other: Sided<U>) -> Sided<(T, U)> {
        Sided { base: (self.base, other.base), head: (self.head, other.head) }
    }

    /// Both sides, the base first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.base, &self.head].into_iter()
    }
}
