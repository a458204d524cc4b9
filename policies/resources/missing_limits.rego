# METADATA
# title: Container without required requests or limits
# description: >-
#   A container lacks a request or limit that `require` lists. What Kubernetes fills in is not missing: a request from the
#   limit, amounts of the pod as a whole, and those of a `LimitRange` in the same namespace, rendered with the overlay.
# custom:
#   severity: {default: "off", protected: error}
#   parameters:
#     require: [requests.cpu, requests.memory, limits.memory]
#   help: "set them under the container's `resources`, in the base or in a patch of the overlay"
package tollgate.resources.missing_limits

import data.tollgate.lib.resources
import rego.v1

deny contains finding if {
	some container in input.head.containers
	missing := missing_in(container) - missing_before(container)
	count(missing) > 0
	finding := object.union(problem(container, missing, sprintf("%s %s %s", [container.role, container.name, concat(" ", missing)])), doubt)
}

# What the base lacks already is one thing, however much of it is left.
deny contains finding if {
	some container in input.head.containers
	missing := missing_in(container) & missing_before(container)
	count(missing) > 0
	finding := object.union(problem(container, missing, sprintf("%s %s", [container.role, container.name])), doubt)
}

# A `LimitRange` may be among what is not seen.
doubt := {"severity": "warning", "notes": [sprintf("`%s` is not seen here and may bring a LimitRange", [written])]} if {
	written := [one.written | some one in input.head.opaque; one.role != "unseen"][0]
}

doubt := {} if count([one | some one in input.head.opaque; one.role != "unseen"]) == 0

problem(container, missing, subject) := {
	"at": resources.place(container, missing),
	"subject": subject,
	"message": sprintf("%s `%s` has no %s", [container.role, container.name, concat(", ", missing)]),
	"label": sprintf("missing: %s", [concat(", ", missing)]),
}

before := {container.key: container | some container in input.base.containers}

missing_before(container) := missing_in(before[container.key]) if before[container.key]

missing_before(container) := set() if not before[container.key]

missing_in(container) := set() if container.role == "ephemeralContainer"

missing_in(container) := {name |
	some name in input.parameters["resources/missing_limits"].require
	not container.resources[name]
	not name in container.supplied
} if {
	container.role != "ephemeralContainer"
}
