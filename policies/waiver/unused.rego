# METADATA
# title: Waiver that nothing needs
# description: >-
#   A waiver in tollgate.yaml covers no finding, although everything that it may be about was judged.
# custom:
#   severity: {default: warning}
#   scope: [change]
#   help: remove it, so that it does not allow what comes later
package tollgate.waiver.unused

import rego.v1

deny contains finding if {
	some waiver in input.facts.waivers
	waiver.unused
	not waiver.expired
	finding := {
		"at": waiver.at,
		"subject": sprintf("%s: %s", [waiver.rule, waiver.reason]),
		"message": sprintf("nothing needs the waiver of %s (%s)", [waiver.rule, waiver.reason]),
		"label": "covers nothing",
	}
}
