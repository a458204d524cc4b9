package tollgate.layout.shared_path_test

import data.tollgate.layout.shared_path
import rego.v1

test_a_shared_folder_is_found if {
	shared := {"at": 3, "folder": "apps/api", "environments": ["staging", "production"], "others": [{"at": 4, "environment": "staging"}]}
	some finding in shared_path.deny with input as {"facts": {"sharedPaths": [shared]}}
	contains(finding.message, "staging and production deploy the same folder")
	finding.related[0].at == 4
}

test_others_pass if {
	count(shared_path.deny) == 0 with input as {"facts": {"sharedPaths": []}}
}
