# METADATA
# title: API version that Kubernetes has removed
# description: >-
#   An object has an API version that Kubernetes does not serve any more. With `kubernetes`, such as `"1.31"`, it is an error if that
#   version is without it, and nothing if it still has it; without it, it is a warning.
# custom:
#   severity: {default: error}
#   help: write the version that takes its place, and check the fields that changed with it
#   parameters:
#     kubernetes: ""
package tollgate.schema.removed_version

import rego.v1

version := input.parameters["schema/removed_version"].kubernetes

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

is_gone(_) if version == ""

is_gone(removed) if {
	version != ""
	to_number(split(version, ".")[1]) >= removed.removedIn
}

# What is no version has nothing.
is_gone(_) if {
	version != ""
	not regex.match(`^1\.[0-9]+$`, version)
}

severity := "warning" if version == ""

severity := "error" if version != ""

help(removed) := sprintf("write `apiVersion: %s`, and check the fields that changed with it", [removed.successor]) if removed.successor != ""

help(removed) := sprintf("nothing takes the place of %s: remove it", [removed.kind]) if removed.successor == ""
