package tollgate.source.unpinned_test

import data.tollgate.source.unpinned
import rego.v1

found(role, version) := {finding.message |
	source := {"at": 1, "role": role, "repository": "example.com/a", "tag": version}
	some finding in unpinned.deny with input as {"environment": {"name": "production"}, "head": {"images": [source]}}
}

test_branches_and_nothing_are_not_fixed if {
	found("source", "main") == {"`example.com/a` has no fixed version: `main` can change"}
	found("source", null) == {"`example.com/a` has no fixed version"}
	count(found("chart", "^1.2.0")) == 1
	count(found("chart", "1.x")) == 1
}

test_commits_and_versions_are_fixed if {
	count(found("source", "0123456789abcdef0123456789abcdef01234567")) == 0
	count(found("source", "v1.2")) == 0
	count(found("source", "app/v1.2.3-rc.1")) == 0
	count(found("chart", "1.2.3")) == 0
	count(found("plugin", "abcd")) == 0
}

test_an_operator_follows_its_channel if {
	count(found("operator", "stable")) == 1
	count(found("operator", "op.v1.2.3")) == 0
	count(found("chart", "sha256:ab")) == 0
}
