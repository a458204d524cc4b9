# METADATA
# title: Controller that deploys the folder of another environment
# description: >-
#   A Flux `Kustomization` or an Argo CD `Application` in a folder of `controllers` belongs to one environment, by its path or
#   name, and newly deploys a folder of another one. What that environment runs then changes without any proof.
# custom:
#   severity: {default: error}
#   scope: [change]
#   help: deploy the overlay of the environment itself
package tollgate.controllers.other_environment

import rego.v1

deny contains finding if {
	some found in input.facts.deployedDifferently
	found.kind == "otherEnvironment"
	finding := {
		"at": found.at,
		"subject": sprintf("%s %s", [found.deployer, found.folder]),
		"message": sprintf("`%s` would deploy `%s`, a folder of %s, in %s", [found.deployer, found.folder, found.other, found.environment]),
		"label": sprintf("%s would run what %s runs", [found.environment, found.other]),
		"help": sprintf("name the overlay of %s here; promote what %s runs with `tollgate promote`", [found.environment, found.other]),
	}
}
