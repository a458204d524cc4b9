# METADATA
# title: Object that the Kubernetes API would refuse
# description: >-
#   An object has a field that its kind does not have, a value of the wrong type or one that is not allowed, or it lacks a field that is
#   required; or its API version has no such kind. Kinds of Kubernetes are held against the version that `kubernetes` in tollgate.yaml
#   names, else an object passes that any of the last minor versions accepts. Custom kinds are held against the
#   CustomResourceDefinitions in the repository. What another program fills in, such as `${NAME}`, is not looked at. Kinds of which no
#   schema is here are named in the report. `allow` takes kinds and fields, such as `Deployment.spec.replica`; `*` stands for any text.
# custom:
#   severity: {default: error}
#   needs: [schemas]
#   help: correct the field
#   parameters:
#     allow: []
package tollgate.schema.invalid

import rego.v1

deny contains finding if {
	some fault in input.facts.schemaFaults
	not allowed(fault)
	finding := {
		"at": fault.at,
		"existing": fault.existing,
		"subject": sprintf("%s %s %s", [fault.kind, fault.name, fault.field]),
		"message": message(fault),
		"label": label(fault),
		"help": help(fault),
	}
}

allowed(fault) if {
	some pattern in input.parameters["schema/invalid"].allow
	some name in [fault.kind, sprintf("%s.%s", [fault.kind, fault.field])]
	matches(pattern, name)
}

matches(pattern, name) if pattern == name

matches(pattern, name) if glob.match(pattern, [], name)

message(fault) := sprintf("%s `%s`: `%s` is not a field", [fault.kind, fault.name, fault.field]) if fault.fault == "unknown"

message(fault) := sprintf("%s `%s` lacks `%s`", [fault.kind, fault.name, fault.field]) if fault.fault == "missing"

message(fault) := sprintf("%s `%s`: `%s` must be %s, and is %s", [fault.kind, fault.name, fault.field, fault.expected, fault.found]) if {
	fault.fault == "value"
	fault.found != ""
}

message(fault) := sprintf("%s `%s`: `%s` must be %s", [fault.kind, fault.name, fault.field, fault.expected]) if {
	fault.fault == "value"
	fault.found == ""
}

message(fault) := sprintf("%s `%s`: `%s` has no kind `%s`", [fault.kind, fault.name, fault.apiVersion, fault.kind]) if fault.fault == "kind"

label(fault) := sprintf("%s has no such field", [fault.against]) if {
	fault.fault == "unknown"
	fault.elsewhere == ""
}

label(fault) := sprintf("%s has no such field; that of %s has it", [fault.against, fault.elsewhere]) if {
	fault.fault == "unknown"
	fault.elsewhere != ""
}

label(fault) := sprintf("%s requires it here", [fault.against]) if fault.fault == "missing"

label(fault) := sprintf("%s refuses this value", [fault.against]) if fault.fault == "value"

label(fault) := sprintf("%s has no such kind", [fault.against]) if fault.fault == "kind"

help(fault) := sprintf("write `%s`", [fault.near]) if {
	fault.fault == "unknown"
	fault.near != ""
}

help(fault) := sprintf("remove it; if the clusters run %s, write `kubernetes: \"%s\"` in tollgate.yaml", [fault.elsewhere, fault.elsewhere]) if {
	fault.fault == "unknown"
	fault.elsewhere != ""
}

help(fault) := sprintf("remove it; what can stand there: %s", [names(fault.known)]) if {
	fault.fault == "unknown"
	fault.near == ""
	fault.elsewhere == ""
	count(fault.known) > 0
}

help(fault) := "remove it; nothing can stand there" if {
	fault.fault == "unknown"
	fault.near == ""
	count(fault.known) == 0
}

help(fault) := sprintf("add `%s`", [fault.field]) if fault.fault == "missing"

help(fault) := fault.fix if {
	fault.fault in {"value", "kind"}
	fault.fix != ""
}

help(fault) := "correct `kind`, or `apiVersion`" if {
	fault.fault == "kind"
	fault.fix == ""
}

names(known) := concat(", ", [sprintf("`%s`", [name]) | some name in array.slice(known, 0, 12)])
