package tollgate.owners.unapproved_test

import data.tollgate.owners.unapproved
import rego.v1

owned(approved) := {"at": 6, "owners": ["@o/t"], "needed": 1, "approvedBy": approved, "outdated": ["cem"], "contributing": ["eve"], "unknownTeams": ["@o/u"], "undecided": false, "pullRequest": null}

overlay_document(approved, affected) := {
	"overlay": {"app": "api", "affected": affected},
	"environment": {"name": "production", "protected": true, "approvals": 2},
	"change": {"at": 3},
	"facts": {"owners": {"overlay": owned(approved), "files": []}},
}

change_document(approved, paths) := {
	"overlay": null,
	"environment": null,
	"change": {"at": 3},
	"facts": {"owners": {"overlay": null, "files": [object.union(owned(approved), {"paths": paths, "changedAt": 4})]}},
}

test_too_few_approvals_are_found if {
	found := unapproved.deny with input as overlay_document(["ben"], true)
	some finding in found
	contains(finding.message, "needs approval of this head by 2 of its owners; it has 1")
	count(finding.notes) == 4
}

test_enough_approvals_pass if {
	count(unapproved.deny) == 0 with input as overlay_document(["ben", "dan"], true)
}

test_an_unaffected_environment_needs_none if {
	count(unapproved.deny) == 0 with input as overlay_document([], false)
}

test_a_changed_file_needs_one_of_its_owners if {
	found := unapproved.deny with input as change_document([], ["a", "b"])
	some finding in found
	finding.at == 4
	contains(finding.message, "`a` and 1 more file")
	one := unapproved.deny with input as change_document([], ["a"])
	some other in one
	contains(other.message, "no owner of `a` has")
	count(unapproved.deny) == 0 with input as change_document(["ben"], ["a"])
}

test_nobody_cannot_approve if {
	nobody := {"facts": {"owners": {"overlay": {"owners": []}}}}
	found := unapproved.deny with input as object.union(overlay_document([], true), nobody)
	some finding in found
	contains(finding.message, "but nobody owns it")
}

test_a_section_may_ask_for_more if {
	two := object.union(owned(["ben"]), {"paths": ["a"], "changedAt": 4, "needed": 2})
	found := unapproved.deny with input as {"overlay": null, "facts": {"owners": {"overlay": null, "files": [two]}}}
	some finding in found
	contains(finding.message, "`a` needs approval of this head by 2 of its owners; it has 1")
}

test_unknown_members_leave_it_undecided if {
	unknown := {"undecided": true, "pullRequest": 7}
	none := object.union(owned([]), object.union(unknown, {"paths": ["a"], "changedAt": 4}))
	some finding in unapproved.deny with input as {"overlay": null, "facts": {"owners": {"overlay": null, "files": [none]}}}
	finding.undecided
	contains(finding.message, "is unknown")
	"this is about pull request 7 of the merge group" in finding.notes
	contains(finding.help, "under `teams`")
	document := object.union(overlay_document(["ben"], true), {"facts": {"owners": {"overlay": unknown}}})
	some other in unapproved.deny with input as document
	contains(other.message, "it has 1, and perhaps more")
}
