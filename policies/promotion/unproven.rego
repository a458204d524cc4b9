# METADATA
# title: Content never live in the environment below
# description: >-
#   An image enters an environment, although its content was never live in the environment below by the first-parent
#   history of the base branch. The content is the digest or, where none is pinned, the exact tag. A content that this
#   environment ran before is a rollback and passes. A content that was only on a side branch, only in this change or only
#   in a lower environment does not count. Where the environment below asks for `evidence`, its controller must also report
#   the content as healthy there. `kinds` says which contents are asked about, `together` how much it weighs that one change
#   brings a content into both environments.
# custom:
#   severity: {default: error}
#   needs: [history]
#   parameters:
#     without_lower: deny
#     kinds: [image, chart, source, operator]
#     together: error
#   help: promote it one environment at a time
package tollgate.promotion.unproven

import rego.v1

deny contains finding if {
	some entry in asked
	count(entry.below) > 0
	count(entry.here) == 0
	count(entry.together) == 0
	every below in entry.below {
		count(below.stays) == 0
	}
	names := [below.environment | some below in entry.below]
	finding := {
		"at": entry.at,
		"message": sprintf("`%s` has never been live in %s", [entry.short, concat(" or ", names)]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": array.concat(running_below(entry), array.concat(live_lower(entry), proves_less(entry))),
		"help": help(entry, names[0]),
	}
}

# Both environments get it with one change.
deny contains finding if {
	severity := input.parameters["promotion/unproven"].together
	severity != "off"
	some entry in asked
	count(entry.here) == 0
	count(entry.together) > 0
	names := concat(" and ", entry.together)
	finding := {
		"at": entry.at,
		"severity": severity,
		"message": sprintf("`%s` enters %s and %s with the same change: it has never been live in %s", [
			entry.short,
			names,
			input.environment.name,
			concat(" or ", [below.environment | some below in entry.below]),
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": array.concat(running_below(entry), array.concat(live_lower(entry), proves_less(entry))),
		"help": sprintf("leave %s out of this change%s", [input.environment.name, later(entry)]),
	}
}

asked := [entry |
	some entry in input.facts.promotions
	entry.content in input.parameters["promotion/unproven"].kinds
]

later(entry) := sprintf(", and change it once it is live in %s%s", [concat(" and ", entry.together), after_soak]) if entry.own

later(entry) := sprintf(": this line is not its own alone, so write what it runs now under `images` in its own kustomization, and change that once %s has run the new one", [concat(" and ", entry.together)]) if {
	not entry.own
}

help(entry, name) := sprintf("promote it to %s first%s%s", [name, command(entry, name), after_soak]) if {
	entry.writtenIn == null
}

# Whatever the environment below gets, this one gets with it.
help(entry, _) := sprintf("%s is built from a folder of %s: write what it runs now under `images` in its own kustomization, and change that once %s has run the new one", [
	input.environment.name,
	entry.writtenIn,
	entry.writtenIn,
]) if {
	entry.writtenIn != null
}

deny contains finding if {
	some entry in asked
	count(entry.below) == 0
	count(entry.here) == 0
	input.parameters["promotion/unproven"].without_lower == "deny"
	finding := {
		"at": entry.at,
		"message": sprintf("`%s` cannot be proven: `%s` has no overlay below %s", [entry.short, input.overlay.app, input.environment.name]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"help": sprintf("add an overlay for %s; or say with `layout` in tollgate.yaml which folders belong together; or set `rules: promotion/unproven: {without_lower: allow}` in tollgate.yaml", [concat(" or ", entry.wanted)]),
	}
}

# What is live right below can be promoted by a command.
command(entry, name) := sprintf(": `tollgate promote %s --to %s`", [input.overlay.app, name]) if {
	some lower in entry.lower
	some stay in lower.stays
	stay.to == null
} else := ""

deny contains finding if {
	some entry in asked
	count(entry.here) == 0
	live := [below | some below in entry.below; count(below.stays) > 0]
	count(live) > 0
	every below in live {
		below.evidence != null
		not below.evidence.healthy
	}
	below := live[0]
	finding := {
		"at": entry.at,
		"message": sprintf("`%s` was live in %s, but %s does not report it as healthy there", [
			entry.short,
			below.environment,
			below.evidence.controller,
		]),
		"label": sprintf("%s would run this", [input.environment.name]),
		"notes": [sprintf("%s: %s", [one.evidence.controller, report]) | some one in live; some report in one.evidence.reports],
		"help": sprintf("wait until it is healthy in %s, then run the gate again with a new report", [below.environment]),
	}
}

after_soak := "" if input.environment.soak == null

after_soak := sprintf("; after %s there it may enter %s", [input.environment.soak.text, input.environment.name]) if {
	input.environment.soak != null
}

running_below(entry) := [note |
	some below in entry.below
	some current in below.current
	note := sprintf("%s runs `%s` since %s (commit %s)", [below.environment, current.content, current.since, current.commit])
]

live_lower(entry) := [note |
	some lower in entry.lower
	count(lower.stays) > 0
	stay := lower.stays[0]
	note := sprintf("it was live in %s %s (commit %s)", [lower.environment, period(stay), stay.commit])
]

period(stay) := sprintf("since %s", [stay.from]) if stay.to == null

period(stay) := sprintf("from %s to %s", [stay.from, stay.to]) if stay.to != null

proves_less(entry) := [] if entry.pinned

proves_less(entry) := ["no digest is pinned; a tag proves less, because it can be moved to other content"] if not entry.pinned
