# METADATA
# title: Committed versions that disagree with what is rendered
# description: >-
#   The file that `versions` in tollgate.yaml names says which version each environment runs. For an overlay that the
#   change affects it says something else than what is rendered.
# custom:
#   severity: {default: warning}
#   help: "write it again: `tollgate status --write` and the file's name"
package tollgate.status.stale

import rego.v1

deny contains finding if {
	some row in input.facts.versions.rows
	row.written != row.rendered
	finding := {
		"at": row.at,
		"message": message(row),
		"label": sprintf("of %s in %s", [input.overlay.app, input.environment.name]),
		"help": sprintf("write it again: `tollgate status --write %s`", [input.facts.versions.file]),
		"subject": row.repository,
	}
}

message(row) := sprintf("`%s` does not say that %s runs `%s` in version `%s`", [
	input.facts.versions.file,
	input.environment.name,
	row.repository,
	row.rendered,
]) if {
	row.written == null
}

message(row) := sprintf("`%s` says that %s runs `%s`, which nothing renders", [
	input.facts.versions.file,
	input.environment.name,
	row.repository,
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
