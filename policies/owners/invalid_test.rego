package tollgate.owners.invalid_test

import data.tollgate.owners.invalid
import rego.v1

test_every_line_is_told_with_its_reason if {
	found := invalid.deny with input as {"facts": {"owners": {"invalid": [{"at": 3, "why": "one"}, {"at": 4, "why": "other"}]}}}
	count(found) == 2
	some finding in found
	contains(finding.message, "one")
}

test_a_sound_file_passes if {
	count(invalid.deny) == 0 with input as {"facts": {"owners": {"invalid": []}}}
}
