package tollgate.promotion.unproven_test

import data.tollgate.promotion.unproven
import rego.v1

stay := {"from": "then", "to": null, "seconds": 10, "lasted": "10 s", "ripe": null, "commit": "abc"}

document(entry) := {
	"overlay": {"app": "api"},
	"environment": {"name": "production", "soak": null},
	"facts": {"promotions": [entry]},
	"parameters": {"promotion/unproven": {"without_lower": "deny", "kinds": ["image"], "together": "error"}},
}

entry(stays, here) := {
	"at": 3,
	"short": "a/b@sha256:ab…",
	"pinned": true,
	"content": "image",
	"together": [],
	"own": true,
	"writtenIn": null,
	"wanted": ["staging"],
	"below": [{"environment": "staging", "stays": stays, "current": [{"content": "sha256:cd…", "since": "then", "commit": "abc"}], "evidence": null}],
	"lower": [{"environment": "dev", "stays": [stay], "current": [], "evidence": null}],
	"here": here,
}

test_what_was_never_below_is_found if {
	found := unproven.deny with input as document(entry([], []))
	some finding in found
	finding.at == 3
	contains(finding.message, "has never been live in staging")
	count(finding.notes) == 2
}

test_what_was_below_passes if {
	count(unproven.deny) == 0 with input as document(entry([stay], []))
}

test_a_rollback_passes if {
	count(unproven.deny) == 0 with input as document(entry([], [stay]))
}

test_a_tag_proves_less if {
	found := unproven.deny with input as document(object.union(entry([], []), {"pinned": false}))
	some finding in found
	some note in finding.notes
	contains(note, "a tag proves less")
}

test_no_overlay_below_is_found if {
	found := unproven.deny with input as document(object.union(entry([], []), {"below": []}))
	some finding in found
	contains(finding.message, "has no overlay below")
}

test_no_overlay_below_may_be_allowed if {
	allowed := {"parameters": {"promotion/unproven": {"without_lower": "allow", "kinds": ["image"]}}}
	lonely := document(object.union(entry([], []), {"below": []}))
	count(unproven.deny) == 0 with input as object.union(lonely, allowed)
}

test_a_command_is_told_for_what_is_live_lower if {
	found := unproven.deny with input as document(entry([], []))
	some finding in found
	contains(finding.help, "`tollgate promote api --to staging`")
	gone := object.union(entry([], []), {"lower": []})
	others := unproven.deny with input as document(gone)
	some other in others
	not contains(other.help, "tollgate promote")
}

with_evidence(healthy) := object.union(entry([stay], []), {"below": [{
	"environment": "staging",
	"stays": [stay],
	"current": [],
	"evidence": {"controller": "Flux", "healthy": healthy, "reports": ["`api` runs this, by commit abc: Ready"]},
}]})

test_what_is_not_healthy_below_is_found if {
	found := unproven.deny with input as document(with_evidence(false))
	some finding in found
	contains(finding.message, "Flux does not report it as healthy")
	count(finding.notes) == 1
	count(unproven.deny) == 0 with input as document(with_evidence(true))
}

test_the_soak_is_told if {
	soaking := {"environment": {"name": "production", "soak": {"seconds": 60, "text": "1 min"}}}
	found := unproven.deny with input as object.union(document(entry([], [])), soaking)
	some finding in found
	contains(finding.help, "after 1 min there")
}

test_what_is_built_from_the_folder_below_must_be_pinned if {
	found := unproven.deny with input as document(object.union(entry([], []), {"writtenIn": "staging"}))
	some finding in found
	contains(finding.help, "production is built from a folder of staging: write what it runs now under `images`")
}

test_what_enters_both_at_once_is_told_as_such if {
	found := unproven.deny with input as document(object.union(entry([], []), {"together": ["staging"]}))
	count(found) == 1
	some finding in found
	contains(finding.message, "enters staging and production with the same change")
	finding.severity == "error"
}

test_a_content_of_another_kind_is_not_asked_about if {
	count(unproven.deny) == 0 with input as document(object.union(entry([], []), {"content": "chart"}))
}

test_what_is_written_for_several_gets_an_entry_of_its_own if {
	both := object.union(entry([], []), {"together": ["staging"], "own": false})
	some finding in unproven.deny with input as document(both)
	contains(finding.help, "under `images` in its own kustomization")
}
