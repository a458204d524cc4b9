# METADATA
# title: Content that is not live below any more
# description: >-
#   An image enters an environment whose content was live in the environment below, which proves it, but was taken out there
#   again. That may have had a reason.
# custom:
#   severity: {default: warning}
#   needs: [history]
#   help: ask whoever took it out there why; or promote what runs there now
package tollgate.promotion.pulled_back

import rego.v1

deny contains finding if {
	some entry in input.facts.promotions
	count(entry.here) == 0
	stays := [stay | some below in entry.below; some stay in below.stays]
	count(stays) > 0
	every stay in stays {
		stay.to != null
	}
	some below in entry.below
	count(below.stays) > 0
	last := below.stays[0]
	finding := {
		"at": entry.at,
		"message": sprintf("`%s` is no longer live in %s: it was there from %s to %s", [entry.short, below.environment, last.from, last.to]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": [sprintf("it came there by commit %s", [last.commit])],
	}
}
