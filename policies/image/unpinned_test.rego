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

broken(reference) := {finding.message |
	some finding in unpinned.deny with input as {"head": {"images": [object.union(image(null), {"reference": reference})]}}
}

test_a_digest_with_too_few_digits_is_called_that if {
	broken("a/b@sha256:bbbb") == {"`sha256:bbbb` is not a digest: sha256 has 64 hexadecimal digits, and this has 4"}
}

test_another_algorithm_is_no_digest if {
	some message in broken("a/b@md5:bbbb")
	contains(message, "`md5:bbbb` is not a digest: it is `sha256:` and 64 digits")
}
