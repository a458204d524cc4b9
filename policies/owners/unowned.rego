# METADATA
# title: Protected overlay without an owner
# description: >-
#   No line of CODEOWNERS matches a protected overlay, or only the catch-all does. By GitHub's rules the last matching line
#   decides, and a line without owners means that nobody owns the file. A repository without CODEOWNERS is told once, in the
#   summary.
# custom:
#   severity: {default: "off", protected: error}
#   needs: [owners]
#   help: "add a line to CODEOWNERS that names the owners of this folder; it counts once it has landed"
package tollgate.owners.unowned

import rego.v1

deny contains finding if {
	owned := input.facts.owners.overlay
	owned.file != null
	count(owned.owners) == 0
	finding := {
		"at": input.overlay.at,
		"message": sprintf("nobody owns `%s`", [input.overlay.path]),
		"label": sprintf("`%s` is protected", [input.environment.name]),
		"related": [{"at": at, "message": "this line decides, and names no owner"} | at := owned.at; at != null],
	}
}

deny contains finding if {
	owned := input.facts.owners.overlay
	owned.file != null
	count(owned.owners) > 0
	owned.catchAll
	finding := {
		"at": input.overlay.at,
		"message": sprintf("only the catch-all rule owns `%s` (%s)", [input.overlay.path, concat(", ", owned.owners)]),
		"label": sprintf("`%s` is protected", [input.environment.name]),
		"related": [{"at": owned.at, "message": "this line matches every file"}],
	}
}
