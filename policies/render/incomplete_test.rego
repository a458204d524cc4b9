package tollgate.render.incomplete_test

import data.tollgate.render.incomplete
import rego.v1

chart := {"at": 4, "role": "chart", "written": "redis 1.2.3"}

test_it_is_told_once if {
	found := incomplete.deny with input as {"head": {"opaque": [chart, object.union(chart, {"at": 5, "written": "x"})]}}
	count(found) == 1
	some finding in found
	finding.at == 4
	finding.message == "some of this overlay, from 2 places, is not seen: `redis 1.2.3`, `x`"
}

test_one_place_is_told if {
	some finding in incomplete.deny with input as {"head": {"opaque": [chart]}}
	finding.message == "some of this overlay is not seen: `redis 1.2.3`"
}

test_what_is_seen_passes if {
	count(incomplete.deny) == 0 with input as {"head": {"opaque": []}}
}
