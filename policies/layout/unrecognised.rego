# METADATA
# title: Folder that nobody judges
# description: >-
#   The change touches a kustomization, or manifests, that belong to no known environment and that no overlay uses, so that
#   no rule has looked at them. An error where an overlay of a protected environment is in the folder beside it: that may be
#   the environment under another name.
# custom:
#   severity: {default: error}
#   scope: [change]
#   help: "say what it is with `layout` or the environment's `aliases` in tollgate.yaml"
package tollgate.layout.unrecognised

import rego.v1

deny contains finding if {
	some folder in input.facts.unjudged
	folder.beside != null
	finding := {
		"at": folder.at,
		"subject": folder.path,
		"message": sprintf("`%s` is beside an overlay of %s, but belongs to no known environment", [folder.path, folder.beside]),
		"label": "nobody judges this folder",
		"help": sprintf("if it is an environment, add it to the `aliases` of one in tollgate.yaml in a change of its own; if not, move it away from the overlays of %s", [folder.beside]),
	}
}

deny contains finding if {
	some folder in input.facts.unjudged
	folder.beside == null
	finding := {
		"at": folder.at,
		"subject": folder.path,
		"severity": "warning",
		"message": sprintf("`%s` belongs to no known environment, so nobody judges it", [folder.path]),
		"label": "changed here",
	}
}
