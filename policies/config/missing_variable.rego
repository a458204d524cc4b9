# METADATA
# title: Variable that the environment below has
# description: >-
#   A container has a variable in the environment below and lacks it here, because of this change: the change takes it away, brings the
#   container, or brings an image that ran below with the variable, after one that ran there without it. Variables of whole ConfigMaps and
#   Secrets count where their keys are rendered; where they are not known, nothing is said.
# custom:
#   severity: {default: warning}
#   needs: [history]
#   help: add it to the container here, or to the base
#   parameters:
#     allow: []
package tollgate.config.missing_variable

import rego.v1

deny contains finding if {
	some missing in input.facts.missingVariables
	not allowed(missing.name)
	finding := {
		"at": place(missing),
		"subject": sprintf("%s %s %s", [missing.object, missing.container, missing.name]),
		"message": sprintf("container `%s` has the variable `%s` in %s, and lacks it here%s", [missing.container, missing.name, missing.environment, why(missing)]),
		"label": sprintf("`%s` is not here", [missing.name]),
		"related": [
			{"at": missing.belowAt, "message": sprintf("%s has it from here", [missing.environment])},
			{"at": missing.at, "message": "the container"},
		],
		"help": sprintf("add it to the container here, or to the base; if %s does not need it: `rules: config/missing_variable: {allow: [%s]}`", [input.environment.name, missing.name]),
	}
}

# What is written elsewhere is for other environments, too: the change is where this one is edited.
place(missing) := missing.at if missing.own

place(missing) := input.change.at if not missing.own

why(missing) := "" if missing.because == "container"

why(missing) := ": this change takes it away" if missing.because == "removed"

why(missing) := sprintf("; the image that %s runs until now ran there without it", [input.environment.name]) if missing.because == "image"

allowed(name) if {
	some pattern in input.parameters["config/missing_variable"].allow
	glob.match(pattern, null, name)
}
