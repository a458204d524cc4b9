package tollgate.resources.missing_limits_test

import data.tollgate.resources.missing_limits
import rego.v1

container(role, resources) := {"at": 5, "name": "app", "role": role, "namespace": "n", "resources": resources}

document(containers, defaults) := {
	"head": {"containers": containers, "defaultLimits": defaults},
	"parameters": {"resources/missing_limits": {"require": ["limits.memory", "requests.cpu"]}},
}

test_what_is_missing_is_named if {
	found := missing_limits.deny with input as document([container("container", {"requests.cpu": "1"})], [])
	some finding in found
	finding.message == "container `app` has no limits.memory"
}

test_a_limit_range_supplies if {
	defaults := [{"namespace": "n", "resources": ["limits.memory", "requests.cpu"]}]
	count(missing_limits.deny) == 0 with input as document([container("container", {})], defaults)
}

test_a_limit_range_of_another_namespace_does_not if {
	defaults := [{"namespace": "other", "resources": ["limits.memory", "requests.cpu"]}]
	count(missing_limits.deny) == 1 with input as document([container("container", {})], defaults)
}

test_ephemeral_containers_have_none if {
	count(missing_limits.deny) == 0 with input as document([container("ephemeralContainer", {})], [])
}

test_a_limit_implies_the_request if {
	count(missing_limits.deny) == 0 with input as document([container("container", {"limits.cpu": "1", "limits.memory": "1Gi"})], [])
}
