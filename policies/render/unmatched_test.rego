package tollgate.render.unmatched_test

import data.tollgate.render.unmatched
import rego.v1

test_the_name_that_was_meant_is_told if {
	some finding in unmatched.deny with input as {"facts": {"unmatched": [{"at": 2, "field": "images", "name": "x/apii", "near": "x/api"}]}}
	finding.help == "write `x/api`, if that was meant; else remove the entry"
}

test_the_target_of_a_patch if {
	some finding in unmatched.deny with input as {"facts": {"unmatched": [{"at": 2, "field": "patches", "name": "Deploymnet", "near": "Deployment"}]}}
	finding.message == "nothing here is called `Deploymnet`, so that this patch has no effect"
}

test_nothing_unmatched_passes if {
	count(unmatched.deny) == 0 with input as {"facts": {"unmatched": []}}
}
