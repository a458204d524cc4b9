# METADATA
# title: Environment is frozen
# description: A change alters the rendered output of an environment during one of its freeze windows.
# custom:
#   severity: {default: error}
#   help: merge it after the freeze
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
		"help": sprintf("merge it after %s; until then only changes that do not affect %s", [freeze.until, input.environment.name]),
	}
}
