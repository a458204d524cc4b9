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
	some source in input.head.images
	source.role in {"source", "chart", "operator"}
	not is_fixed(source)
	finding := {
		"at": source.at,
		"subject": sprintf("%s %s", [source.role, source.repository]),
		"message": sprintf("`%s` has no fixed version%s", [source.repository, asked(source)]),
		"label": sprintf("%s would run whatever this means at the time", [input.environment.name]),
	}
}

asked(source) := "" if source.tag == null

asked(source) := sprintf(": `%s` can change", [source.tag]) if source.tag != null

is_fixed(source) if {
	source.tag != null
	regex.match(`^[0-9a-f]{40}$|^[0-9a-f]{64}$`, source.tag)
}

is_fixed(source) if {
	source.role == "source"
	source.tag != null
	regex.match(`^([A-Za-z][A-Za-z0-9._-]*[/-])?v?[0-9]+(\.[0-9]+)+([-+._][0-9A-Za-z.+_-]+)?$`, source.tag)
}

# What an operator runs by the version that an object names.
is_fixed(source) if {
	source.role == "operator"
	source.tag != null
	regex.match(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$`, source.tag)
}

# An operator that is installed without asking follows its channel.
is_fixed(source) if {
	source.role == "operator"
	source.tag != null
	contains(source.tag, ".v")
}

is_fixed(source) if {
	source.role == "chart"
	source.tag != null
	startswith(source.tag, "sha256:")
}

is_fixed(source) if {
	source.role == "chart"
	source.tag != null
	regex.match(`^v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$`, source.tag)
}
