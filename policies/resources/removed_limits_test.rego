package tollgate.resources.removed_limits_test

import data.tollgate.resources.removed_limits
import rego.v1

container(at, resources) := {
	"at": at, "key": "a/app", "slot": "a/0", "name": "app", "role": "container",
	"resources": resources, "supplied": [], "removed": [],
}

document(before, after) := {"base": {"containers": [container(1, before)]}, "head": {"containers": [container(2, after)]}}

test_a_removed_limit_is_found if {
	found := removed_limits.deny with input as document({"limits.memory": "1Gi"}, {})
	some finding in found
	finding.at == 2
	finding.message == "container `app` loses limits.memory (was 1Gi)"
	finding.related == [{"at": 1, "message": "the base sets it"}]
}

test_a_changed_limit_passes if {
	count(removed_limits.deny) == 0 with input as document({"limits.memory": "1Gi"}, {"limits.memory": "2Gi"})
}

test_a_renamed_container_is_the_same if {
	after := object.union(container(2, {}), {"key": "a/other", "name": "other"})
	found := removed_limits.deny with input as {"base": {"containers": [container(1, {"limits.cpu": "1"})]}, "head": {"containers": [after]}}
	count(found) == 1
}

test_what_kubernetes_fills_in_is_not_lost if {
	after := object.union(container(2, {}), {"supplied": ["requests.cpu"]})
	before := container(1, {"requests.cpu": "1"})
	count(removed_limits.deny) == 0 with input as {"base": {"containers": [before]}, "head": {"containers": [after]}}
}
