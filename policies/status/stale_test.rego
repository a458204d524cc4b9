package tollgate.status.stale_test

import data.tollgate.status.stale
import rego.v1

document(written, rendered) := {
	"overlay": {"app": "api"},
	"environment": {"name": "production"},
	"facts": {"versions": {"file": "versions.json", "rows": [{
		"at": 3,
		"repository": "ghcr.io/example/api",
		"written": written,
		"rendered": rendered,
	}]}},
}

told(written, rendered) := messages if {
	found := stale.deny with input as document(written, rendered)
	messages := [finding.message | some finding in found]
}

test_another_version_is_found if {
	told("v1", "v2") == ["`versions.json` says `v1`, but production runs `v2`"]
}

test_what_is_not_written_is_found if {
	contains(told(null, "v2")[0], "does not list that production runs")
}

test_what_is_not_rendered_is_found if {
	contains(told("v1", null)[0], "but nothing renders it")
}

test_the_same_version_passes if {
	told("v1", "v1") == []
}

test_without_a_file_nothing_is_asked if {
	count(stale.deny) == 0 with input as {"facts": {"versions": null}}
}
