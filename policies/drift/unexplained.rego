# METADATA
# title: Difference that nothing explains
# description: >-
#   The change makes a workload differ from the same one in the environment below, in a field of its pod in which it did not differ
#   before: what runs here was then never tried there. What makes an environment may always differ: replicas, resources, images,
#   variables, labels, hosts, placement, names. `allow` has further fields, such as `containers.api.args`; `*` stands for any text.
# custom:
#   severity: {default: warning}
#   help: make the same change in the environment below first
#   parameters:
#     allow: []
package tollgate.drift.unexplained

import rego.v1

deny contains finding if {
	some drift in input.facts.drift
	not allowed(drift.field)
	finding := {
		"at": place(drift),
		"subject": sprintf("%s %s", [drift.object, drift.field]),
		"message": sprintf("%s: `%s` %s", [drift.object, drift.field, how(drift)]),
		"label": sprintf("in %s it is otherwise", [drift.environment]),
		"related": [{"at": drift.at, "message": "written here"}],
		"help": sprintf("make the same change in %s first; if it is meant to differ: `rules: drift/unexplained: {allow: [\"%s\"]}`", [drift.environment, drift.field]),
	}
}

# What is written elsewhere is for other environments, too: the change is where this one is edited.
place(drift) := drift.at if drift.own

place(drift) := input.change.at if not drift.own

how(drift) := sprintf("now differs from %s", [drift.environment]) if drift.how == "differs"

how(drift) := sprintf("is new here, and not in %s", [drift.environment]) if drift.how == "added"

how(drift) := sprintf("is in %s, and not here any more", [drift.environment]) if drift.how == "missing"

allowed(field) if {
	some pattern in input.parameters["drift/unexplained"].allow
	glob.match(pattern, null, field)
}
