# METADATA
# title: Remote base or chart without a fixed version
# description: >-
#   A remote base or file without a commit or a version tag, or a chart without an exact version. What it names can change at
#   any time, without a change here. A commit id, a tag that looks like a version, and an exact chart version are fixed.
# custom:
#   severity: {default: warning, protected: error}
#   help: "name a commit id or a version tag (`?ref=v1.2.3`), or the chart's exact version"
package tollgate.source.unpinned

import rego.v1

deny contains finding if {
	some source in input.head.opaque
	source.role in {"source", "chart"}
	not is_fixed(source)
	finding := {
		"at": source.at,
		"subject": sprintf("%s %s", [source.role, source.identity]),
		"message": sprintf("`%s` has no fixed version%s", [source.identity, asked(source)]),
		"label": sprintf("%s would run whatever this means at the time", [input.environment.name]),
	}
}

asked(source) := "" if source.version == null

asked(source) := sprintf(": `%s` can change", [source.version]) if source.version != null

is_fixed(source) if {
	source.version != null
	regex.match(`^[0-9a-f]{40}$|^[0-9a-f]{64}$`, source.version)
}

is_fixed(source) if {
	source.role == "source"
	source.version != null
	regex.match(`^([A-Za-z][A-Za-z0-9._-]*[/-])?v?[0-9]+(\.[0-9]+)+([-+._][0-9A-Za-z.+_-]+)?$`, source.version)
}

is_fixed(source) if {
	source.role == "chart"
	source.version != null
	regex.match(`^v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$`, source.version)
}
