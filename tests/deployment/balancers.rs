//! The balancers of `deploy/` pass on whose a connection is, and the gateway of the example believes them.

use std::{
    fs,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::Arc,
};

use callgate_testkit::peers::{Process, free_port};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;

use super::{
    absent_here, callgate,
    client::{answer, connect_from},
    files::{certify, nginx_modules},
    gateways::{Gateway, haproxy},
    root,
};

/// A client that is not the balancer.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
const REQUEST: &str = "GET /whose HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n\r\n";

/// The configuration with a route that tells what the gateway knows of its client.
fn telling(text: String) -> String {
    text + "  - {match: GET /whose, respond: {body: {text: \"{{ client.ip }}\"}}}\n"
}

#[tokio::test]
async fn haproxy_says_whose_a_connection_is() {
    let mut gateways = [(); 3].map(|()| Gateway::new(telling));
    for gateway in &mut gateways {
        gateway.start().await;
    }
    let (port, haproxy) = haproxy(&gateways).await;
    let mut connection = connect_from(CLIENT, port).await.expect("it listens");
    connection.write_all(REQUEST.as_bytes()).await.expect("sent");
    let (answer, _) = answer(&mut connection).await.expect("an answer");
    assert_eq!((answer.status, answer.text), (200, CLIENT.to_string()), "{}", haproxy.log());

    // Who is believed has to say it.
    let mut silent = connect_from(Ipv4Addr::LOCALHOST, gateways[0].public).await.expect("it listens");
    silent.write_all(REQUEST.as_bytes()).await.expect("sent");
    assert!(super::client::answer(&mut silent).await.is_err(), "the connection is closed");
}

#[tokio::test]
async fn nginx_says_whose_a_connection_is_and_leaves_tls_to_the_gateway() {
    let Some(load) = nginx_modules() else { return absent_here("nginx with its stream module") };
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = certify(folder.path());
    let (public, admin, port) =
        (free_port().expect("a port"), free_port().expect("a port"), free_port().expect("a port"));
    let text = fs::read_to_string(root().join("deploy/nginx/callgate.yaml")).expect("the example");
    let text = text.replace("127.0.0.1:8443", &format!("127.0.0.1:{public}"));
    let text = telling(text.replace("127.0.0.1:9901", &format!("127.0.0.1:{admin}")));
    fs::write(folder.path().join("callgate.yaml"), text).expect("written");
    let mut command = callgate(&["run", "callgate.yaml", "--workers", "1"]);
    command.current_dir(folder.path()).stdout(Stdio::null());
    let mut gateway = Process::spawn("callgate", command, folder).expect("it starts");
    gateway.wait_for_port(admin).await.expect("it listens");

    let folder = Process::folder("nginx").expect("a folder");
    let text = fs::read_to_string(root().join("deploy/nginx/nginx.conf")).expect("the example");
    let text = text
        .replace("worker_processes auto", "worker_processes 1")
        .replace("10240", "100")
        .replace("127.0.0.1:8443", &format!("127.0.0.1:{public}"))
        .replace("listen 443;", &format!("listen 127.0.0.1:{port};"));
    let text = format!("{load}daemon off;\npid pid;\nerror_log stderr;\n{text}");
    fs::write(folder.path().join("nginx.conf"), text).expect("written");
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder.path()).args(["-e", "stderr", "-c", "nginx.conf"]);
    let mut nginx = Process::spawn("nginx", command, folder).expect("it starts");
    nginx.wait_for_port(port).await.expect("it listens");

    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let tcp = connect_from(CLIENT, port).await.expect("it listens");
    let name = ServerName::try_from("api.example.com").expect("a name");
    let mut connection =
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("the gateway's certificate");
    connection.write_all(REQUEST.as_bytes()).await.expect("sent");
    let (answer, _) = answer(&mut connection).await.expect("an answer");
    assert_eq!((answer.status, answer.text), (200, CLIENT.to_string()), "{}\n{}", nginx.log(), gateway.log());
}
