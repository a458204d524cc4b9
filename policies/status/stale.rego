# METADATA
# title: Committed versions that disagree with what is rendered
# description: >-
#   The file that `versions` in tollgate.yaml names lists the version that each environment runs. For an overlay that the
#   change affects, it disagrees with what is rendered.
# custom:
#   severity: {default: warning}
#   help: "update it with `tollgate status --write` and the file's name"
package tollgate.status.stale

import rego.v1

deny contains finding if {
	some row in input.facts.versions.rows
	row.written != row.rendered
	finding := {
		"at": row.at,
		"message": message(row),
		"label": sprintf("%s in %s", [input.overlay.app, input.environment.name]),
		"help": sprintf("update it: `tollgate status --write %s`", [input.facts.versions.file]),
		"subject": row.repository,
	}
}

message(row) := sprintf("`%s` does not list that %s runs `%s` at version `%s`", [
	input.facts.versions.file,
	input.environment.name,
	row.repository,
	row.rendered,
]) if {
	row.written == null
}

message(row) := sprintf("`%s` lists `%s` for %s, but nothing renders it", [
	input.facts.versions.file,
	row.repository,
	input.environment.name,
]) if {
	row.rendered == null
}

message(row) := sprintf("`%s` says `%s`, but %s runs `%s`", [
	input.facts.versions.file,
	row.written,
	input.environment.name,
	row.rendered,
]) if {
	row.written != null
	row.rendered != null
}
