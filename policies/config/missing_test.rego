package tollgate.config.missing_test

import data.tollgate.config.missing
import rego.v1

reference(name, key, optional) := {
	"at": 1,
	"keyAt": 2,
	"kind": "ConfigMap",
	"name": name,
	"namespace": "n",
	"key": key,
	"optional": optional,
	"objectKind": "Deployment",
	"objectName": "app",
}

provided(keys, namespace) := {"at": 9, "kind": "ConfigMap", "name": "there", "namespace": namespace, "keys": keys, "adds": false, "by": "ConfigMap"}

document(references, providers) := {
	"head": {"references": references, "provided": providers, "opaque": []},
	"parameters": {"config/missing": {"allow": ["vault-*"]}},
}

test_what_nothing_provides_is_found if {
	found := missing.deny with input as document([reference("absent", "k", false)], [])
	some finding in found
	finding.at == 1
	contains(finding.message, "nothing in this overlay provides the ConfigMap `absent` (key `k`)")
}

test_a_missing_key_is_found_on_its_own_line if {
	found := missing.deny with input as document([reference("there", "k", false)], [provided(["other"], "n")])
	some finding in found
	finding.at == 2
	finding.notes == ["it has: other"]
}

test_another_namespace_does_not_count if {
	found := missing.deny with input as document([reference("there", null, false)], [provided(["k"], "elsewhere")])
	some finding in found
	contains(finding.notes[0], "in namespace `elsewhere`")
}

test_what_is_provided_optional_or_allowed_passes if {
	references := [
		reference("there", "k", false),
		reference("there", null, false),
		reference("absent", "k", true),
		reference("vault-token", "k", false),
	]
	count(missing.deny) == 0 with input as document(references, [provided(["k"], "n")])
}

test_unknown_keys_pass if {
	count(missing.deny) == 0 with input as document([reference("there", "k", false)], [provided(null, "n")])
}

test_what_kubernetes_puts_everywhere_passes if {
	count(missing.deny) == 0 with input as document([reference("kube-root-ca.crt", null, false)], [])
}

test_a_generated_name_that_is_not_put_here_is_told if {
	generated := object.union(provided(["k"], "n"), {"name": "settings-4h2mbtbbt6"})
	found := missing.deny with input as document([reference("settings", "k", false)], [generated])
	some finding in found
	contains(finding.notes[0], "`settings-4h2mbtbbt6`")
	contains(finding.help, "disableNameSuffixHash")
}
