package tollgate.promotion.short_soak_test

import data.tollgate.promotion.short_soak
import rego.v1

stay(seconds, to) := {"from": "then", "to": to, "seconds": seconds, "lasted": "a while", "ripe": "soon", "commit": "abc"}

document(stays, here, soak) := {
	"environment": {"name": "production", "soak": soak},
	"parameters": {"promotion/unproven": {"kinds": ["image"]}},
	"facts": {"promotions": [{
		"at": 3,
		"short": "a/b@sha256:ab…",
		"content": "image",
		"below": [{"environment": "staging", "stays": stays, "evidence": null}],
		"here": here,
	}]},
}

day := {"seconds": 86400, "text": "24 h"}

test_a_short_stay_is_found if {
	found := short_soak.deny with input as document([stay(60, null)], [], day)
	some finding in found
	contains(finding.message, "was live in staging for a while; production requires 24 h")
	contains(finding.help, "wait until soon")
}

test_short_stays_do_not_add_up if {
	found := short_soak.deny with input as document([stay(50000, null), stay(50000, "then")], [], day)
	count(found) == 1
}

test_what_left_must_come_back if {
	found := short_soak.deny with input as document([stay(60, "then")], [], day)
	some finding in found
	contains(finding.help, "no longer live")
}

test_a_long_stay_passes if {
	count(short_soak.deny) == 0 with input as document([stay(60, null), stay(86400, "then")], [], day)
}

tier(environment, seconds, healthy) := {
	"environment": environment,
	"stays": [stay(seconds, null)],
	"evidence": {"controller": "Flux", "healthy": healthy, "reports": []},
}

test_only_what_is_healthy_counts if {
	tiers := [tier("staging", 86400, false), tier("canary", 60, true)]
	base := document([], [], day)
	entry := object.union(base.facts.promotions[0], {"below": tiers})
	found := short_soak.deny with input as object.union(base, {"facts": {"promotions": [entry]}})
	some finding in found
	contains(finding.message, "was live in canary")
}

test_a_rollback_passes if {
	count(short_soak.deny) == 0 with input as document([stay(60, null)], [stay(5, "then")], day)
}

test_without_a_soak_nothing_is_asked if {
	count(short_soak.deny) == 0 with input as document([stay(60, null)], [], null)
}
