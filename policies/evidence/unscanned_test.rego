package tollgate.evidence.unscanned_test

import data.tollgate.evidence.unscanned
import rego.v1

good := {"file": "a.json", "tool": "trivy", "age": 3600, "since": "then", "recognised": true, "signature": "none", "found": [], "suppressed": 0}

document(scans, parameters) := {
	"overlay": {"affected": true},
	"environment": {"name": "production"},
	"facts": {"scanned": [{"at": 3, "short": "api@sha256:aa", "pinned": true, "scans": scans, "platforms": []}]},
	"parameters": {"evidence/unscanned": object.union({"maxAge": "168h", "threshold": "high", "allow": [], "key": ""}, parameters)},
}

told(scans, parameters) := concat(" ", [note |
	some finding in unscanned.deny with input as document(scans, parameters)
	some note in finding.notes
])

test_a_good_scan_passes if {
	count(unscanned.deny) == 0 with input as document([good], {})
	low := object.union(good, {"found": [{"id": "CVE-1", "severity": "low"}]})
	count(unscanned.deny) == 0 with input as document([low], {})
	allowed := object.union(good, {"found": [{"id": "CVE-1", "severity": "critical"}]})
	count(unscanned.deny) == 0 with input as document([allowed], {"allow": ["CVE-1"]})
	count(unscanned.deny) == 0 with input as document([object.union(good, {"signature": "valid"})], {"key": "cosign.pub"})
}

test_each_fault_is_told if {
	contains(told([], {}), "no scan of this digest")
	contains(told([object.union(good, {"age": null})], {}), "when it was made is not known")
	contains(told([object.union(good, {"age": 700000})], {}), "older than 168h")
	contains(told([object.union(good, {"recognised": false})], {}), "recognised neither")
	contains(told([good], {"key": "cosign.pub"}), "it is not signed")
	contains(told([object.union(good, {"signature": "invalid"})], {"key": "cosign.pub"}), "not by the key")
	many := [{"id": sprintf("CVE-%d", [number]), "severity": "strange"} | some number in numbers.range(1, 5)]
	contains(told([object.union(good, {"found": many})], {}), "and 2 more")
}

test_a_tag_cannot_be_proven if {
	tag := {"at": 3, "short": "api:v1", "pinned": false, "scans": [], "platforms": []}
	some finding in unscanned.deny with input as json_with(tag)
	contains(finding.notes[0], "no digest is pinned")
}

json_with(image) := {
	"overlay": {"affected": true},
	"environment": {"name": "production"},
	"facts": {"scanned": [image]},
	"parameters": {"evidence/unscanned": {"maxAge": "168h", "threshold": "high", "allow": [], "key": ""}},
}

platforms(arm) := {
	"overlay": {"affected": true},
	"environment": {"name": "production"},
	"facts": {"scanned": [{"at": 3, "short": "api@sha256:aa", "pinned": true, "scans": [good], "platforms": [
		{"name": "linux/amd64", "short": "sha256:bb", "scans": [good]},
		{"name": "linux/arm64", "short": "sha256:cc", "scans": arm},
	]}]},
	"parameters": {"evidence/unscanned": {"maxAge": "168h", "threshold": "high", "allow": [], "key": ""}},
}

test_each_platform_of_an_index_needs_a_scan if {
	count(unscanned.deny) == 0 with input as platforms([good])
	some missing in unscanned.deny with input as platforms([])
	missing.notes == ["linux/arm64 (sha256:cc): there is no scan of it"]
	some old in unscanned.deny with input as platforms([object.union(good, {"age": 700000})])
	contains(old.notes[0], "linux/arm64 (sha256:cc): a.json (trivy, then): it is older")
}
