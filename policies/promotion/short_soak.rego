# METADATA
# title: Not live below for long enough
# description: >-
#   The longest uninterrupted stay of an image's content in the environment below is shorter than the `soak` of this
#   environment. Several shorter stays do not add up.
# custom:
#   severity: {default: error}
#   needs: [history]
#   help: wait until it has been live below for as long as `soak` requires
package tollgate.promotion.short_soak

import rego.v1

deny contains finding if {
	input.environment.soak != null
	some entry in input.facts.promotions
	entry.content in input.parameters["promotion/unproven"].kinds
	count(entry.here) == 0
	stays := [{"environment": below.environment, "stay": stay} |
		some below in entry.below
		is_healthy(below)
		some stay in below.stays
	]
	count(stays) > 0
	longest := max([candidate.stay.seconds | some candidate in stays])
	longest < input.environment.soak.seconds
	best := [candidate | some candidate in stays; candidate.stay.seconds == longest][0]
	finding := {
		"at": entry.at,
		"message": sprintf("`%s` was live in %s for %s; %s requires %s", [
			entry.short,
			best.environment,
			best.stay.lasted,
			input.environment.name,
			input.environment.soak.text,
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": [sprintf("live in %s %s (commit %s)", [best.environment, period(best.stay), best.stay.commit])],
		"help": advice(best.stay),
	}
}

# `promotion/unproven` reports what is not healthy where it was.
is_healthy(below) if below.evidence == null

is_healthy(below) if below.evidence.healthy

period(stay) := sprintf("since %s", [stay.from]) if stay.to == null

period(stay) := sprintf("from %s to %s", [stay.from, stay.to]) if stay.to != null

advice(stay) := sprintf("wait until %s; then it may enter %s", [stay.ripe, input.environment.name]) if stay.to == null

advice(stay) := "it is no longer live there; promote it there again, and let it stay" if stay.to != null
