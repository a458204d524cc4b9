# METADATA
# title: Change of what judges changes
# description: >-
#   The change touches tollgate.yaml, CODEOWNERS or a workflow that runs the gate, and no owner of that file has approved
#   exactly this head. The change itself is judged by the old ones; all later changes will be judged by the new ones. A
#   warning where nobody owns the file, or where the change is not committed yet.
# custom:
#   severity: {default: error}
#   scope: [change]
#   help: ask an owner of the file to review this head
package tollgate.gate.tampered

import rego.v1

deny contains finding if {
	some guard in input.facts.guards
	count(guard.owners) > 0
	count(guard.approvedBy) == 0
	finding := {
		"at": guard.at,
		"undecided": guard.undecided,
		"severity": severity(guard),
		"subject": guard.path,
		"message": sprintf("`%s` judges all later changes, and %s", [guard.path, approval(guard)]),
		"label": "changed here",
		"related": [{"at": guard.ownedAt, "message": sprintf("owners: %s", [concat(", ", guard.owners)])}],
		"notes": [sprintf("%s approved an older commit", [concat(", ", guard.outdated)]) | count(guard.outdated) > 0],
	}
}

# What is not committed yet cannot be approved yet: whoever commits it is told.
severity(guard) := "warning" if {
	not guard.reviewed
	input.change.head == null
}

severity(guard) := "error" if guard.reviewed

severity(guard) := "error" if {
	not guard.reviewed
	input.change.head != null
}

approval(guard) := "no owner of it has approved this head" if {
	guard.reviewed
	not guard.undecided
}

approval(guard) := "whether an owner of it has approved this head is unknown: the review facts do not say who is in the team" if guard.undecided

approval(guard) := "nobody has said whether an owner of it approved (`--review`)" if {
	not guard.reviewed
	input.change.head != null
}

approval(guard) := "an owner of it has to approve it once it is committed" if {
	not guard.reviewed
	input.change.head == null
}

deny contains finding if {
	some guard in input.facts.guards
	count(guard.owners) == 0
	finding := {
		"at": guard.at,
		"subject": guard.path,
		"severity": "warning",
		"message": sprintf("`%s` judges all later changes, and nobody owns it", [guard.path]),
		"label": "changed here",
		"help": sprintf("add a line to CODEOWNERS: `/%s @your-team`", [guard.path]),
	}
}
