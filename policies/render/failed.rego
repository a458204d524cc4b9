# METADATA
# title: Overlay does not render
# description: >-
#   An overlay cannot be rendered: invalid YAML, a missing file, a patch that matches nothing, a cycle, a remote base, a
#   plugin, or a file outside of the repository. What does not render cannot be judged.
# custom:
#   severity: {default: error}
#   help: correct it so that it renders
package tollgate.render.failed

import rego.v1

deny contains finding if {
	error := input.head.error
	error != null
	finding := object.union(
		{
			"at": error.at,
			"message": error.message,
			"label": sprintf("%s of %s does not render", [input.environment.name, input.overlay.app]),
			"related": error.related,
		},
		advice(error),
	)
}

advice(error) := {"help": error.help} if error.help != null

advice(error) := {} if error.help == null
