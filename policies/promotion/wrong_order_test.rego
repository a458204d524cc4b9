package tollgate.promotion.wrong_order_test

import data.tollgate.promotion.wrong_order
import rego.v1

app(name, enters) := {"app": name, "enters": enters, "images": [{"short": "x@sha256:ab…", "below": ["sha256:cd…"]}]}

document(together, here) := {
	"overlay": {"app": "web"},
	"environment": {"name": "production"},
	"facts": {"order": [], "combinations": [{
		"at": 3,
		"kind": "dependency",
		"name": "api",
		"declaredAt": 4,
		"environments": ["staging"],
		"apps": [app("web", true), app("api", false)],
		"together": together,
		"here": here,
	}]},
}

fault(fields) := {"overlay": null, "facts": {"combinations": [], "order": [object.union({"at": 7}, fields)]}}

moment := {"time": "then", "commit": "abc"}

test_an_app_before_what_it_needs_is_found if {
	found := wrong_order.deny with input as document(null, null)
	some finding in found
	finding.message == "in staging `web` only ran with a different `api` than the one in production"
	contains(finding.help, "`tollgate promote api --to production`")
}

test_an_app_with_what_it_ran_with_passes if {
	count(wrong_order.deny) == 0 with input as document(moment, null)
	count(wrong_order.deny) == 0 with input as document(null, moment)
}

test_a_circle_is_found if {
	found := wrong_order.deny with input as fault({"kind": "cycle", "names": ["a", "b"]})
	some finding in found
	finding.at == 7
	contains(finding.message, "ever be deployed: `a`, `b`")
}

test_a_wave_too_early_is_found if {
	found := wrong_order.deny with input as fault({"kind": "wave", "app": "web", "needs": "api", "deployer": "web-production"})
	some finding in found
	contains(finding.message, "the sync wave of `web-production` deploys `web` before `api`")
}
