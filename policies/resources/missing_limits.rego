# METADATA
# title: Container without required requests or limits
# description: >-
#   A container lacks a request or limit that `require` lists. A `LimitRange` in the same namespace, rendered with the
#   overlay, may supply it.
# custom:
#   severity: {default: "off", protected: error}
#   parameters:
#     require: [requests.cpu, requests.memory, limits.memory]
#   help: "set them under the container's `resources`, in the base or in a patch of the overlay"
package tollgate.resources.missing_limits

import rego.v1

deny contains finding if {
	some container in input.head.containers
	container.role != "ephemeralContainer"
	missing := [name |
		some name in input.parameters["resources/missing_limits"].require
		not container.resources[name]
		not implied(container, name)
		not supplied(container, name)
	]
	count(missing) > 0
	finding := {
		"at": container.at,
		"subject": sprintf("%s %s %s", [container.role, container.name, concat(" ", missing)]),
		"message": sprintf("%s `%s` has no %s", [container.role, container.name, concat(", ", missing)]),
		"label": sprintf("missing: %s", [concat(", ", missing)]),
	}
}

# Kubernetes takes the limit for the request where only the limit is set.
implied(container, name) if {
	startswith(name, "requests.")
	container.resources[sprintf("limits.%s", [trim_prefix(name, "requests.")])]
}

supplied(container, name) if {
	some defaults in input.head.defaultLimits
	defaults.namespace == container.namespace
	name in defaults.resources
}
