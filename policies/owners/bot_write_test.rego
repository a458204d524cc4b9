package tollgate.owners.bot_write_test

import data.tollgate.owners.bot_write
import rego.v1

document(bots, policy, affected) := {
	"overlay": {"app": "api", "affected": affected},
	"environment": {"name": "production", "bots": policy},
	"change": {"at": 3, "bots": bots},
}

test_a_bot_is_found if {
	found := bot_write.deny with input as document(["ci[bot]"], "deny", true)
	some finding in found
	contains(finding.message, "ci[bot] changes production")
}

test_people_and_open_environments_pass if {
	count(bot_write.deny) == 0 with input as document([], "deny", true)
	count(bot_write.deny) == 0 with input as document(["ci[bot]"], "allow", true)
	count(bot_write.deny) == 0 with input as document(["ci[bot]"], "deny", false)
}
