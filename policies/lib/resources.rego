# Where amounts of a container are taken away.
package tollgate.lib.resources

import rego.v1

# The patch that took any of some amounts away, else the container itself.
place(container, names) := removals(container, names)[0] if count(removals(container, names)) > 0

place(container, names) := container.at if count(removals(container, names)) == 0

removals(container, names) := [removed.at |
	some removed in container.removed
	concerns(removed.part, names)
]

concerns(part, _) if part == ""

concerns(part, names) if {
	some name in names
	name == part
}

concerns(part, names) if {
	some name in names
	startswith(name, sprintf("%s.", [part]))
}
