# METADATA
# title: Request or limit removed
# description: A container has a request or limit in the base, and no longer has it in the head.
# custom:
#   severity: {default: error}
#   help: restore it, or raise it instead of removing it
package tollgate.resources.removed_limits

import rego.v1

deny contains finding if {
	some before in input.base.containers
	some after in input.head.containers
	before.object == after.object
	before.role == after.role
	before.name == after.name
	removed := [sprintf("%s (was %s)", [name, amount]) |
		some name, amount in before.resources
		not after.resources[name]
	]
	count(removed) > 0
	finding := {
		"at": after.at,
		"subject": sprintf("%s %s %s", [after.role, after.name, concat(" ", removed)]),
		"message": sprintf("%s `%s` loses %s", [after.role, after.name, concat(", ", removed)]),
		"label": "no longer set here",
		"related": [{"at": before.at, "message": "the base sets it"}],
	}
}
