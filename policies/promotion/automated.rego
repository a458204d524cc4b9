# METADATA
# title: Automation that may write to a protected environment
# description: >-
#   Flux image automation, Argo CD Image Updater or Renovate may write to a protected environment after this change, and could not before. It
#   is an error where the environment is closed to bots, since what it writes would be refused each time.
# custom:
#   severity: {default: error}
#   scope: [change]
#   help: "keep it to lower environments: by its path, its markers, or the paths that it ignores"
package tollgate.promotion.automated

import rego.v1

deny contains finding if {
	some automation in input.facts.automations
	finding := {
		"at": automation.at,
		"subject": sprintf("%s %s", [automation.name, automation.environment]),
		"severity": severity(automation),
		"message": sprintf("%s may write to %s (`%s`%s)%s", [automation.name, automation.environment, automation.overlay, more(automation.others), denied(automation)]),
		"label": "by this",
	}
}

severity(automation) := "error" if automation.denied

severity(automation) := "warning" if not automation.denied

denied(automation) := ", which is closed to bots" if automation.denied

denied(automation) := "" if not automation.denied

more(0) := ""

more(1) := " and 1 more overlay"

more(others) := sprintf(" and %d more overlays", [others]) if others > 1
