# METADATA
# title: Owners have not approved
# description: >-
#   A protected environment whose rendered output changes, or a changed file, whose owners have not approved this very
#   head. An approval counts on the exact head commit, from someone other than the author; of an owner line any of the
#   owners will do, each line separately. An environment asks for as many of them as its `approvals` says.
# custom:
#   severity: {default: error}
#   needs: [owners, review]
#   scope: [overlay, change]
#   help: ask the owners to review this head
package tollgate.owners.unapproved

import rego.v1

deny contains finding if {
	input.overlay != null
	input.overlay.affected
	input.environment.protected
	owned := input.facts.owners.overlay
	count(owned.owners) > 0
	count(owned.approvedBy) < input.environment.approvals
	finding := {
		"at": input.change.at,
		"message": sprintf("%s changes and needs %d of its owners to approve this head; %d did", [
			input.environment.name,
			input.environment.approvals,
			count(owned.approvedBy),
		]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": owned.at, "message": sprintf("owners: %s", [concat(", ", owned.owners)])}],
		"notes": notes(owned),
	}
}

deny contains finding if {
	input.overlay != null
	input.overlay.affected
	input.environment.protected
	input.environment.approvals > 0
	count(input.facts.owners.overlay.owners) == 0
	finding := {
		"at": input.change.at,
		"message": sprintf("%s changes and needs %d of its owners to approve, but nobody owns it", [
			input.environment.name,
			input.environment.approvals,
		]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"help": "add a line to CODEOWNERS that names who answers for this folder; it counts once it has landed",
	}
}

deny contains finding if {
	input.overlay == null
	some owned in input.facts.owners.files
	count(owned.owners) > 0
	count(owned.approvedBy) == 0
	finding := {
		"at": owned.changedAt,
		"message": sprintf("no owner of %s has approved this head", [described(owned.paths)]),
		"label": "changed here",
		"related": [{"at": owned.at, "message": sprintf("owners: %s", [concat(", ", owned.owners)])}],
		"notes": notes(owned),
	}
}

described(paths) := sprintf("`%s`", [paths[0]]) if count(paths) == 1

described(paths) := sprintf("`%s` and %d more files", [paths[0], count(paths) - 1]) if count(paths) > 1

notes(owned) := array.concat(
	[sprintf("approved by %s", [concat(", ", owned.approvedBy)]) | count(owned.approvedBy) > 0],
	array.concat(
		[sprintf("%s approved an older commit", [concat(", ", owned.outdated)]) | count(owned.outdated) > 0],
		[sprintf("the review facts do not tell who is in %s", [concat(", ", owned.unknownTeams)]) | count(owned.unknownTeams) > 0],
	),
)
