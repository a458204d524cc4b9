# METADATA
# title: Entry of images that matches nothing
# description: >-
#   An entry of `images` in the overlay's kustomization names an image that nothing runs, although one of nearly the same name
#   is there. kustomize passes over such an entry.
# custom:
#   severity: {default: warning}
#   help: correct the name, or remove the entry
package tollgate.render.unmatched

import rego.v1

deny contains finding if {
	some entry in input.facts.unmatched
	finding := {
		"at": entry.at,
		"subject": entry.name,
		"message": sprintf("no container runs `%s`, so that this entry of `images` has no effect", [entry.name]),
		"label": "matches nothing",
		"help": sprintf("did you mean `%s`?", [entry.near]),
	}
}
