package tollgate.controllers.other_environment_test

import data.tollgate.controllers.other_environment
import rego.v1

found := {
	"kind": "otherEnvironment", "at": 4, "deployer": "api",
	"environment": "production", "folder": "apps/api/dev", "other": "dev",
}

test_another_folder_is_found if {
	some finding in other_environment.deny with input as {"facts": {"deployedDifferently": [found]}}
	finding.at == 4
}

test_nothing_else_is_found if {
	count(other_environment.deny) == 0 with input as {"facts": {"deployedDifferently": [{"kind": "unrendered"}]}}
}
