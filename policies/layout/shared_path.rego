# METADATA
# title: Folder that several environments deploy
# description: >-
#   Flux or Argo CD objects of several environments deploy the same folder as it is, so that whatever changes there reaches all of them at
#   once, and nothing can be tried in the lower one first. Only what a change adds is told.
# custom:
#   severity: {default: warning}
#   scope: [change]
#   help: "give each environment an overlay of its own that uses this folder as its base"
package tollgate.layout.shared_path

import rego.v1

deny contains finding if {
	some shared in input.facts.sharedPaths
	finding := {
		"at": shared.at,
		"subject": shared.folder,
		"message": sprintf("%s deploy the same folder `%s`: a change to it reaches all of them at once", [concat(" and ", shared.environments), shared.folder]),
		"label": "named here",
		"related": [{"at": other.at, "message": sprintf("and here, for %s", [other.environment])} | some other in shared.others],
	}
}
