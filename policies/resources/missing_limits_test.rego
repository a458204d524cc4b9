package tollgate.resources.missing_limits_test

import data.tollgate.resources.missing_limits
import rego.v1

container(role, resources, supplied) := {
	"at": 5, "key": "a", "name": "app", "role": role,
	"resources": resources, "supplied": supplied, "removed": [],
}

document(before, after) := {
	"base": {"containers": before}, "head": {"containers": after, "opaque": []},
	"parameters": {"resources/missing_limits": {"require": ["limits.memory", "requests.cpu"]}},
}

test_what_is_missing_is_named if {
	found := missing_limits.deny with input as document([], [container("container", {"requests.cpu": "1"}, [])])
	some finding in found
	finding.message == "container `app` has no limits.memory"
}

test_what_kubernetes_fills_in_is_not_missing if {
	after := [container("container", {"limits.memory": "1Gi"}, ["requests.cpu"])]
	count(missing_limits.deny) == 0 with input as document([], after)
}

test_what_the_base_lacks_too_is_the_same_finding if {
	before := [container("container", {}, [])]
	in_base := missing_limits.deny with input as document(before, before)
	better := missing_limits.deny with input as document(before, [container("container", {"requests.cpu": "1"}, [])])
	{finding.subject | some finding in in_base} == {finding.subject | some finding in better}
}

test_what_is_missing_in_addition_is_another_finding if {
	before := [container("container", {"requests.cpu": "1"}, [])]
	found := missing_limits.deny with input as document(before, [container("container", {}, [])])
	{finding.message | some finding in found} == {
		"container `app` has no limits.memory",
		"container `app` has no requests.cpu",
	}
}

test_ephemeral_containers_have_none if {
	count(missing_limits.deny) == 0 with input as document([], [container("ephemeralContainer", {}, [])])
}

test_it_points_at_the_patch_that_took_them_away if {
	taken := object.union(container("container", {}, []), {"removed": [{"part": "limits", "at": 9}, {"part": "requests.cpu", "at": 8}]})
	found := missing_limits.deny with input as document([], [taken])
	some finding in found
	finding.at == 9
	all := object.union(container("container", {}, []), {"removed": [{"part": "", "at": 7}]})
	some other in missing_limits.deny with input as document([], [all])
	other.at == 7
}

test_what_is_not_seen_may_bring_a_limit_range if {
	seen := document([], [container("container", {}, [])])
	chart := {"at": 8, "role": "chart", "written": "redis 1.2.3"}
	some finding in missing_limits.deny with input as object.union(seen, {"head": {"opaque": [chart]}})
	finding.severity == "warning"
}
