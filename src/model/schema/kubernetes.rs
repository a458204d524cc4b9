use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::types::{Field, Record, Type};

/// What `.ci/kubernetes-schemas` makes of the API descriptions that Kubernetes publishes.
#[derive(Deserialize)]
struct Table<'a> {
    /// Minor versions, oldest first; `in` names them by position.
    versions: Vec<String>,
    #[serde(borrow)]
    kinds: BTreeMap<&'a str, BTreeMap<&'a str, Vec<KindRow<'a>>>>,
    #[serde(borrow)]
    definitions: BTreeMap<&'a str, Vec<DefinitionRow<'a>>>,
}

#[derive(Deserialize)]
struct KindRow<'a> {
    r#in: Vec<usize>,
    def: &'a str,
}

#[derive(Deserialize)]
struct DefinitionRow<'a> {
    r#in: Vec<usize>,
    /// By name, with `!` behind those that are required.
    #[serde(borrow)]
    fields: Option<BTreeMap<&'a str, std::borrow::Cow<'a, str>>>,
    #[serde(borrow)]
    is: Option<std::borrow::Cow<'a, str>>,
}

/// Which versions have something: a bit for each.
type Versions = u32;

/// The kinds of Kubernetes itself, in several minor versions.
#[derive(Default)]
pub(super) struct Kubernetes {
    /// Minor versions, such as `1.31`, oldest first.
    pub(super) versions: Vec<String>,
    /// By API version.
    kinds: HashMap<String, HashMap<String, Vec<(Versions, usize)>>>,
    definitions: Vec<Vec<(Versions, Type)>>,
    metadata: usize,
}

