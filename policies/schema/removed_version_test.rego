package tollgate.schema.removed_version_test

import data.tollgate.schema.removed_version
import rego.v1

document(kubernetes, successor) := {
	"facts": {"kubernetes": kubernetes, "removedApis": [{"at": 3, "apiVersion": "batch/v1beta1", "kind": "CronJob", "name": "x", "removedIn": 25, "successor": successor}]},
}

test_without_a_version_it_is_a_warning if {
	some finding in removed_version.deny with input as document(null, "batch/v1")
	finding.severity == "warning"
	contains(finding.help, "apiVersion: batch/v1")
}

test_it_is_an_error_where_it_is_gone if {
	some finding in removed_version.deny with input as document("1.31", "")
	finding.severity == "error"
	contains(finding.help, "remove it")
}

test_it_passes_where_it_is_there if {
	count(removed_version.deny) == 0 with input as document("1.24", "batch/v1")
}
