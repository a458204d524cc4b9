# METADATA
# title: Environment is frozen
# description: >-
#   A change alters the rendered output of an environment during one of its freeze windows. A freeze with `allow: [rollback]` lets
#   an environment go back to images that it ran before, if nothing else changes, and one with `allow: [revert]` back to all of what
#   it was at an earlier commit; that is told as a warning. Sync windows of Argo CD's projects in the repository are freezes, too.
#   `overrides` name people who can let a change through by approving its head, for a reason and until a time; so is a use of that.
# custom:
#   severity: {default: error}
#   help: merge it after the freeze
package tollgate.freeze.active

import rego.v1

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	not goes_back(freeze)
	not is_overridden(freeze)
	finding := {
		"at": input.change.at,
		"undecided": is_unknown(freeze),
		"message": sprintf("%s is frozen until %s (%s)", [input.environment.name, freeze.until, freeze.name]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": array.concat([{"at": freeze.at, "message": sprintf("this freezes %s", [input.environment.name])}], ways_through(freeze)),
		"help": sprintf("merge it after %s; until then only changes that do not affect %s%s", [freeze.until, input.environment.name, or_back(freeze)]),
	}
}

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	goes_back(freeze)
	finding := {
		"at": input.change.at,
		"severity": "warning",
		"message": sprintf("%s is frozen until %s (%s), but this goes back to what it ran before, which the freeze allows", [input.environment.name, freeze.until, freeze.name]),
		"label": sprintf("a rollback of %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": freeze.at, "message": sprintf("this freezes %s", [input.environment.name])}],
		"help": "nothing is to be done; whoever reviews it should know of the freeze",
	}
}

deny contains finding if {
	input.overlay.affected
	some freeze in input.facts.freezes
	not goes_back(freeze)
	some override in freeze.overrides
	count(override.approvedBy) > 0
	finding := {
		"at": input.change.at,
		"severity": "warning",
		"subject": override.reason,
		"message": sprintf("%s is frozen until %s (%s), and %s has let this through: %s", [input.environment.name, freeze.until, freeze.name, concat(", ", override.approvedBy), override.reason]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": override.at, "message": sprintf("the override, which expires at %s", [override.until])}],
		"help": "nothing is to be done; it stands here so that everybody knows",
	}
}

is_overridden(freeze) if {
	some override in freeze.overrides
	count(override.approvedBy) > 0
}

default is_unknown(_) := false

is_unknown(freeze) if {
	some override in freeze.overrides
	override.undecided
}

ways_through(freeze) := [{"at": override.at, "message": sprintf("%s can let it through until %s by approving this head (%s)", [concat(" or ", override.by), override.until, override.reason])} |
	some override in freeze.overrides
]

goes_back(freeze) if freeze.isRollback

goes_back(freeze) if freeze.isRevert

or_back(freeze) := concat("", [text |
	some [allowed, text] in [
		[freeze.allowsRollback, ", and rollbacks that change nothing but images"],
		[freeze.allowsRevert, ", and reverts to an earlier state"],
	]
	allowed
])
