//! Each file alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use callgate_testkit::peers::{NatsServer, Python, present};
use tokio::runtime::Runtime;

use super::{absent_here, callgate, installed, root, succeeds};

/// The files below a folder whose names end so, relative to the root.
fn found(folder: &str, ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, ending, files);
            } else if path.to_string_lossy().ends_with(ending) {
                files.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(folder), ending, &mut files);
    files.sort();
    files
}

#[test]
fn the_container_and_the_manifests_are_what_their_schemas_say() {
    let Some(python) = present(Python::find()) else { return };
    let mut files = found("deploy", ".yaml");
    files.extend(["Dockerfile", "localstack/compose.yaml"].map(PathBuf::from));
    let told = succeeds(python.command().arg("tests/peers/deployment.py").args(&files).current_dir(root()));
    for kind in
        ["a Dockerfile", "a compose file with callgate", "a template of CloudFormation", "manifest(s) of Kubernetes"]
    {
        assert!(told.contains(kind), "{kind}: {told}");
    }
    assert_eq!(told.lines().count(), files.len(), "{told}");
}

#[test]
fn what_is_wrong_in_a_manifest_is_found() {
    let Some(python) = present(Python::find()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, from, to) in [
        ("deploy/kubernetes/deployment.yaml", "readinessProbe:", "readynessProbe:"),
        ("deploy/ecs/service.yaml", "{Ref: Targets}", "{Ref: Tragets}"),
        ("deploy/ecs/service.yaml", "StopTimeout: 80", "StoppTimeout: 80"),
        ("deploy/ecs/service.yaml", "Cpu: \"1024\"", "Cpu: \"1000\""),
        ("localstack/compose.yaml", "condition: service_healthy", "condition: service_wealthy"),
        ("Dockerfile", "WORKDIR /src", "WORKDIR src"),
    ] {
        let file = folder.path().join(Path::new(name).file_name().expect("a name"));
        let text = fs::read_to_string(root().join(name)).expect("there");
        assert!(text.contains(from), "{name}");
        fs::write(&file, text.replacen(from, to, 1)).expect("written");
        let script = root().join("tests/peers/deployment.py");
        let done = python.command().arg(script).arg(&file).output().expect("Python runs");
        assert!(!done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stdout));
    }
}

#[test]
fn every_configuration_of_a_deployment_is_valid() {
    let mut files = found("deploy", "callgate.yaml");
    files.push("localstack/callgate.yaml".into());
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(root().join(&file), folder.path().join("callgate.yaml")).expect("copied");
        certify(folder.path());
        let told = succeeds(callgate(&["check", "callgate.yaml"]).current_dir(folder.path()));
        assert!(!told.contains("warning"), "{}: {told}", file.display());
    }
}

#[test]
fn no_deployment_cuts_what_drains() {
    // Beside `shutdown` of the configuration there: how long whoever ends the gateway waits, in seconds.
    for (folder, file, waits) in [
        ("kubernetes", "deployment.yaml", "terminationGracePeriodSeconds: "),
        ("ecs", "service.yaml", "StopTimeout: "),
        ("systemd", "callgate.service", "TimeoutStopSec="),
    ] {
        let read = |file: &str| fs::read_to_string(root().join("deploy").join(folder).join(file)).expect("there");
        let number = |text: &str, after: &str| -> u64 {
            let rest = text.split(after).nth(1).unwrap_or_else(|| panic!("{folder}: no {after}"));
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
        };
        let configuration = read("callgate.yaml");
        let drains = number(&configuration, "lame_duck: ") + number(&configuration, "grace: ");
        let waits = number(&read(file), waits);
        assert!(waits > drains, "{folder} waits {waits}s, and the gateway drains for up to {drains}s");
    }
}

