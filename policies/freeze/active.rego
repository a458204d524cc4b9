# METADATA
# title: Environment is frozen
# description: A change to an environment's rendered output inside a freeze window of that environment.
# custom:
#   severity: {default: error}
#   help: merge it when the freeze is over
package tollgate.freeze.active

import rego.v1

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	finding := {
		"at": input.change.at,
		"message": sprintf("%s is frozen until %s (%s)", [input.environment.name, freeze.until, freeze.name]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": freeze.at, "message": sprintf("the freeze `%s`", [freeze.name])}],
		"help": sprintf("merge it after %s; until then only changes that leave %s as it is", [freeze.until, input.environment.name]),
	}
}
