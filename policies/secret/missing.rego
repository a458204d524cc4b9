# METADATA
# title: Secret that nothing provides
# description: >-
#   A workload, service account or ingress refers to a Secret, or to a key of it, that nothing rendered with the overlay
#   provides: no Secret, ExternalSecret, SealedSecret, SecretProviderClass, Certificate, secretGenerator or the like.
#   Optional references pass, and so do names that `allow` lists (`*` matches any text).
#   `providers` names further kinds whose controllers make one: `{kind: Database.example.com, name: spec.secretName}`.
# custom:
#   severity: {default: error}
#   parameters:
#     allow: []
#     providers: []
#   help: "add an ExternalSecret or SealedSecret for it to the overlay, correct the name, or set `rules: secret/missing: {allow: [NAME]}` in tollgate.yaml; that counts once it has landed"
package tollgate.secret.missing

import data.tollgate.lib.references
import rego.v1

deny := references.missing("Secret", input.parameters["secret/missing"].allow, [])
