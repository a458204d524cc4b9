# METADATA
# title: Waiver past its date
# description: >-
#   A waiver in tollgate.yaml has expired, so that it allows nothing any more.
# custom:
#   severity: {default: warning}
#   scope: [change]
#   help: remove it, or agree on a later date with whoever has allowed it
package tollgate.waiver.expired

import rego.v1

deny contains finding if {
	some waiver in input.facts.waivers
	waiver.expired
	finding := {
		"at": waiver.at,
		"subject": sprintf("%s: %s", [waiver.rule, waiver.reason]),
		"message": sprintf("the waiver of %s has expired at %s (%s)", [waiver.rule, waiver.expires, waiver.reason]),
		"label": "expired",
	}
}
