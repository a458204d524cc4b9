package tollgate.render.unmatched_test

import data.tollgate.render.unmatched
import rego.v1

test_the_name_that_was_meant_is_told if {
	some finding in unmatched.deny with input as {"facts": {"unmatched": [{"at": 2, "name": "x/apii", "near": "x/api"}]}}
	finding.help == "did you mean `x/api`?"
}

test_nothing_unmatched_passes if {
	count(unmatched.deny) == 0 with input as {"facts": {"unmatched": []}}
}
