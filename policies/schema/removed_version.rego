# METADATA
# title: API version that Kubernetes has removed
# description: >-
#   An object has an API version that Kubernetes does not serve any more. With `kubernetes: "1.31"` in tollgate.yaml it is an
#   error if that version is without it, and nothing if it still has it; without it, it is a warning.
# custom:
#   severity: {default: error}
#   help: write the version that takes its place, and check the fields that changed with it
package tollgate.schema.removed_version

import rego.v1

deny contains finding if {
	some removed in input.facts.removedApis
	is_gone(removed)
	finding := {
		"at": removed.at,
		"severity": severity,
		"subject": sprintf("%s %s", [removed.kind, removed.apiVersion]),
		"message": sprintf("%s `%s`: Kubernetes 1.%d and later have no `%s`", [removed.kind, removed.name, removed.removedIn, removed.apiVersion]),
		"label": "removed",
		"help": help(removed),
	}
}

is_gone(_) if input.facts.kubernetes == null

is_gone(removed) if {
	input.facts.kubernetes != null
	to_number(split(input.facts.kubernetes, ".")[1]) >= removed.removedIn
}

severity := "warning" if input.facts.kubernetes == null

severity := "error" if input.facts.kubernetes != null

help(removed) := sprintf("write `apiVersion: %s`, and check the fields that changed with it", [removed.successor]) if removed.successor != ""

help(removed) := sprintf("nothing takes the place of %s: remove it", [removed.kind]) if removed.successor == ""
