package tollgate.config.missing_variable_test

import data.tollgate.config.missing_variable
import rego.v1

document(because, allow) := {
	"environment": {"name": "production"},
	"change": {"at": 9},
	"facts": {"missingVariables": [{
		"at": 3, "own": because == "removed", "name": "DB_URL", "container": "api", "object": "Deployment `api`", "environment": "staging", "belowAt": 4, "because": because,
	}]},
	"parameters": {"config/missing_variable": {"allow": allow}},
}

test_it_is_told_with_its_reason if {
	every row in [["container", "lacks it here"], ["removed", "takes it away"], ["image", "ran there without it"]] {
		some finding in missing_variable.deny with input as document(row[0], [])
		contains(finding.message, row[1])
		finding.related[0].at == 4
	}
}

test_allowed_names_pass if {
	count(missing_variable.deny) == 0 with input as document("image", ["DB_*"])
}

test_it_stands_on_the_overlays_own_line if {
	some own in missing_variable.deny with input as document("removed", [])
	own.at == 3
	some other in missing_variable.deny with input as document("image", [])
	other.at == 9
}
