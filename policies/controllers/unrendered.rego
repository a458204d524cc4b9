# METADATA
# title: Controller that changes what it deploys
# description: >-
#   A Flux `Kustomization` or an Argo CD `Application` in a folder of `controllers` newly changes what it deploys, by images,
#   patches, components and the like. That is not part of what is rendered here, so no rule has seen it.
# custom:
#   severity: {default: error}
#   scope: [change]
#   help: write the change into the kustomization of the overlay, where it is judged
package tollgate.controllers.unrendered

import rego.v1

deny contains finding if {
	some found in input.facts.deployedDifferently
	found.kind == "unrendered"
	finding := {
		"at": found.at,
		"subject": sprintf("%s %s", [found.deployer, found.field]),
		"message": sprintf("`%s` changes what it deploys by `%s`, which no rule sees", [found.deployer, found.field]),
		"label": "not part of any rendering",
	}
}
