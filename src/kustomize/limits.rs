//! Every bound of the renderer, with its reason. Past a bound the overlay does not render, and the error names what was too
//! large; nothing is cut off in silence.

/// How many kustomizations may stand on the way from an overlay to one base. Real ones have five or six; each step is a call.
pub(crate) const DEEPEST_CHAIN: usize = 64;

/// How many kustomizations one overlay may be put together from. A component counts each time that it is listed, so that
/// components that list components cannot multiply without end.
pub(crate) const MOST_VISITS: usize = 10_000;

/// How many objects one overlay may render to.
pub(crate) const MOST_OBJECTS: usize = 20_000;

/// How many values the objects of one overlay may hold together: anchors and patches share values, which only cost when
/// they are written out.
pub(crate) const MOST_VALUES: usize = 2_000_000;

/// How often the instructions of all kustomizations that one overlay is built from may meet an object: each base counts its
/// objects, each instruction the objects that it is held against. One meeting takes some ten microseconds.
pub(crate) const MOST_STEPS: usize = 500_000;

/// The same for a whole run, besides [`STEPS_FOR_EACH_OVERLAY`].
pub(crate) const MOST_STEPS_OF_A_RUN: usize = 1_000_000;

/// What every rendering adds to the steps that a run may take: large repositories have many overlays, not large ones.
pub(crate) const STEPS_FOR_EACH_OVERLAY: usize = 10_000;

/// How many bytes of text the objects of one overlay may hold together, for the same reason.
pub(crate) const MOST_TEXT: usize = 256 << 20;

/// How many bytes of data the generators of one overlay may make. A `ConfigMap` or Secret may hold one megabyte.
pub(crate) const MOST_GENERATED: usize = 64 << 20;

/// How many applications one `ApplicationSet` may make.
pub(crate) const MOST_APPLICATIONS: usize = 2_000;

/// How many objects may deploy each other in a row. Real repositories have two or three: a cluster, its apps, their parts.
pub(crate) const DEEPEST_DEPLOYMENT: usize = 6;

/// How many files of a folder are searched for the `ConfigMap` of Flux's variables.
pub(crate) const MOST_SEARCHED: usize = 5_000;

/// How many repositories may list each other in a row.
pub(crate) const MOST_REMOTE: usize = 8;

/// Symbolic links that may be followed on the way to one file; Linux follows as many.
pub(crate) const MOST_LINKS: usize = 40;

/// How many definitions of a file of `crds` may lie inside of each other.
pub(crate) const DEEPEST_DEFINITION: usize = 64;

/// How many fields the definitions of one file of `crds` may have, those of a kind counted wherever it is referred to.
pub(crate) const MOST_DEFINED_FIELDS: usize = 100_000;

/// How many references between the definitions of an `openapi` file are followed in a row.
pub(crate) const MOST_REFERENCES: usize = 64;

/// How many entries one list of a kustomization may have.
pub(crate) const MOST_ENTRIES: usize = 10_000;

/// How many bytes a compiled regular expression may take: every patch of a kustomization may bring one.
pub(crate) const LARGEST_EXPRESSION: usize = 256 << 10;

/// How often the instructions of one kustomization may meet an object: patches × objects, replacement targets × objects.
pub(crate) const MOST_MEETINGS: usize = 10_000_000;

/// How many labels and annotations one kustomization may write.
pub(crate) const MOST_LABELS: usize = 1_000_000;

/// How many bytes of text the replacements, or the variables, of one kustomization may put together.
pub(crate) const MOST_REPLACED_TEXT: usize = 64 << 20;

/// How many changed files and folders are looked for in the texts of kustomizations; past it all of them are parsed.
pub(crate) const MOST_TARGETS: usize = 100;

/// Parsed files are kept beyond their last use up to so many bytes of their texts, and as many again; past it they are parsed
/// again. A parsed text takes some twenty times its own size, and a small one takes as much as [`LEAST_KEPT`] bytes do.
pub(crate) const MOST_KEPT: usize = 3 << 20;

/// The fewest bytes that a parsed file counts for.
pub(crate) const LEAST_KEPT: usize = 2 << 10;

/// Built bases are kept beyond their last use up to so many objects, and as many again; past it they are built again.
pub(crate) const MOST_BUILT: usize = 1_500;

/// Files over so many bytes have their values counted before anything is made of them; smaller ones only in the end.
pub(crate) const LARGE_FILE: usize = 100 << 10;

/// How many folders a path may go through. Linux allows some 2,000; nobody has more than a dozen.
pub(crate) const MOST_SEGMENTS: usize = 256;