impl Kubernetes {
    /// All that is known.
    pub(super) fn get() -> &'static Self {
        static ALL: LazyLock<Kubernetes> = LazyLock::new(|| {
            // A table that cannot be read fails every test.
            serde_json::from_str::<Table<'_>>(include_str!("kubernetes.json")).map(Kubernetes::of).unwrap_or_default()
        });
        &ALL
    }

    fn of(table: Table<'_>) -> Self {
        let positions: HashMap<&str, usize> =
            table.definitions.keys().enumerate().map(|(at, name)| (*name, at)).collect();
        let bits = |all: &[usize]| all.iter().fold(0, |bits, at| bits | 1 << at);
        let definition = |row: &DefinitionRow<'_>| {
            let of = match (&row.fields, &row.is) {
                (Some(fields), _) => {
                    let fields = fields.iter().map(|(name, of)| {
                        let of = read(of, &positions);
                        (
                            name.trim_end_matches('!').into(),
                            Field { of, is_required: name.ends_with('!'), is_nullable: false },
                        )
                    });
                    Type::Record(Record { fields: fields.collect(), is_open: false })
                }
                (None, Some(of)) => read(of, &positions),
                (None, None) => Type::Any,
            };
            (bits(&row.r#in), of)
        };
        let definitions = table.definitions.values().map(|rows| rows.iter().map(definition).collect()).collect();
        let kinds = table.kinds.iter().map(|(api_version, kinds)| {
            let kinds = kinds.iter().map(|(kind, rows)| {
                let rows = rows.iter().filter_map(|row| Some((bits(&row.r#in), *positions.get(row.def)?)));
                ((*kind).to_owned(), rows.collect())
            });
            ((*api_version).to_owned(), kinds.collect())
        });
        let metadata = positions.get("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").copied().unwrap_or_default();
        Self { kinds: kinds.collect(), definitions, metadata, versions: table.versions }
    }

    /// The definition of a kind in a version.
    pub(super) fn kind(&self, api_version: &str, kind: &str, version: usize) -> Option<usize> {
        let rows = self.kinds.get(api_version)?.get(kind)?;
        rows.iter().find(|(versions, _)| versions >> version & 1 == 1).map(|(_, definition)| *definition)
    }

    /// Whether an API version is one of Kubernetes itself, all of whose kinds are known.
    pub(super) fn has_api_version(&self, api_version: &str) -> bool {
        self.kinds.contains_key(api_version)
    }

    /// The API version that has a kind in a version of Kubernetes; of several the most stable one.
    pub(super) fn home(&self, kind: &str, version: usize) -> Option<&str> {
        let rank = |api_version: &str| {
            let version = api_version.rsplit('/').next().unwrap_or_default();
            (version.contains("alpha"), version.contains("beta"), api_version.to_owned())
        };
        let homes = self.kinds.keys().filter(|api_version| self.kind(api_version, kind, version).is_some());
        homes.map(String::as_str).min_by_key(|api_version| rank(api_version))
    }

    /// The kinds of an API version.
    pub(super) fn kinds_of(&self, api_version: &str) -> Vec<&str> {
        let mut kinds: Vec<&str> =
            self.kinds.get(api_version).into_iter().flat_map(HashMap::keys).map(String::as_str).collect();
        kinds.sort_unstable();
        kinds
    }

    /// What a definition says in a version.
    pub(super) fn definition(&self, at: usize, version: usize) -> &Type {
        let rows = self.definitions.get(at).map(Vec::as_slice).unwrap_or_default();
        rows.iter().find(|(versions, _)| versions >> version & 1 == 1).map_or(&Type::Any, |(_, of)| of)
    }

    /// The version that has a field which another one lacks: the next later one, else the last earlier one.
    pub(super) fn other_with(&self, at: usize, field: &str, version: usize) -> Option<&str> {
        let has = |version: &usize| match self.definition(at, *version) {
            Type::Record(record) => record.fields.contains_key(field),
            _ => false,
        };
        let other = (version + 1..self.versions.len()).find(has).or_else(|| (0..version).rev().find(has))?;
        self.versions.get(other).map(String::as_str)
    }

    /// The metadata of every object.
    pub(super) fn metadata(&self) -> Type {
        Type::Named(self.metadata)
    }
}

/// One expression of the table: `#Definition`, `string`, `[T]` (a list), `{T}` (a map), `"a"|"b"` (one of these).
fn read(text: &str, positions: &HashMap<&str, usize>) -> Type {
    let inner = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if let Some(of) = inner('[', ']') {
        return Type::List(Box::new(read(of, positions)));
    }
    if let Some(of) = inner('{', '}') {
        return Type::Map(Box::new(read(of, positions)));
    }
    if let Some(name) = text.strip_prefix('#') {
        return positions.get(name).map_or(Type::Any, |at| Type::Named(*at));
    }
    if text.starts_with('"') {
        return Type::OneOf(text.split('|').map(|word| word.trim_matches('"').into()).collect());
    }
    match text {
        "string" => Type::Text,
        "boolean" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "double" => Type::Number,
        "int-or-string" => Type::IntOrString,
        "quantity" => Type::Quantity,
        "byte" => Type::Bytes,
        "date-time" => Type::Time,
        "object" => Type::Object,
        _ => Type::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let all = Kubernetes::get();
        assert!(all.versions.len() >= 6 && all.versions.is_sorted(), "{:?}", all.versions);
        let newest = all.versions.len() - 1;
        for (api_version, kind) in [("apps/v1", "Deployment"), ("v1", "Pod"), ("networking.k8s.io/v1", "Ingress")] {
            let at = all.kind(api_version, kind, newest).unwrap();
            let Type::Record(record) = all.definition(at, newest) else { panic!("{kind}") };
            assert!(record.fields.contains_key("spec"));
        }
        assert_eq!(all.home("Deployment", newest), Some("apps/v1"));
        assert_eq!(all.home("FlowSchema", newest), Some("flowcontrol.apiserver.k8s.io/v1"));
        assert!(all.has_api_version("v1") && !all.has_api_version("example.com/v1"));
        // Every expression means something: what the table calls `any` is the only thing that is.
        let text = include_str!("kubernetes.json");
        let table: Table<'_> = serde_json::from_str(text).unwrap();
        let positions: HashMap<&str, usize> =
            table.definitions.keys().enumerate().map(|(at, name)| (*name, at)).collect();
        for (name, rows) in &table.definitions {
            for of in rows.iter().flat_map(|row| row.fields.iter().flat_map(BTreeMap::values).chain(&row.is)) {
                let innermost = of.trim_matches(|character| "[]{}".contains(character));
                let is_any = matches!(read(innermost, &positions), Type::Any);
                assert_eq!(is_any, innermost == "any", "{name}: {of}");
            }
        }
    }
}
