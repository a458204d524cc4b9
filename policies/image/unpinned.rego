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
	image.digest == null
	finding := {
		"at": image.at,
		"subject": sprintf("%s %s %s", [image.role, image.user, image.repository]),
		"message": sprintf("`%s` is not pinned by digest", [image.reference]),
		"label": sprintf("%s `%s` would run whatever this tag points to at the time", [image.role, image.user]),
	}
}
