package tollgate.promotion.automated_test

import data.tollgate.promotion.automated
import rego.v1

document(denied, others) := {"facts": {"automations": [{
	"at": 3, "name": "Renovate", "environment": "production", "denied": denied, "overlay": "api/production", "others": others,
}]}}

test_it_is_an_error_where_bots_are_denied if {
	some finding in automated.deny with input as document(true, 0)
	finding.severity == "error"
	contains(finding.message, "(`api/production`), which is closed to bots")
}

test_it_is_a_warning_elsewhere if {
	some one in automated.deny with input as document(false, 1)
	one.severity == "warning"
	contains(one.message, "and 1 more overlay)")
	some other in automated.deny with input as document(false, 2)
	contains(other.message, "and 2 more overlays)")
}
