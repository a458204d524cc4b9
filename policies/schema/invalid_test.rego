package tollgate.schema.invalid_test

import data.tollgate.schema.invalid
import rego.v1

fault(more) := object.union(
	{
		"at": 3, "kind": "Deployment", "name": "api", "apiVersion": "apps/v1", "field": "spec.replica", "fault": "unknown",
		"found": "", "expected": "", "near": "", "fix": "", "known": [], "elsewhere": "", "existing": false, "against": "Kubernetes 1.37",
	},
	more,
)

document(more, allow) := {
	"facts": {"schemaFaults": [fault(more)]},
	"parameters": {"schema/invalid": {"allow": allow}},
}

found(more) := finding if {
	some finding in invalid.deny with input as document(more, [])
}

test_an_unknown_field if {
	finding := found({"near": "replicas"})
	finding.message == "Deployment `api`: `spec.replica` is not a field"
	finding.help == "write `replicas`"
	found({"known": ["a", "b"]}).help == "remove it; what can stand there: `a`, `b`"
	found({}).help == "remove it; nothing can stand there"
	newer := found({"elsewhere": "1.38", "known": ["a"]})
	contains(newer.help, "`kubernetes: \"1.38\"`")
	contains(newer.label, "that of 1.38")
}

test_a_missing_field if {
	finding := found({"fault": "missing", "field": "spec.selector"})
	finding.message == "Deployment `api` lacks `spec.selector`"
	finding.help == "add `spec.selector`"
	finding.label == "Kubernetes 1.37 requires it here"
}

test_a_wrong_value if {
	typed := found({"fault": "value", "expected": "a whole number", "found": "a string", "fix": "write it without quotes: `3`"})
	typed.message == "Deployment `api`: `spec.replica` must be a whole number, and is a string"
	typed.help == "write it without quotes: `3`"
	plain := found({"fault": "value", "expected": "base64", "fix": "encode it in base64"})
	plain.message == "Deployment `api`: `spec.replica` must be base64"
	plain.help == "encode it in base64"
}

test_a_kind_that_is_elsewhere if {
	finding := found({"fault": "kind", "apiVersion": "v1", "fix": "write `apiVersion: apps/v1`"})
	finding.message == "Deployment `api`: `v1` has no kind `Deployment`"
	finding.help == "write `apiVersion: apps/v1`"
	found({"fault": "kind"}).help == "correct `kind`, or `apiVersion`"
}

test_what_is_allowed if {
	every allow in [["Deployment"], ["Deployment.spec.*"], ["*.spec.replica"], ["Deployment.spec.replica"]] {
		count(invalid.deny) == 0 with input as document({}, allow)
	}
	count(invalid.deny) == 1 with input as document({}, ["Service"])
	indexed := {"field": "spec.list[0].x"}
	count(invalid.deny) == 0 with input as document(indexed, ["Deployment.spec.list[0].x"])
}
