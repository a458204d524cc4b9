//! `tollgate render --all` beside one `kubectl kustomize` an overlay, as CI does it: the ratio of CPU time.
//!
//! `cargo bench --bench render` writes a config repository of 1,000 apps (3,000 overlays) into a temporary folder;
//! `cargo bench --bench render -- 100` one of 100. CPU time is what the kernel has charged to the finished child
//! processes (`/proc/self/stat`), user and system together.

#![expect(clippy::disallowed_methods, reason = "it writes the repository that it renders")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "the counts are small")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Overlays that kubectl renders; what all would take is their mean times the number of overlays.
const SAMPLE: usize = 60;
/// The kernel counts CPU time in hundredths of a second for all programs.
const TICKS: f64 = 100.0;

fn main() {
    let apps = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_repository(folder.path(), apps);
    let overlays = 3 * apps;

    let mut ours = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    ours.args(["render", ".", "--all", "--output"]).arg(folder.path().join("out")).current_dir(folder.path());
    let (cpu, wall) = measure(&mut ours);
    println!("tollgate render --all    {overlays} overlays: {cpu:.2} s CPU, {wall:.2} s wall");

    let step = (apps / SAMPLE).max(1);
    let sample: Vec<usize> = (0..apps).step_by(step).take(SAMPLE).collect();
    let mut theirs = 0.0;
    for app in &sample {
        let environment = ENVIRONMENTS[app % 3].0;
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["kustomize", &format!("apps/svc-{app}/overlays/{environment}")]).current_dir(folder.path());
        if Command::new("kubectl").arg("--help").stdout(Stdio::null()).status().is_err() {
            println!("kubectl is not at hand: nothing to compare with");
            return;
        }
        theirs += measure(&mut kubectl).0;
    }
    let each = theirs / sample.len() as f64;
    let all = each * overlays as f64;
    println!("kubectl kustomize        {} of them: {each:.3} s CPU each, so {all:.0} s for all", sample.len());
    println!("ratio of CPU time        {:.0}", all / cpu);
}

/// CPU and wall time of a command, in seconds.
fn measure(command: &mut Command) -> (f64, f64) {
    let (before, start) = (children(), Instant::now());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the command starts");
    assert!(status.success(), "{command:?} failed");
    (children() - before, start.elapsed().as_secs_f64())
}

/// CPU time of all finished children: the fields `cutime` and `cstime`.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap_or_default();
    (ticks(13) + ticks(14)) / TICKS
}

const ENVIRONMENTS: [(&str, usize); 3] = [("dev", 1), ("staging", 2), ("production", 6)];

fn write_repository(root: &Path, apps: usize) {
    let write = |path: String, text: &str| {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
        fs::write(file, text).expect("a new file");
    };
    write("components/telemetry/kustomization.yaml".to_owned(), TELEMETRY);
    for app in 0..apps {
        let name = format!("svc-{app}");
        let base = format!("apps/{name}/base");
        write(format!("{base}/kustomization.yaml"), &BASE.replace("NAME", &name));
        write(format!("{base}/workload.yaml"), &WORKLOAD.replace("NAME", &name));
        for (environment, replicas) in ENVIRONMENTS {
            let digest = format!("{app:032x}").repeat(2);
            let mut overlay = OVERLAY.replace("NAME", &name).replace("ENVIRONMENT", environment);
            writeln!(overlay, "images: [{{name: ghcr.io/example/{name}, digest: \"sha256:{digest}\"}}]").expect("text");
            writeln!(overlay, "replicas: [{{name: {name}, count: {replicas}}}]").expect("text");
            write(format!("apps/{name}/overlays/{environment}/kustomization.yaml"), &overlay);
        }
    }
}

const TELEMETRY: &str = "apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
commonAnnotations: {telemetry.example.com/scrape: \"true\"}
";

const BASE: &str = "resources: [workload.yaml]
labels: [{pairs: {app: NAME}, includeSelectors: true}]
configMapGenerator: [{name: settings, literals: [LEVEL=info, REGION=eu]}]
";

const OVERLAY: &str = "resources: [../../base]
components: [../../../../components/telemetry]
namespace: NAME-ENVIRONMENT
labels: [{pairs: {environment: ENVIRONMENT}}]
patches:
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: ENVIRONMENT, value: ENVIRONMENT}}
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: NAME}
    spec: {template: {spec: {containers: [{name: app, resources: {limits: {memory: 512Mi}}}]}}}
";

const WORKLOAD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 1
  template:
    spec:
      serviceAccountName: NAME
      containers:
      - name: app
        image: ghcr.io/example/NAME:latest
        ports: [{name: http, containerPort: 8080}]
        env: [{name: PORT, value: \"8080\"}]
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: NAME-secret}}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: NAME}
spec:
  secretStoreRef: {kind: ClusterSecretStore, name: vault}
  target: {name: NAME-secret}
  data: [{secretKey: TOKEN, remoteRef: {key: NAME, property: token}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: NAME}
spec:
  minAvailable: 1
";
