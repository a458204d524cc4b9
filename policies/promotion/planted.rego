# METADATA
# title: Content that only stands between two commits of the change
# description: >-
#   A commit of the change, but neither the base nor the head, runs an image in a protected environment, or in one that
#   proves for it, which may not enter there. Where changes land by fast-forward, that commit becomes part of the base
#   branch's history, and would later count as proof or as a rollback. Not asked with `landings: merges` in tollgate.yaml,
#   where only merge commits and what GitHub squashed count as landed.
# custom:
#   severity: {default: error}
#   needs: [history]
#   scope: [change]
#   help: squash the commits of this change into one
package tollgate.promotion.planted

import rego.v1

deny contains finding if {
	some planted in input.facts.planted
	finding := {
		"at": planted.at,
		"subject": sprintf("%s %s", [planted.overlay, planted.short]),
		"message": sprintf("`%s` would be part of the history of %s, although neither side of this change runs it", [planted.short, planted.environment]),
		"label": sprintf("commit %s of this change runs it", [planted.commit]),
		"help": "squash the commits of this change into one; if every change lands as a merge commit or is squashed by the forge, write `landings: merges` in tollgate.yaml",
	}
}
