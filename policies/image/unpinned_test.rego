package tollgate.image.unpinned_test

import data.tollgate.image.unpinned
import rego.v1

image(digest) := {"at": 7, "reference": "a/b:1", "repository": "a/b", "digest": digest, "user": "app", "role": "container"}

test_a_tag_is_found if {
	found := unpinned.deny with input as {"head": {"images": [image(null)]}}
	{finding.at | some finding in found} == {7}
}

test_a_digest_passes if {
	count(unpinned.deny) == 0 with input as {"head": {"images": [image("sha256:ab")]}}
}
