package tollgate.secret.missing_test

import data.tollgate.secret.missing
import rego.v1

reference(name, key, optional) := {
	"at": 1,
	"keyAt": 2,
	"kind": "Secret",
	"name": name,
	"namespace": "n",
	"key": key,
	"optional": optional,
	"objectKind": "Deployment",
	"objectName": "app",
}

provided(keys, namespace) := {"at": 9, "kind": "Secret", "name": "there", "namespace": namespace, "keys": keys, "adds": false, "by": "Secret"}

document(references, providers) := {
	"head": {"references": references, "provided": providers, "opaque": []},
	"parameters": {"secret/missing": {"allow": ["vault-*"]}},
}

test_what_nothing_provides_is_found if {
	found := missing.deny with input as document([reference("absent", "k", false)], [])
	some finding in found
	finding.at == 1
	contains(finding.message, "nothing in this overlay provides the Secret `absent` (key `k`)")
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

test_what_only_adds_keys_makes_no_secret if {
	added := object.union(provided(["k"], "n"), {"adds": true})
	count(missing.deny) == 1 with input as document([reference("there", "k", false)], [added])
	count(missing.deny) == 0 with input as document([reference("there", "k", false)], [added, provided(["other"], "n")])
}

test_who_deploys_may_say_the_namespace if {
	count(missing.deny) == 0 with input as document([reference("there", "k", false)], [provided(["k"], "")])
	count(missing.deny) == 0 with input as document([reference("there", "k", false)], [provided(["k"], "*")])
	unnamed := object.union(reference("there", "k", false), {"namespace": ""})
	count(missing.deny) == 0 with input as document([unnamed], [provided(["k"], "n")])
}

test_of_many_keys_only_some_are_told if {
	keys := [sprintf("k%d", [at]) | some at in numbers.range(100, 130)]
	some finding in missing.deny with input as document([reference("there", "k", false)], [provided(keys, "n")])
	contains(finding.notes[0], "k119 and 11 more")
}

test_what_is_not_seen_may_provide_it if {
	seen := document([reference("absent", "k", false)], [])
	chart := {"at": 8, "role": "chart", "written": "redis 1.2.3"}
	some finding in missing.deny with input as object.union(seen, {"head": {"opaque": [chart]}})
	finding.severity == "warning"
	finding.notes == ["`redis 1.2.3` is not seen here and may provide it"]
}
