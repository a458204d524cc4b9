# METADATA
# title: Not live below for long enough
# description: >-
#   The longest uninterrupted stay of an image's content in the environment below is shorter than the environment's
#   `soak`. Leaving and coming back does not add up.
# custom:
#   severity: {default: error}
#   needs: [history]
#   help: wait until it has been live below for as long as `soak` asks
package tollgate.promotion.short_soak

import rego.v1

deny contains finding if {
	input.environment.soak != null
	some entry in input.facts.promotions
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
		"message": sprintf("`%s` was live in %s for %s; %s asks for %s", [
			entry.short,
			best.environment,
			best.stay.lasted,
			input.environment.name,
			input.environment.soak.text,
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": [sprintf("live in %s from %s %s (commit %s)", [best.environment, best.stay.from, until(best.stay), best.stay.commit])],
		"help": advice(best.stay),
	}
}

# What is not healthy where it was is for `promotion/unproven` to tell.
is_healthy(below) if below.evidence == null

is_healthy(below) if below.evidence.healthy

until(stay) := "on" if stay.to == null

until(stay) := sprintf("until %s", [stay.to]) if stay.to != null

advice(stay) := sprintf("wait: it may enter %s from %s on", [input.environment.name, stay.ripe]) if stay.to == null

advice(stay) := "it is no longer live there: promote it again and let it stay" if stay.to != null
