# METADATA
# title: Bot changes an environment that is closed to bots
# description: >-
#   A bot authored a change that affects an environment with `bots: deny`, whichever files the change edits.
# custom:
#   severity: {default: error}
#   help: let a person open this change, or keep it out of this environment
package tollgate.owners.bot_write

import rego.v1

deny contains finding if {
	input.overlay.affected
	input.environment.bots == "deny"
	count(input.change.bots) > 0
	finding := {
		"at": input.change.at,
		"message": sprintf("%s changes %s, which is closed to bots", [concat(", ", input.change.bots), input.environment.name]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
	}
}
