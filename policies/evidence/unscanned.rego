# METADATA
# title: Image without a sufficient scan
# description: >-
#   An image enters an environment without a scan report (`--scans DIR`) of exactly its digest that is recent enough (`maxAge`) and finds
#   nothing of the severity `threshold` or above, besides what `allow` names. A report that recognised nothing in the image says nothing.
#   Where the folder also has the index of an image for several platforms, as its registry has it, each platform needs such a report.
#   With `key`, a file of the base branch, only attestations that it signed count. The rule is off until it is configured, as with
#   `evidence/unscanned: {severity: error}`.
# custom:
#   severity: {default: "off"}
#   needs: [scans]
#   help: "scan this digest, such as with `trivy image --format json`, and give the report with `--scans`"
#   parameters:
#     maxAge: 168h
#     threshold: high
#     allow: []
#     key: ""
package tollgate.evidence.unscanned

import rego.v1

parameters := input.parameters["evidence/unscanned"]

deny contains finding if {
	input.overlay.affected
	some image in input.facts.scanned
	not is_proven(image)
	finding := {
		"at": image.at,
		"message": sprintf("no scan clears `%s` for %s", [image.short, input.environment.name]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": notes(image),
		"subject": image.short,
	}
}

is_proven(image) if {
	count(image.platforms) == 0
	is_clear(image.scans)
}

is_proven(image) if {
	count(image.platforms) > 0
	every platform in image.platforms {
		is_clear(platform.scans)
	}
}

is_clear(scans) if {
	some scan in scans
	count(faults(scan)) == 0
}

notes(image) := [note |
	some platform in image.platforms
	not is_clear(platform.scans)
	note := sprintf("%s (%s): %s", [platform.name, platform.short, platform_note(platform)])
] if count(image.platforms) > 0

notes(image) := ["no digest is pinned, so that no scan can be of it"] if not image.pinned

notes(image) := ["there is no scan of this digest"] if {
	image.pinned
	count(image.platforms) == 0
	count(image.scans) == 0
}

notes(image) := [told(scan) | some scan in image.scans] if {
	count(image.platforms) == 0
	count(image.scans) > 0
}

platform_note(platform) := "there is no scan of it" if count(platform.scans) == 0

platform_note(platform) := concat(", ", [told(scan) | some scan in platform.scans]) if count(platform.scans) > 0

told(scan) := sprintf("%s (%s, %s): %s", [scan.file, scan.tool, scan.since, concat("; ", sort(faults(scan)))])

faults(scan) := {fault | some fault in all_faults(scan)}

all_faults(scan) := array.concat(array.concat(age_faults(scan), signature_faults(scan)), array.concat(content_faults(scan), finding_faults(scan)))

age_faults(scan) := ["when it was made is not known"] if scan.age == null

age_faults(scan) := [fault |
	scan.age * 1000000000 > time.parse_duration_ns(parameters.maxAge)
	fault := sprintf("it is older than %s", [parameters.maxAge])
] if {
	scan.age != null
}

signature_faults(scan) := [] if parameters.key == ""

signature_faults(scan) := [] if {
	parameters.key != ""
	scan.signature == "valid"
}

signature_faults(scan) := ["its signature is not by the key of the base branch"] if {
	parameters.key != ""
	scan.signature == "invalid"
}

signature_faults(scan) := ["it is not signed"] if {
	parameters.key != ""
	scan.signature == "none"
}

content_faults(scan) := ["the scanner recognised neither an operating system nor packages"] if not scan.recognised

content_faults(scan) := [] if scan.recognised

finding_faults(scan) := [sprintf("it finds %s%s", [concat(", ", array.slice(grave(scan), 0, 3)), more(count(grave(scan)))])] if count(grave(scan)) > 0

finding_faults(scan) := [] if count(grave(scan)) == 0

grave(scan) := [sprintf("%s (%s)", [found.id, found.severity]) |
	some found in scan.found
	not found.id in parameters.allow
	rank(found.severity) >= ranks[parameters.threshold]
]

more(number) := "" if number <= 3

more(number) := sprintf(" and %d more", [number - 3]) if number > 3

ranks := {"critical": 4, "high": 3, "medium": 2, "low": 1, "negligible": 0}

# What is of an unknown severity may be of any.
rank(severity) := object.get(ranks, severity, 4)
