package tollgate.render.failed_test

import data.tollgate.render.failed
import rego.v1

document(error) := {
	"overlay": {"app": "api"},
	"environment": {"name": "production"},
	"head": {"error": error},
}

test_an_error_is_found_with_its_advice if {
	error := {"at": 4, "message": "broken", "help": "correct it", "related": [{"at": 5, "message": "listed here"}]}
	found := failed.deny with input as document(error)
	some finding in found
	[finding.at, finding.help] == [4, "correct it"]
}

test_an_error_without_advice_gets_the_rules_own if {
	found := failed.deny with input as document({"at": 4, "message": "broken", "help": null, "related": []})
	some finding in found
	not finding.help
}

test_what_renders_passes if {
	count(failed.deny) == 0 with input as document(null)
}