#[test]
fn the_unit_is_understood_by_systemd() {
    if !installed("systemd-analyze") {
        return absent_here("systemd-analyze");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("callgate.service");
    let text = fs::read_to_string(root().join("deploy/systemd/callgate.service")).expect("there");
    fs::write(&unit, text.replace("/usr/local/bin/callgate", env!("CARGO_BIN_EXE_callgate"))).expect("written");
    let socket = folder.path().join("callgate.socket");
    fs::copy(root().join("deploy/systemd/callgate.socket"), &socket).expect("copied");
    let told = succeeds(Command::new("systemd-analyze").arg("verify").args([&unit, &socket]));
    assert_eq!(told, "", "it has nothing to say");
}

#[test]
fn kubectl_builds_the_kustomization_with_the_configuration_in_it() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        return absent_here("kubectl");
    }
    let told = succeeds(Command::new("kubectl").args(["kustomize", "deploy/kubernetes"]).current_dir(root()));
    let configuration = fs::read_to_string(root().join("deploy/kubernetes/callgate.yaml")).expect("there");
    let line = configuration.lines().find(|line| line.starts_with("shutdown:")).expect("a line");
    assert!(told.contains(&format!("    {line}\n")), "{told}");
    assert!(told.contains("  name: callgate\n  namespace: callgate\n"), "the ConfigMap keeps its name: {told}");
}

#[test]
fn haproxy_and_nginx_read_their_files() {
    succeeds(Command::new("haproxy").args(["-c", "-f", "deploy/haproxy/haproxy.cfg"]).current_dir(root()));
    let Some(load) = nginx_modules() else { return absent_here("nginx with its stream module") };
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(root().join("deploy/nginx/nginx.conf")).expect("there");
    let text = format!("{load}pid {0}/pid;\nerror_log stderr;\n{text}", folder.path().display());
    let file = folder.path().join("nginx.conf");
    fs::write(&file, text).expect("written");
    let mut nginx = Command::new("/usr/sbin/nginx");
    let told = nginx.arg("-t").arg("-c").arg(&file).output().expect("nginx runs");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("test is successful"), "{told}");
}

#[test]
fn the_seed_makes_the_stream_that_the_gateway_publishes_to() {
    let Some(python) = present(Python::find()) else { return };
    let runtime = Runtime::new().expect("threads");
    let Some(server) = present(runtime.block_on(NatsServer::start(""))) else { return };
    for _ in 0..2 {
        let mut seed = python.command();
        seed.args(["localstack/seed.py", "--no-functions", "--nats", &server.address()]).current_dir(root());
        assert!(succeeds(&mut seed).contains("the stream ORDERS of orders.>"));
    }
    let mut check = callgate(&["check", "--connect", "--output", "json", "localstack/callgate.yaml"]);
    let told = check.env("NATS_URL", server.url()).current_dir(root()).output().expect("it runs");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let upstreams = told["upstreams"].as_array().expect("upstreams");
    let events = upstreams.iter().find(|upstream| upstream["name"] == "events").expect("the upstream");
    assert_eq!(events["ready"], true, "{told}");
}

/// Makes the certificate that the example of nginx names, below a folder.
pub(crate) fn certify(folder: &Path) -> rustls_pki_types::CertificateDer<'static> {
    let certificates = folder.join("certs");
    fs::create_dir(&certificates).expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["api.example.com".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(certificates.join("api.pem"), certificate.pem()).expect("written");
    fs::write(certificates.join("api.key"), key.serialize_pem()).expect("written");
    certificate.der().clone()
}

/// What an nginx needs to be told before it passes TCP on, if there is one that can.
pub(crate) fn nginx_modules() -> Option<String> {
    let told = Command::new("/usr/sbin/nginx").arg("-V").output().ok()?;
    let built = String::from_utf8_lossy(&told.stderr).into_owned();
    // Debian has the module beside the server.
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !built.contains("--with-stream=dynamic") {
        return built.contains("--with-stream").then(String::new);
    }
    Path::new(module).exists().then(|| format!("load_module {module};\n"))
}
