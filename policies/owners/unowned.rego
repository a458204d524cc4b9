# METADATA
# title: Protected overlay without an owner
# description: >-
#   A protected overlay that no line of CODEOWNERS owns, or only one that owns everything. By GitHub's rules the last
#   matching line decides, and a line without owners means nobody.
# custom:
#   severity: {default: "off", protected: error}
#   needs: [owners]
#   help: "add a line to CODEOWNERS that names who answers for this folder"
package tollgate.owners.unowned

import rego.v1

deny contains finding if {
	owned := input.facts.owners.overlay
	owned.file == null
	finding := {
		"at": input.overlay.at,
		"message": "this repository has no CODEOWNERS: nobody answers for this overlay",
		"label": sprintf("`%s` is protected", [input.environment.name]),
	}
}

deny contains finding if {
	owned := input.facts.owners.overlay
	owned.file != null
	count(owned.owners) == 0
	finding := {
		"at": input.overlay.at,
		"message": sprintf("nobody owns `%s`", [input.overlay.path]),
		"label": sprintf("`%s` is protected", [input.environment.name]),
		"related": [{"at": at, "message": "this line decides, and names nobody"} | at := owned.at; at != null],
	}
}

deny contains finding if {
	owned := input.facts.owners.overlay
	owned.file != null
	count(owned.owners) > 0
	owned.catchAll
	finding := {
		"at": input.overlay.at,
		"message": sprintf("`%s` is owned only by who owns everything (%s)", [input.overlay.path, concat(", ", owned.owners)]),
		"label": sprintf("`%s` is protected", [input.environment.name]),
		"related": [{"at": owned.at, "message": "this line matches every file"}],
	}
}
