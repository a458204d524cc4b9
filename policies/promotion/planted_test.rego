package tollgate.promotion.planted_test

import data.tollgate.promotion.planted
import rego.v1

document(found) := {"facts": {"planted": found}}

test_what_is_planted_is_found if {
	one := {"at": 7, "commit": "abc1234", "overlay": "api/production", "environment": "production", "short": "a:1"}
	found := planted.deny with input as document([one])
	some finding in found
	finding.at == 7
	contains(finding.help, "squash")
}

test_nothing_planted_passes if {
	count(planted.deny) == 0 with input as document([])
}
