# METADATA
# title: Line of CODEOWNERS that the forge passes over
# description: >-
#   A line of the CODEOWNERS file, as the change leaves it, that GitHub or GitLab does not understand: who was meant to own files by
#   it does not. Every such line is told, also those that were there before.
# custom:
#   severity: {default: warning}
#   scope: [change]
#   help: "correct the line, or remove it; `tollgate owners PATH` shows which line decides"
package tollgate.owners.invalid

import rego.v1

deny contains finding if {
	some line in input.facts.owners.invalid
	finding := {
		"at": line.at,
		"subject": line.why,
		"message": sprintf("this line of CODEOWNERS does not count: %s", [line.why]),
		"label": "passed over",
	}
}
