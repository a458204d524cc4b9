package tollgate.layout.unrecognised_test

import data.tollgate.layout.unrecognised
import rego.v1

document(beside) := {"facts": {"unjudged": [{"at": 2, "path": "a/prod1", "beside": beside}]}}

test_beside_a_protected_overlay_it_is_an_error if {
	some finding in unrecognised.deny with input as document("production")
	not finding.severity
}

test_elsewhere_it_is_a_warning if {
	some finding in unrecognised.deny with input as document(null)
	finding.severity == "warning"
}

test_nothing_unjudged_passes if {
	count(unrecognised.deny) == 0 with input as {"facts": {"unjudged": []}}
}
