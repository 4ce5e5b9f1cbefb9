//! Who the gateway is to the NATS server that has its configuration: certificates, keys and credentials files.

use std::fs;

use async_nats::ConnectOptions;
use callgate_testkit::peers::{NatsRealm, NatsServer, Process, present};
use nkeys::KeyPair;
use tempfile::TempDir;

use crate::{
    bucket::{GATE, Store, command_in, says},
    certificates::Authority,
    running::{Running, document},
};

/// What the gateway needs on a bucket `config`.
const ALLOWED: &[&str] = &[
    "$JS.API.STREAM.INFO.KV_config",
    "$JS.API.CONSUMER.CREATE.KV_config",
    "$JS.API.CONSUMER.CREATE.KV_config.>",
    "$JS.API.CONSUMER.DELETE.KV_config.>",
    "$JS.FC.>",
];

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = Process::folder("gateway").unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs a gateway in a folder, and puts something else.
async fn is_followed(store: &Store, folder: TempDir, address: &str) -> Running {
    let mut running = Running::run(folder, address).await;
    running.answers("/a", "one").await;
    store.put("callgate.yaml", &document(&says("two"))).await;
    running.answers("/a", "two").await;
    running
}

/// What `check` tells of an address that can't be read.
fn refused(folder: &TempDir, address: &str) -> String {
    let (told, code) = command_in(folder.path(), &["check", address]);
    assert_eq!(code, Some(1), "{told}");
    told
}

#[tokio::test]
async fn tls_is_verified_in_both_directions() {
    let authority = Authority::new();
    let (server, client) = (authority.sign("server", &["127.0.0.1"]), authority.sign("client", &["gateway.test"]));
    let stranger = Authority::new();
    let theirs = stranger.sign("client", &["gateway.test"]);
    let at_server =
        folder(&[("ca.pem", authority.pem()), ("server.pem", &server.pem), ("server.key", &server.key_pem)]);
    let file = |name: &str| at_server.path().join(name).display().to_string();
    let settings = format!(
        "tls: {{cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true}}\n\
         authorization: {{users: [{{user: admin, password: admin}}, {GATE}]}}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
    );
    let ours = || {
        folder(&[
            ("ca.pem", authority.pem()),
            ("client.pem", &client.pem),
            ("client.key", &client.key_pem),
            ("strangers.pem", stranger.pem()),
            ("theirs.pem", &theirs.pem),
            ("theirs.key", &theirs.key_pem),
        ])
    };
    let Some(nats) = present(NatsServer::start(&settings).await) else { return };
    let here = ours();
    let path = |name: &str| here.path().join(name);
    let admin = ConnectOptions::with_user_and_password("admin".into(), "admin".into())
        .add_root_certificates(path("ca.pem"))
        .add_client_certificate(path("client.pem"), path("client.key"));
    let mut store = Store::on(nats, admin, &[("callgate.yaml", &document(&says("one")))]).await;
    let broker = store.address().replace("nats://", "tls://");
    let mine = "certificate=client.pem&private_key=client.key";
    let mut running = is_followed(&store, ours(), &format!("{broker}?ca=ca.pem&{mine}")).await;
    for (options, why) in [
        ("?ca=ca.pem".to_owned(), "certificaterequired"),
        (format!("?ca=strangers.pem&{mine}"), "invalid peer certificate"),
        ("?ca=ca.pem&certificate=theirs.pem&private_key=theirs.key".to_owned(), "unknownca"),
    ] {
        let told = refused(&here, &(broker.clone() + &options));
        assert!(told.to_lowercase().contains(why), "{options}: {told}");
    }
    // As a connection that is made again.
    store.restart().await;
    running.says("The bucket of the configuration can be reached again.").await;
    store.put("callgate.yaml", &document(&says("three"))).await;
    running.answers("/a", "three").await;
}

#[tokio::test]
async fn a_key_from_a_file_is_an_identity() {
    let (key, other) = (KeyPair::new_user(), KeyPair::new_user());
    let settings = format!(
        "authorization: {{users: [{{user: admin, password: admin}}, {{nkey: {}, permissions: {{publish: {}, subscribe: \
         [\"_INBOX.>\"]}}}}]}}",
        key.public_key(),
        serde_json::to_string(ALLOWED).unwrap()
    );
    let Some(nats) = present(NatsServer::start(&settings).await) else { return };
    let admin = ConnectOptions::with_user_and_password("admin".into(), "admin".into());
    let store = Store::on(nats, admin, &[("callgate.yaml", &document(&says("one")))]).await;
    let (seed, wrong) = (key.seed().unwrap(), other.seed().unwrap());
    let files = [("seed", &*seed), ("wrong", &wrong)];
    let address = format!("{}?nkey=${{file:seed}}", store.anonymous());
    let running = is_followed(&store, folder(&files), &address).await;
    assert!(!running.text().contains(&seed), "{}", running.text());
    let told = refused(&folder(&files), &address.replace("seed", "wrong"));
    assert!(told.contains("the NATS server refuses the credentials") && !told.contains(&wrong), "{told}");
}

#[tokio::test]
async fn a_credentials_file_is_an_identity() {
    let Some(realm) = present(NatsRealm::start(true, "").await) else { return };
    let admin = ConnectOptions::with_credentials(&realm.creds(&[">"], None).unwrap()).unwrap();
    let gate = realm.creds(ALLOWED, None).unwrap();
    let files = [
        ("gate.creds", gate),
        ("past.creds", realm.creds(ALLOWED, Some(1_700_000_001)).unwrap()),
        ("foreign.creds", NatsRealm::foreign_creds(ALLOWED).unwrap()),
        ("none.creds", realm.creds(&["none"], None).unwrap()),
        ("wrong.creds", "nothing".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let store = Store::on(realm.server, admin, &[("callgate.yaml", &document(&says("one")))]).await;
    let address = |name: &str| format!("{}?creds={name}.creds", store.anonymous());
    is_followed(&store, folder(&files), &address("gate")).await;
    let here = folder(&files);
    for (name, why) in [
        ("past", "the NATS server refuses the credentials"),
        ("foreign", "the NATS server refuses the credentials"),
        ("none", "the gateway's user may not publish to `$JS.API.STREAM.INFO.KV_config`"),
    ] {
        let told = refused(&here, &address(name));
        assert!(told.contains(why) && !told.contains("-----"), "{name}: {told}");
    }
    // It is the address that is wrong, before anybody is asked.
    let (told, code) = command_in(here.path(), &["check", &address("wrong")]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("wrong.creds holds no user's JWT and seed"), "{told}");
}
