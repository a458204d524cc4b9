# METADATA
# title: App before what it depends on
# description: >-
#   An app depends on another one (`dependencies` in tollgate.yaml, or `dependsOn` of Flux in the folders named by
#   `controllers`), yet its new content was only ever live below with a content of the other one that this environment
#   does not run. Also a cycle of `dependsOn`, and an Argo CD sync wave that starts an app before what it depends on.
# custom:
#   severity: {default: error}
#   needs: [history]
#   scope: [overlay, change]
#   help: promote what it depends on first
package tollgate.promotion.wrong_order

import data.tollgate.lib.combinations
import rego.v1

deny contains finding if {
	some combination in input.facts.combinations
	combination.kind == "dependency"
	combinations.untested(combination)
	below := concat(" or ", combination.environments)
	finding := {
		"at": combination.at,
		"message": sprintf("in %s `%s` only ran with a different `%s` than the one in %s", [
			below,
			input.overlay.app,
			combination.name,
			input.environment.name,
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"related": [{"at": combination.declaredAt, "message": sprintf("`%s` must be deployed first", [combination.name])}],
		"notes": combinations.told(combination),
		"help": sprintf("promote it first: `tollgate promote %s --to %s`", [combination.name, input.environment.name]),
		"subject": combination.name,
	}
}

deny contains finding if {
	some fault in input.facts.order
	fault.kind == "cycle"
	finding := {
		"at": fault.at,
		"message": sprintf("dependency cycle: none of these would ever be deployed: %s", [concat(", ", [sprintf("`%s`", [name]) | some name in fault.names])]),
		"label": "this closes the cycle",
		"help": "remove one of the dependencies",
		"subject": concat(" ", fault.names),
	}
}

deny contains finding if {
	some fault in input.facts.order
	fault.kind == "wave"
	finding := {
		"at": fault.at,
		"message": sprintf("the sync wave of `%s` deploys `%s` before `%s`, which it depends on", [fault.deployer, fault.app, fault.needs]),
		"label": "lower waves are deployed first",
		"help": sprintf("use a wave that is not lower than that of `%s`", [fault.needs]),
		"subject": concat(" ", [fault.app, fault.needs, fault.deployer]),
	}
}
