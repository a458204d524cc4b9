package tollgate.waiver.expired_test

import data.tollgate.waiver.expired
import rego.v1

document(expired, unused) := {"facts": {"waivers": [{
	"at": 3, "rule": "image/unpinned", "reason": "vendor", "expires": "2026-01-01 00:00 UTC", "expired": expired, "unused": unused,
}]}}

test_it_is_found if {
	found := expired.deny with input as document(true, false)
	some finding in found
	finding.at == 3
	contains(finding.message, "image/unpinned")
}

test_others_pass if {
	count(expired.deny) == 0 with input as document(false, true)
	count(expired.deny) == 0 with input as document(false, false)
}
