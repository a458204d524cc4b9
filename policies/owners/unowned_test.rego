package tollgate.owners.unowned_test

import data.tollgate.owners.unowned
import rego.v1

document(owned) := {
	"overlay": {"at": 1, "path": "apps/api/production"},
	"change": {"at": 2},
	"environment": {"name": "production"},
	"facts": {"owners": {"overlay": owned}},
}

test_a_repository_without_the_file_is_not_asked if {
	count(unowned.deny) == 0 with input as document({"file": null, "at": null, "owners": [], "catchAll": false})
}

test_no_matching_line_means_no_owner if {
	found := unowned.deny with input as document({"file": 5, "at": null, "owners": [], "catchAll": false})
	some finding in found
	finding.related == []
}

test_a_line_that_names_nobody_means_no_owner if {
	found := unowned.deny with input as document({"file": 5, "at": 6, "owners": [], "catchAll": false})
	some finding in found
	finding.related[0].at == 6
}

test_owning_everything_is_not_enough if {
	found := unowned.deny with input as document({"file": 5, "at": 6, "owners": ["@all"], "catchAll": true})
	some finding in found
	contains(finding.message, "only the catch-all rule owns")
}

test_an_owner_of_its_own_passes if {
	count(unowned.deny) == 0 with input as document({"file": 5, "at": 6, "owners": ["@team"], "catchAll": false})
}
