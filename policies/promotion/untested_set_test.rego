package tollgate.promotion.untested_set_test

import data.tollgate.promotion.untested_set
import rego.v1

app(name, enters) := {"app": name, "enters": enters, "images": [{"short": "x@sha256:ab…", "below": ["sha256:cd…"]}]}

combination(together, here) := {
	"at": 3,
	"kind": "group",
	"name": "shop",
	"declaredAt": 4,
	"environments": ["staging"],
	"apps": [app("api", true), app("web", false)],
	"together": together,
	"here": here,
}

document(combination) := {
	"overlay": {"app": "api"},
	"environment": {"name": "production"},
	"facts": {"combinations": [combination]},
}

moment := {"time": "then", "commit": "abc"}

test_apps_that_never_ran_together_are_found if {
	found := untested_set.deny with input as document(combination(null, null))
	some finding in found
	finding.at == 3
	contains(finding.message, "`api` and `web` would run in production in a combination that never ran together in staging")
	count(finding.notes) == 2
}

test_what_ran_together_passes if {
	count(untested_set.deny) == 0 with input as document(combination(moment, null))
}

test_what_ran_here_before_passes if {
	count(untested_set.deny) == 0 with input as document(combination(null, moment))
}

test_dependencies_are_another_rules if {
	other := object.union(combination(null, null), {"kind": "dependency"})
	count(untested_set.deny) == 0 with input as document(other)
}
