package tollgate.gate.tampered_test

import data.tollgate.gate.tampered
import rego.v1

guard(owners, approved, reviewed) := {"change": {"head": "abc"}, "facts": {"guards": [{
	"at": 3, "path": "tollgate.yaml", "ownedAt": 4, "owners": owners, "reviewed": reviewed,
	"approvedBy": approved, "outdated": ["ben"], "unknownTeams": [], "undecided": false,
}]}}

test_without_approval_it_is_refused if {
	some finding in tampered.deny with input as guard(["@sec"], [], true)
	contains(finding.message, "no owner of it has approved")
	finding.notes == ["ben approved an older commit"]
}

test_unknown_approval_is_refused if {
	some finding in tampered.deny with input as guard(["@sec"], [], false)
	contains(finding.message, "--review")
}

test_an_owner_lets_it_pass if {
	count(tampered.deny) == 0 with input as guard(["@sec"], ["ben"], true)
}

test_nobody_to_ask_is_a_warning if {
	some finding in tampered.deny with input as guard([], [], true)
	finding.severity == "warning"
}

test_unknown_members_leave_it_undecided if {
	known := guard(["@o/t"], [], true).facts.guards[0]
	some finding in tampered.deny with input as {"change": {"head": "abc"}, "facts": {"guards": [object.union(known, {"undecided": true})]}}
	finding.undecided
	contains(finding.message, "is unknown")
}

test_what_is_not_committed_cannot_be_approved_yet if {
	some finding in tampered.deny with input as object.union(guard(["@sec"], [], false), {"change": {"head": null}})
	finding.severity == "warning"
	contains(finding.message, "once it is committed")
}
