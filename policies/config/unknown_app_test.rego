package tollgate.config.unknown_app_test

import data.tollgate.config.unknown_app
import rego.v1

document(near) := {"facts": {"unknownApps": [{"at": 3, "name": "wbe", "near": near}]}}

test_the_name_that_was_meant_is_told if {
	some finding in unknown_app.deny with input as document("web")
	contains(finding.help, "did you mean `web`?")
}

test_without_a_similar_name_it_is_told_too if {
	count(unknown_app.deny) == 1 with input as document(null)
}

test_known_apps_pass if {
	count(unknown_app.deny) == 0 with input as {"facts": {"unknownApps": []}}
}
