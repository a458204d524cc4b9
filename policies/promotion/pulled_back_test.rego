package tollgate.promotion.pulled_back_test

import data.tollgate.promotion.pulled_back
import rego.v1

document(to) := {
	"environment": {"name": "production"},
	"facts": {"promotions": [{
		"at": 1, "short": "a:1", "here": [],
		"below": [{"environment": "staging", "stays": [{"from": "Monday", "to": to, "commit": "abc"}]}],
	}]},
}

test_what_was_taken_out_is_told if {
	some finding in pulled_back.deny with input as document("Friday")
	contains(finding.message, "no longer live in staging: it was there from Monday to Friday")
}

test_what_is_live_passes if {
	count(pulled_back.deny) == 0 with input as document(null)
}
