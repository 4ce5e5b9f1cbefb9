//! Who the gateway is, and TLS.

use std::{fs, time::Duration};

use callgate_testkit::peers::until;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::stage::{Stage, server};

const FUNCTIONS: &[(&str, &str)] = &[("new", "subject: a")];

async fn works(settings: &str, options: &str) {
    let Some(server) = server(settings).await else { return };
    let stage = Stage::new(&server, options, FUNCTIONS).await;
    stage.post("/new/x", "").await.succeeds(202);
    stage.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_user_are_accepted() {
    works("authorization: {token: \"t0ken\"}", ", credentials: {token: t0ken}").await;
    works("authorization: {user: me, password: pw}", ", credentials: {user: me, password: pw}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_nkey_is_accepted() {
    let key = nkeys::KeyPair::new_user();
    let settings = format!("authorization: {{users: [{{nkey: {}}}]}}", key.public_key());
    works(&settings, &format!(", credentials: {{nkey: {}}}", key.seed().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_denied_and_not_told_to_clients() {
    let Some(server) = server("authorization: {user: me, password: pw}").await else { return };
    let stage = Stage::new(&server, ", credentials: {user: me, password: wrong-one}", FUNCTIONS).await;
    let denied = async || stage.post("/new/x", "").await.code.as_deref() == Some("upstream_denied");
    assert!(until(Duration::from_secs(20), denied).await, "{:?}", stage.post("/new/x", "").await);
    let told = stage.ready().await.unwrap_err();
    assert!(told.contains("authorization") && !told.contains("wrong-one"), "{told}");
}

/// An authority with a server's and a client's certificate.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", authority.pem());
    for (name, host) in [("server", "127.0.0.1"), ("client", "gateway"), ("other", "elsewhere.test")] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    folder
}

fn tls(folder: &TempDir, server: &str, more: &str) -> String {
    let file = |name: &str| folder.path().join(name).display().to_string();
    format!(
        "tls: {{cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", {more}}}",
        file(&format!("{server}.pem")),
        file(&format!("{server}.key")),
        file("ca.pem")
    )
}

/// The gateway's options, with this certificate of its own.
fn ours(folder: &TempDir, client: &str, more: &str) -> String {
    let file = |name: &str| folder.path().join(name).display().to_string();
    format!(
        ", tls: {{ca: \"{}\", certificate: \"{}\", private_key: \"{}\"{more}}}",
        file("ca.pem"),
        file(&format!("{client}.pem")),
        file(&format!("{client}.key"))
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_in_both_directions() {
    let folder = certificates();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let ours = ours(&folder, "client", "");
    works(&tls(&folder, "server", "verify: true"), &ours).await;
    let Some(misnamed) = server(&tls(&folder, "other", "verify: true")).await else { return };
    let stage = Stage::new(&misnamed, &ours, FUNCTIONS).await;
    stage.post("/new/x", "").await.fails(503, "upstream_unavailable");
    let Some(right) = server(&tls(&folder, "server", "verify: true")).await else { return };
    let nobody = Stage::new(&right, &format!(", tls: {{ca: \"{}\"}}", file("ca.pem")), FUNCTIONS).await;
    nobody.post("/new/x", "").await.fails(503, "upstream_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_an_identity_too() {
    let folder = certificates();
    let users = "authorization: {users: [{user: gateway, permissions: {publish: [\"a\", \"_INBOX.>\"]}}]}";
    let settings = format!("{}\n{users}", tls(&folder, "server", "verify_and_map: true"));
    let Some(server) = server(&settings).await else { return };
    let functions = [("new", "subject: a"), ("no", "subject: b")];
    let stage = Stage::new(&server, &ours(&folder, "client", ""), &functions).await;
    stage.post("/new/x", "").await.succeeds(202);
    stage.post("/no/x", "").await.fails(502, "upstream_denied");
    let stranger = Stage::new(&server, &ours(&folder, "other", ""), &functions).await;
    let denied = async || stranger.post("/new/x", "").await.code.as_deref() == Some("upstream_denied");
    assert!(until(Duration::from_secs(20), denied).await, "{:?}", stranger.post("/new/x", "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_want_tls_before_it_says_anything() {
    let folder = certificates();
    works(&tls(&folder, "server", "handshake_first: true"), &ours(&folder, "client", ", first: true")).await;
}
