# What `secret/missing` and `config/missing` have in common.
package tollgate.lib.references

import rego.v1

missing(kind, allowed, built_in) := {finding |
	some reference in input.head.references
	reference.kind == kind
	not reference.optional
	not reference.name in built_in
	not is_allowed(reference.name, allowed)
	providers := [provided | some provided in by_name[kind][reference.name]; same_namespace(provided, reference)]
	finding := object.union(problem(kind, reference, providers), doubt)
}

advice := {
	"Secret": "add an ExternalSecret or SealedSecret for it to the overlay, correct the name, or set `rules: secret/missing: {allow: [%s]}` in tollgate.yaml; that counts once it has landed",
	"ConfigMap": "add it to the overlay (`configMapGenerator`), correct the name, or set `rules: config/missing: {allow: [%s]}` in tollgate.yaml; that counts once it has landed",
}

# What is not seen may provide it.
doubt := {"severity": "warning"} if count(input.head.opaque) > 0

doubt := {} if count(input.head.opaque) == 0

by_name[kind][name] contains provided if {
	some provided in input.head.provided
	kind := provided.kind
	name := provided.name
}

# Whoever deploys the overlay says the namespace of what has none.
same_namespace(provided, reference) if provided.namespace == reference.namespace

same_namespace(provided, _) if provided.namespace in {"", "*"}

same_namespace(_, reference) if reference.namespace == ""

is_allowed(name, allowed) if {
	some pattern in allowed
	glob.match(pattern, [], name)
}

problem(kind, reference, providers) := {
	"at": reference.at,
	"subject": subject(reference),
	"message": sprintf("nothing in this overlay provides the %s `%s`%s", [kind, reference.name, asked_key(reference)]),
	"label": sprintf("%s `%s` needs it", [reference.objectKind, reference.objectName]),
	"notes": array.concat(array.concat(generated_as(kind, reference), other_namespaces(kind, reference)), unseen),
	"help": help(kind, reference),
} if {
	every provided in providers {
		provided.adds
	}
}

problem(kind, reference, providers) := {
	"at": reference.keyAt,
	"subject": subject(reference),
	"message": sprintf("the %s `%s` has no key `%s`", [kind, reference.name, reference.key]),
	"label": sprintf("%s `%s` needs it", [reference.objectKind, reference.objectName]),
	"notes": [sprintf("it has: %s", [first_of(sort([key | some provided in providers; some key in provided.keys]))])],
	"related": [{"at": provided.at, "message": sprintf("this %s makes it", [provided.by])} | some provided in providers],
	"help": sprintf("add the key `%s` to what makes the %s, or correct the key here", [reference.key, kind]),
} if {
	some maker in providers
	not maker.adds
	reference.key != null
	every provided in providers {
		provided.keys != null
		not reference.key in provided.keys
	}
}

# A generated name with its hash is only put where kustomize knows that a name stands.
generated_as(kind, reference) := [note |
	some provided in input.head.provided
	provided.kind == kind
	regex.match(sprintf("^%s-[a-z0-9]{10}$", [replace(reference.name, ".", "[.]")]), provided.name)
	note := sprintf("it is generated here as `%s`; kustomize does not know that this field of %s holds its name", [provided.name, reference.objectKind])
]

help(kind, reference) := sprintf(advice[kind], [reference.name]) if count(generated_as(kind, reference)) == 0

help(kind, reference) := "write `options: {disableNameSuffixHash: true}` at the entry that generates it, or name this field in a file of `configurations` (`nameReference`)" if {
	count(generated_as(kind, reference)) > 0
}

subject(reference) := sprintf("%s/%s%s", [reference.namespace, reference.name, asked_key(reference)])

asked_key(reference) := "" if reference.key == null

asked_key(reference) := sprintf(" (key `%s`)", [reference.key]) if reference.key != null

other_namespaces(kind, reference) := [note |
	some provided in input.head.provided
	provided.kind == kind
	provided.name == reference.name
	provided.namespace != reference.namespace
	note := sprintf("there is one in namespace `%s`, but it is needed in `%s`", [provided.namespace, reference.namespace])
]

# The first twenty of some names.
first_of(names) := concat(", ", names) if count(names) <= 20

first_of(names) := sprintf("%s and %d more", [concat(", ", array.slice(names, 0, 20)), count(names) - 20]) if count(names) > 20

unseen := [sprintf("`%s` is not seen here and may provide it", [one.written]) | some one in input.head.opaque; one.role != "unseen"]
