# METADATA
# title: Request or limit removed
# description: >-
#   A container has a request or limit in the base, and no longer has it in the head. What Kubernetes fills in is not lost,
#   and a container that only got another name is still the same.
# custom:
#   severity: {default: error}
#   help: restore it, or raise it instead of removing it
package tollgate.resources.removed_limits

import data.tollgate.lib.resources
import rego.v1

deny contains finding if {
	some before in input.base.containers
	after := same_container(before)
	lost := [name |
		some name, _ in before.resources
		not after.resources[name]
		not name in after.supplied
	]
	count(lost) > 0
	removed := [sprintf("%s (was %s)", [name, before.resources[name]]) | some name in lost]
	finding := {
		"at": resources.place(after, lost),
		"subject": sprintf("%s %s %s", [after.role, after.name, concat(" ", removed)]),
		"message": sprintf("%s `%s` loses %s", [after.role, after.name, concat(", ", removed)]),
		"label": "no longer set here",
		"related": [{"at": before.at, "message": "the base sets it"}],
	}
}

by_key := {container.key: container | some container in input.head.containers}

known := {container.key | some container in input.base.containers}

# Containers with a name that the base does not have: one of them in the same position is the same, renamed.
renamed := {container.slot: container |
	some container in input.head.containers
	not container.key in known
}

same_container(before) := by_key[before.key]

same_container(before) := renamed[before.slot] if not by_key[before.key]
