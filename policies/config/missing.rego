# METADATA
# title: ConfigMap that nothing provides
# description: >-
#   A workload refers to a ConfigMap, or to a key of it, that nothing rendered with the overlay provides. Optional
#   references pass, and so do ConfigMaps that Kubernetes itself puts into every namespace, and names that `allow` lists
#   (`*` matches any text). `providers` names further kinds whose controllers make one.
# custom:
#   severity: {default: error}
#   parameters:
#     allow: []
#     providers: []
#   help: "add it to the overlay (`configMapGenerator`), correct the name, or set `rules: config/missing: {allow: [NAME]}` in tollgate.yaml; that counts once it has landed"
package tollgate.config.missing

import data.tollgate.lib.references
import rego.v1

deny := references.missing("ConfigMap", input.parameters["config/missing"].allow, ["kube-root-ca.crt", "openshift-service-ca.crt"])
