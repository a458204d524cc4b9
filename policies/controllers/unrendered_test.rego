package tollgate.controllers.unrendered_test

import data.tollgate.controllers.unrendered
import rego.v1

test_a_change_is_found if {
	found := {"kind": "unrendered", "at": 4, "deployer": "api", "field": "images"}
	some finding in unrendered.deny with input as {"facts": {"deployedDifferently": [found]}}
	finding.at == 4
}

test_nothing_else_is_found if {
	count(unrendered.deny) == 0 with input as {"facts": {"deployedDifferently": [{"kind": "otherEnvironment"}]}}
}
