# METADATA
# title: Owners have not approved
# description: >-
#   The rendered output of a protected environment changes, or a file changes, and its owners have not approved exactly
#   this head commit. The author's own approval does not count. One owner of each CODEOWNERS line is enough; an environment
#   needs as many as its `approvals` says. Where the review facts do not tell who is in a team, and somebody of whom it is not known
#   has approved, the gate cannot decide.
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
	input.environment.approvals > 0
	owned := input.facts.owners.overlay
	count(owned.owners) > 0
	needed := max([input.environment.approvals, owned.needed])
	count(owned.approvedBy) < needed
	finding := {
		"at": input.change.at,
		"undecided": owned.undecided,
		"message": sprintf("%s changes and needs approval of this head by %d of its owners; it has %s", [
			input.environment.name,
			needed,
			counted(owned),
		]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"related": [{"at": owned.at, "message": sprintf("owners: %s", [concat(", ", owned.owners)])}],
		"notes": notes(owned),
		"help": help(owned),
	}
}

deny contains finding if {
	input.overlay != null
	input.overlay.affected
	input.environment.approvals > 0
	count(input.facts.owners.overlay.owners) == 0
	finding := {
		"at": input.change.at,
		"message": sprintf("%s changes and needs approval by %d of its owners, but nobody owns it", [
			input.environment.name,
			input.environment.approvals,
		]),
		"label": sprintf("this changes %s in %s", [input.overlay.app, input.environment.name]),
		"help": "add a line to CODEOWNERS that names the owners of this folder; it counts once it has landed",
	}
}

deny contains finding if {
	input.overlay == null
	some owned in input.facts.owners.files
	count(owned.owners) > 0
	count(owned.approvedBy) < owned.needed
	finding := {
		"at": owned.changedAt,
		"undecided": owned.undecided,
		"message": lacking(owned),
		"label": "changed here",
		"related": [{"at": owned.at, "message": sprintf("owners: %s", [concat(", ", owned.owners)])}],
		"notes": notes(owned),
		"help": help(owned),
	}
}

lacking(owned) := sprintf("no owner of %s has approved this head", [described(owned.paths)]) if {
	count(owned.approvedBy) == 0
	not owned.undecided
}

lacking(owned) := sprintf("whether an owner of %s has approved this head is unknown", [described(owned.paths)]) if {
	count(owned.approvedBy) == 0
	owned.undecided
}

lacking(owned) := sprintf("%s needs approval of this head by %d of its owners; it has %s", [
	described(owned.paths),
	owned.needed,
	counted(owned),
]) if {
	count(owned.approvedBy) > 0
}

counted(owned) := sprintf("%d", [count(owned.approvedBy)]) if not owned.undecided

counted(owned) := sprintf("%d, and perhaps more", [count(owned.approvedBy)]) if owned.undecided

help(owned) := "ask the owners to review this head" if not owned.undecided

help(owned) := "say who is in the team under `teams` of the review file; `tollgate review` needs a token that may read the members" if owned.undecided

described(paths) := sprintf("`%s`", [paths[0]]) if count(paths) == 1

described(paths) := sprintf("`%s` and 1 more file", [paths[0]]) if count(paths) == 2

described(paths) := sprintf("`%s` and %d more files", [paths[0], count(paths) - 1]) if count(paths) > 2

notes(owned) := [note |
	some group in [
		[sprintf("this is about pull request %d of the merge group", [owned.pullRequest]) | owned.pullRequest != null],
		[sprintf("approved by %s", [concat(", ", owned.approvedBy)]) | count(owned.approvedBy) > 0],
		[sprintf("%s approved an older commit", [concat(", ", owned.outdated)]) | count(owned.outdated) > 0],
		[sprintf("%s wrote part of this change, so that this approval does not count", [concat(", ", owned.contributing)]) | count(owned.contributing) > 0],
		[sprintf("the review facts do not say who is in %s", [concat(", ", owned.unknownTeams)]) | count(owned.unknownTeams) > 0],
	]
	some note in group
]
