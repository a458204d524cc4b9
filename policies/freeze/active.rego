# METADATA
# title: Environment is frozen
# description: >-
#   A change alters the rendered output of an environment during one of its freeze windows. A freeze with `allow: [rollback]` lets
#   an environment go back to images that it ran before, if nothing else changes; that is told as a warning.
# custom:
#   severity: {default: error}
#   help: merge it after the freeze
package tollgate.freeze.active

import rego.v1

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	not freeze.isRollback
	finding := {
		"at": input.change.at,
		"message": sprintf("%s is frozen until %s (%s)", [input.environment.name, freeze.until, freeze.name]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": freeze.at, "message": sprintf("the freeze `%s`", [freeze.name])}],
		"help": sprintf("merge it after %s; until then only changes that do not affect %s%s", [freeze.until, input.environment.name, or_rollbacks(freeze)]),
	}
}

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	freeze.isRollback
	finding := {
		"at": input.change.at,
		"severity": "warning",
		"message": sprintf("%s is frozen until %s (%s), but this goes back to what it ran before, which the freeze allows", [input.environment.name, freeze.until, freeze.name]),
		"label": sprintf("a rollback of %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": freeze.at, "message": sprintf("the freeze `%s`", [freeze.name])}],
		"help": "nothing is to be done; whoever reviews it should know of the freeze",
	}
}

or_rollbacks(freeze) := ", and rollbacks that change nothing but images" if freeze.allowsRollback

or_rollbacks(freeze) := "" if not freeze.allowsRollback
