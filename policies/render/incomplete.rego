# METADATA
# title: Overlay that is not seen as a whole
# description: >-
#   Some of what the overlay deploys comes from elsewhere: a remote base or file, a Helm chart, the output of a plugin. Its name
#   and version are judged; its objects are not seen.
# custom:
#   severity: {default: warning}
#   help: "to have all of it judged, copy a remote base into this repository, or commit what the chart or the plugin makes"
package tollgate.render.incomplete

import rego.v1

deny contains finding if {
	unseen := [one | some one in input.head.opaque; one.role != "unseen"]
	count(unseen) > 0
	finding := {
		"at": unseen[0].at,
		"subject": "incomplete",
		"message": sprintf("%s is not seen: %s", [described(unseen), concat(", ", [sprintf("`%s`", [one.written]) | some one in unseen])]),
		"label": "judged by its name and version",
	}
}

described(unseen) := "some of this overlay" if count(unseen) == 1

described(unseen) := sprintf("some of this overlay, from %d places,", [count(unseen)]) if count(unseen) > 1
