use std::collections::BTreeMap;

/// What a value may be.
#[derive(Clone, Debug)]
pub(super) enum Type {
    /// Anything.
    Any,
    /// A mapping with whatever in it.
    Object,
    Text,
    Bool,
    Int32,
    Int64,
    Number,
    IntOrString,
    /// The same of a custom kind, whose numbers may be larger.
    Int64OrString,
    /// An amount such as `100m` or `1Gi`, or a number.
    Quantity,
    /// Base64.
    Bytes,
    /// A time in RFC 3339.
    Time,
    /// One of these texts.
    OneOf(Vec<Box<str>>),
    List(Box<Type>),
    /// A mapping with any keys.
    Map(Box<Type>),
    /// A definition of Kubernetes, by its position.
    Named(usize),
    Record(Record),
    Limited(Box<Type>, Limits),
}

/// A mapping with known fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) fields: BTreeMap<Box<str>, Field>,
    /// Whether there may be others.
    pub(super) is_open: bool,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) of: Type,
    pub(super) is_required: bool,
    /// Whether null counts as written.
    pub(super) is_nullable: bool,
}

/// What a `CustomResourceDefinition` says of a value besides its type.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) pattern: Option<Box<str>>,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
    /// Of characters, or of items.
    pub(super) shortest: Option<u64>,
    pub(super) longest: Option<u64>,
}
