# METADATA
# title: Image not pinned by digest
# description: >-
#   An image without a valid `@sha256:` or `@sha512:` digest, in any container, init or ephemeral container or image
#   volume of anything that holds a pod template. A tag can be moved to other content at any time; a digest cannot, so
#   what was tested is what runs.
# custom:
#   severity: {default: error, lowest: "off"}
#   help: "pin the digest that was tested: `images: [{name: …, digest: \"sha256:…\"}]` in the overlay's kustomization"
package tollgate.image.unpinned

import rego.v1

deny contains finding if {
	some image in input.head.images
	not image.role in {"source", "chart", "plugin", "operator", "value"}
	image.digest == null
	not contains(image.reference, "@")
	finding := {
		"at": image.at,
		"subject": sprintf("%s %s %s", [image.role, image.user, image.repository]),
		"message": sprintf("`%s` is not pinned by digest", [image.reference]),
		"label": sprintf("%s `%s` would run whatever this tag points to at the time", [image.role, image.user]),
	}
}

# A digest is there, but no registry has content under it.
deny contains finding if {
	some image in input.head.images
	not image.role in {"source", "chart", "plugin", "operator", "value"}
	image.digest == null
	parts := split(image.reference, "@")
	count(parts) > 1
	digest := parts[count(parts) - 1]
	finding := {
		"at": image.at,
		"subject": sprintf("%s %s %s", [image.role, image.user, image.repository]),
		"message": sprintf("`%s` is not a digest: %s", [digest, flaw(digest)]),
		"label": sprintf("%s `%s` cannot be pulled by this", [image.role, image.user]),
		"help": "write the whole digest, as the registry and the build's log show it",
	}
}

digits := {"sha256": 64, "sha512": 128}

flaw(digest) := sprintf("%s has %d hexadecimal digits, and this has %d", [algorithm, wanted, count(hex)]) if {
	[algorithm, hex] := split(digest, ":")
	wanted := digits[algorithm]
	count(hex) != wanted
} else := "it is `sha256:` and 64 digits 0-9 and a-f, or `sha512:` and 128"
