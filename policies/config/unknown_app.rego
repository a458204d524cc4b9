# METADATA
# title: App of the configuration that no overlay has
# description: >-
#   `groups` or `dependencies` in tollgate.yaml name an app that has no overlay, so that what they say of it has no effect.
# custom:
#   severity: {default: warning}
#   scope: [change]
#   help: "correct the name in tollgate.yaml; `tollgate status` lists the apps"
package tollgate.config.unknown_app

import rego.v1

deny contains finding if {
	some app in input.facts.unknownApps
	finding := {
		"at": app.at,
		"subject": app.name,
		"message": sprintf("no overlay belongs to the app `%s`, so this has no effect", [app.name]),
		"label": "the name of no app",
		"help": help(app),
	}
}

help(app) := sprintf("did you mean `%s`? `tollgate status` lists the apps", [app.near]) if app.near != null

help(app) := "correct the name; `tollgate status` lists the apps" if app.near == null
