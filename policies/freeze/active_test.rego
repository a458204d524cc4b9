package tollgate.freeze.active_test

import data.tollgate.freeze.active
import rego.v1

document(freezes, affected) := {
	"overlay": {"app": "api", "affected": affected},
	"environment": {"name": "production"},
	"change": {"at": 3},
	"facts": {"freezes": freezes},
}

window := {"at": 8, "name": "year end", "until": "2027-01-04 08:00 UTC", "allowsRollback": false, "isRollback": false, "allowsRevert": false, "isRevert": false, "overrides": []}

test_a_frozen_environment_is_found if {
	found := active.deny with input as document([window], true)
	some finding in found
	finding.message == "production is frozen until 2027-01-04 08:00 UTC (year end)"
	finding.related[0].at == 8
}

test_what_stays_the_same_passes if {
	count(active.deny) == 0 with input as document([window], false)
	count(active.deny) == 0 with input as document([], true)
}

test_an_allowed_rollback_is_told_and_passes if {
	rollback := object.union(window, {"allowsRollback": true, "isRollback": true})
	found := active.deny with input as document([rollback], true)
	count(found) == 1
	some finding in found
	finding.severity == "warning"
}

test_other_changes_are_refused_where_rollbacks_are_allowed if {
	found := active.deny with input as document([object.union(window, {"allowsRollback": true})], true)
	some finding in found
	not finding.severity
	contains(finding.help, "and rollbacks")
}

override(approved) := {"at": 9, "reason": "INC-1", "by": ["@oncall"], "until": "2026-12-24 12:00 UTC", "approvedBy": approved, "undecided": false}

test_an_approved_override_is_told_and_passes if {
	found := active.deny with input as document([object.union(window, {"overrides": [override(["ben"])]})], true)
	count(found) == 1
	some finding in found
	finding.severity == "warning"
	contains(finding.message, "ben has let this through: INC-1")
}

test_an_override_without_approval_is_shown_as_a_way if {
	found := active.deny with input as document([object.union(window, {"overrides": [override([])]})], true)
	some finding in found
	not finding.severity
	finding.related[1].at == 9
}

test_unknown_members_leave_an_override_undecided if {
	one := {"at": 9, "reason": "INC-1", "by": ["@o/t"], "until": "later", "approvedBy": [], "undecided": true}
	some finding in active.deny with input as document([object.union(window, {"overrides": [one]})], true)
	finding.undecided
}

test_an_allowed_revert_is_told_and_passes if {
	revert := object.union(window, {"allowsRevert": true, "isRevert": true})
	found := active.deny with input as document([revert], true)
	count(found) == 1
	some finding in found
	finding.severity == "warning"
	some other in active.deny with input as document([object.union(revert, {"isRevert": false})], true)
	contains(other.help, "and reverts")
}
