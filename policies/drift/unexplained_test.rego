package tollgate.drift.unexplained_test

import data.tollgate.drift.unexplained
import rego.v1

document(how, own, allow) := {
	"change": {"at": 9},
	"facts": {"drift": [{"at": 3, "own": own, "object": "Deployment `api`", "field": "containers.api.args", "how": how, "environment": "staging"}]},
	"parameters": {"drift/unexplained": {"allow": allow}},
}

test_each_way_is_told if {
	every row in [["differs", "now differs from staging"], ["added", "is new here"], ["missing", "is in staging"]] {
		some finding in unexplained.deny with input as document(row[0], true, [])
		contains(finding.message, row[1])
		finding.at == 3
	}
}

test_it_stands_on_the_overlays_own_line if {
	some finding in unexplained.deny with input as document("missing", false, [])
	finding.at == 9
}

test_allowed_fields_pass if {
	count(unexplained.deny) == 0 with input as document("differs", true, ["containers.*.args"])
	count(unexplained.deny) == 0 with input as document("differs", true, ["*args"])
}
