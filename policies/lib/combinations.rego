# What rules say about apps that would run together.
package tollgate.lib.combinations

import rego.v1

untested(combination) if {
	combination.together == null
	combination.here == null
}

apps(combination) := concat(" and ", [sprintf("`%s`", [app.app]) | some app in combination.apps; count(app.images) > 0])

told(combination) := [note |
	some app in combination.apps
	some image in app.images
	note := sprintf("%s: %s would run `%s`%s", [app.app, input.environment.name, image.short, below(combination, image)])
]

below(combination, image) := sprintf(", %s runs `%s`", [
	concat(" or ", combination.environments),
	concat("`, `", image.below),
]) if {
	count(image.below) > 0
} else := ""
