# METADATA
# title: Apps that never ran together below
# description: >-
#   The apps of a group (`groups` in tollgate.yaml) would run a combination of contents that was never live together in
#   the environment below. Each of them may have been there, but not at the same time. A combination that this
#   environment ran before passes. Images that an app does not run below are left out.
# custom:
#   severity: {default: error}
#   needs: [history]
#   help: let this combination run in the environment below first
package tollgate.promotion.untested_set

import data.tollgate.lib.combinations
import rego.v1

deny contains finding if {
	some combination in input.facts.combinations
	combination.kind == "group"
	combinations.untested(combination)
	below := concat(" or ", combination.environments)
	finding := {
		"at": combination.at,
		"message": sprintf("%s would run in %s in a combination that never ran together in %s", [
			combinations.apps(combination),
			input.environment.name,
			below,
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"related": [{"at": combination.declaredAt, "message": sprintf("the group `%s`", [combination.name])}],
		"notes": combinations.told(combination),
		"help": sprintf("promote the apps of the group in one change, or let this combination run in %s first", [below]),
		"subject": combination.name,
	}
}
