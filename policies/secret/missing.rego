# METADATA
# title: Secret that nothing provides
# description: >-
#   A Secret, or a key of it, that a workload, service account or ingress refers to and that nothing rendered with the
#   overlay provides: Secret, ExternalSecret, SealedSecret, SecretProviderClass, Certificate, secretGenerator and the
#   like. Optional references pass, and names that `allow` lists (`*` stands for any text).
# custom:
#   severity: {default: error}
#   parameters:
#     allow: []
#   help: "add an ExternalSecret or SealedSecret for it to the overlay, correct the name, or list it under `allow`"
package tollgate.secret.missing

import data.tollgate.lib.references
import rego.v1

deny := references.missing("Secret", input.parameters["secret/missing"].allow, [])
