# METADATA
# title: Entry that matches nothing
# description: >-
#   An entry of `images`, or the target of a patch, names what nothing is called, although something of nearly the same name is there: in
#   the overlay's kustomization, in a component or in a base. kustomize passes over such an entry.
# custom:
#   severity: {default: warning}
#   help: correct the name, or remove the entry
package tollgate.render.unmatched

import rego.v1

deny contains finding if {
	some entry in input.facts.unmatched
	finding := {
		"at": entry.at,
		"subject": sprintf("%s %s", [entry.field, entry.name]),
		"message": message(entry),
		"label": "matches nothing",
		"help": sprintf("write `%s`, if that was meant; else remove the entry", [entry.near]),
	}
}

message(entry) := sprintf("no container runs `%s`, so that this entry of `images` has no effect", [entry.name]) if entry.field == "images"

message(entry) := sprintf("nothing here is called `%s`, so that this patch has no effect", [entry.name]) if entry.field == "patches"
