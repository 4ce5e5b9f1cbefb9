//! A configuration in a bucket of NATS, through the real binary and a real server.

use std::{path::Path, process::Command, time::Duration};

use async_nats::{
    ConnectOptions,
    jetstream::{self, kv},
};
use callgate_testkit::peers::{NatsServer, Process, present};

use crate::running::{Running, document};

const PASSWORD: &str = "hush-hush";
/// A user with what a gateway needs on a bucket, and one that may do nothing with it.
pub(crate) const GATE: &str = r#"{user: gate, password: "hush-hush", permissions: {
    publish: ["$JS.API.STREAM.INFO.KV_config", "$JS.API.CONSUMER.CREATE.KV_config", "$JS.API.CONSUMER.CREATE.KV_config.>", "$JS.API.CONSUMER.DELETE.KV_config.>", "$JS.FC.>"],
    subscribe: ["_INBOX.>"]}}"#;
const NOBODY: &str =
    r#"{user: nobody, password: "hush-hush", permissions: {publish: ["none"], subscribe: ["_INBOX.>"]}}"#;

/// A server with a bucket.
pub(crate) struct Store {
    server: NatsServer,
    bucket: kv::Store,
}

impl Store {
    /// A bucket with these entries, unless there is no server to be had.
    async fn with(entries: &[(&str, &str)]) -> Option<Self> {
        let users = format!("authorization: {{users: [{{user: admin, password: admin}}, {GATE}, {NOBODY}]}}");
        let server = present(NatsServer::start(&users).await)?;
        let admin = ConnectOptions::with_user_and_password("admin".into(), "admin".into());
        Some(Self::on(server, admin, entries).await)
    }

    /// A bucket with these entries on a server, made by a user who may.
    pub(crate) async fn on(server: NatsServer, admin: ConnectOptions, entries: &[(&str, &str)]) -> Self {
        let admin = admin.reconnect_delay_callback(|_| Duration::from_millis(20));
        let client = admin.connect(server.url()).await.unwrap();
        let config = kv::Config { bucket: "config".to_owned(), ..kv::Config::default() };
        let bucket = jetstream::new(client).create_key_value(config).await.unwrap();
        let store = Self { server, bucket };
        for (key, text) in entries {
            store.put(key, text).await;
        }
        store
    }

    pub(crate) async fn restart(&mut self) {
        self.server.restart().await.unwrap();
    }

    pub(crate) async fn put(&self, key: &str, text: &str) -> u64 {
        let mut put = Err(());
        // The connection of the test heals by itself as well.
        for _ in 0..100 {
            put = self.bucket.put(key, text.to_owned().into()).await.map_err(drop);
            if put.is_ok() {
                break;
            }
        }
        put.unwrap()
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://gate:{PASSWORD}@{}/config", self.server.address())
    }

    /// The address without a user.
    pub(crate) fn anonymous(&self) -> String {
        format!("{}/config", self.server.url())
    }

    /// The text without what differs from run to run.
    fn steady(&self, text: &str) -> String {
        text.replace(&self.server.address(), "BROKER")
    }
}

pub(crate) fn says(text: &str) -> String {
    format!("routes: [{{match: /a, respond: {{body: {{text: {text}}}}}}}]\n")
}

/// What a command prints, and its exit code.
fn command(arguments: &[&str]) -> (String, Option<i32>) {
    command_in(Process::folder("gateway").unwrap().path(), arguments)
}

/// The same in a folder.
pub(crate) fn command_in(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

#[tokio::test]
async fn a_put_is_in_force_soon_and_a_broken_one_changes_nothing() {
    let first = document("include: ['routes/*.yaml']\n");
    let Some(store) = Store::with(&[("callgate.yaml", &first), ("routes/a.yaml", &says("one"))]).await else { return };
    let mut running = Running::run(Process::folder("gateway").unwrap(), &store.address()).await;
    running.answers("/a", "one").await;
    let revision = store.put("routes/a.yaml", &says("two")).await;
    running.answers("/a", "two").await;
    let line = running.says_that("the reload", |line| line["cause"] == "bucket").await;
    assert_eq!(line["revision"], revision, "{line}");

    store.put("routes/a.yaml", "routes: [{match: /a, respnd: {}}]\n").await;
    let line = running.says("The configuration can't be reloaded; the former one stays in force.").await;
    let report = store.steady(line["report"].as_str().unwrap());
    assert!(report.contains("nats://BROKER/config/routes/a.yaml:1:"), "{report}");
    assert!(report.contains("did you mean `respond`?"), "{report}");
    running.answers("/a", "two").await;
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["cause"], &told["revision"]), (422, &"request".into(), &(revision + 1).into()), "{told}");

    store.bucket.delete("routes/a.yaml").await.unwrap();
    running.says_that("the include", |line| line["report"].to_string().contains("matches nothing")).await;
    running.answers("/a", "two").await;
    let last = store.put("routes/b.yaml", &says("three")).await;
    running.answers("/a", "three").await;
    let (_, history) = running.admin("GET /reload", "").await;
    assert!(history.contains(&format!("\"revision\":{last}")), "{history}");
    let (_, config) = running.admin("GET /config", "").await;
    let log = running.lines().iter().map(ToString::to_string).collect::<String>();
    for shown in [history, config, log] {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_goes_away_changes_nothing_and_is_followed_again() {
    let Some(mut store) = Store::with(&[("callgate.yaml", &document(&says("one")))]).await else { return };
    let mut running = Running::run(Process::folder("gateway").unwrap(), &store.address()).await;
    running.answers("/a", "one").await;
    let reachable = "callgate_configuration_reachable";
    assert!(running.admin("GET /metrics", "").await.1.contains(&format!("{reachable} 1\n")));
    store.server.kill();
    running.says_that("the loss", |line| line["message"].to_string().contains("is lost; it is made again")).await;
    running.answers("/a", "one").await;
    assert!(running.admin("GET /metrics", "").await.1.contains(&format!("{reachable} 0\n")));
    assert_eq!(running.admin("GET /ready", "").await.0, 200, "it serves on");
    let (status, told) = running.reload().await;
    assert_eq!(status, 409, "{told}");
    assert!(told["report"].as_str().unwrap().contains("there is no connection to NATS"), "{told}");

    store.restart().await;
    store.put("callgate.yaml", &document(&says("two"))).await;
    running.answers("/a", "two").await;
    running.says("The bucket of the configuration can be reached again.").await;
    store.put("callgate.yaml", &document(&says("three"))).await;
    running.answers("/a", "three").await;
}

#[tokio::test]
async fn what_was_put_while_the_gateway_heard_nothing_is_caught_up_with() {
    let Some(store) = Store::with(&[("callgate.yaml", &document(&says("one")))]).await else { return };
    let mut running = Running::run(Process::folder("gateway").unwrap(), &store.address()).await;
    running.answers("/a", "one").await;
    running.signal("-STOP");
    store.put("callgate.yaml", &document(&says("two"))).await;
    running.signal("-CONT");
    running.answers("/a", "two").await;
}

#[tokio::test]
async fn a_gateway_that_starts_waits_a_little_for_the_server() {
    let Some(mut store) = Store::with(&[("callgate.yaml", &document(&says("one")))]).await else { return };
    store.server.kill();
    let mut late = Running::begin(Process::folder("gateway").unwrap(), &store.address());
    let mut lost = Running::begin(Process::folder("gateway").unwrap(), &store.address());
    late.says("The configuration can't be read yet; it is tried again for 10 s.").await;
    assert_eq!(lost.ended().await, Some(1));
    let told = lost.text();
    assert!(told.contains("/config/callgate.yaml: NATS can't be reached") && !told.contains(PASSWORD), "{told}");
    drop(late);
    let mut late = Running::begin(Process::folder("gateway").unwrap(), &store.address());
    late.says("The configuration can't be read yet; it is tried again for 10 s.").await;
    store.restart().await;
    late.answers("/a", "one").await;
}

#[tokio::test]
async fn every_command_reads_a_bucket() {
    let yaml = document(&says("'${KEY:-one}'"));
    let Some(store) = Store::with(&[("eu/gate.yaml", &yaml), ("wrong.yaml", "routes: [{mtch: /a}]\n")]).await else {
        return;
    };
    let address = store.address() + "/eu/gate.yaml";
    let (text, code) = command(&["check", &address]);
    assert_eq!(code, Some(0), "{text}");
    insta::assert_snapshot!(store.steady(&text), @r#"
    nats://BROKER/config/eu/gate.yaml is valid: 1 listener, 0 upstreams, 1 route
    "#);
    for arguments in [&["config", &address] as &[_], &["routes", &address], &["explain", &address, "GET", "/a"]] {
        let (text, code) = command(arguments);
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
    let (text, code) = command(&["test", &address]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("there are no tests"), "{text}");
    let (text, code) = command(&["check", &(store.address() + "/wrong.yaml")]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(store.steady(&text), @r#"
    error: the route does nothing
      --> nats://BROKER/config/wrong.yaml:1:10 in routes[0]
       |
     1 | routes: [{mtch: /a}]
       |          ^^^^^^^^^^
       = help: give it one of `to`, `redirect`, `respond` and `openapi`

    error: unknown field `mtch`
      --> nats://BROKER/config/wrong.yaml:1:11 in routes[0]
       |
     1 | routes: [{mtch: /a}]
       |           ^^^^ expected one of `name`, `match`, `to`, `redirect`, `respond`, `openapi`, `request`, `response`, ...
       = help: did you mean `match`?

    2 errors in nats://BROKER/config/wrong.yaml
    "#);
}

#[tokio::test]
async fn what_can_not_be_read_is_told_and_no_credentials_with_it() {
    let Some(store) = Store::with(&[("callgate.yaml", &document(&says("one")))]).await else { return };
    let broker = store.server.address();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut told = String::new();
    for address in [
        format!("nats://gate:{PASSWORD}@{broker}"),
        format!("nats://gate:{PASSWORD}@{broker}/config?cred=x"),
        format!("nats://gate:{PASSWORD}@{broker}/config/callgte.yaml"),
        format!("nats://admin:admin@{broker}/conf"),
        format!("nats://gate:{PASSWORD}@{broker}/conf"),
        format!("nats://gate:{PASSWORD}-no@{broker}/config"),
        format!("nats://nobody:{PASSWORD}@{broker}/config"),
        format!("tls://gate:{PASSWORD}@{broker}/config"),
        format!("nats://gate:{PASSWORD}@{port}/config"),
    ] {
        let (text, code) = command(&["check", &address]);
        assert!(code == Some(1) || code == Some(2), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
        told += &format!("{} {text}", code.unwrap());
    }
    insta::assert_snapshot!(store.steady(&told).replace(&port.to_string(), "NOWHERE"), @r#"
    2 error: the address of the configuration names no bucket
      help: write nats://[USER:PASSWORD@]HOST[:PORT][,HOST...]/BUCKET[/KEY]
    2 error: the address of the configuration has the option `cred`, which is unknown
      help: options are creds, nkey, ca, certificate, private_key, tls_first and inbox_prefix
    1 error: there is no `callgte.yaml` in `nats://BROKER/config`
       = help: did you mean `callgate.yaml`?

    1 error
    1 error: the configuration can't be read from nats://BROKER/conf/callgate.yaml: there is no bucket `conf`: make it, for example by `nats kv add conf`
    1 error: the configuration can't be read from nats://BROKER/conf/callgate.yaml: the gateway's user may not publish to `$JS.API.STREAM.INFO.KV_conf`
    1 error: the configuration can't be read from nats://BROKER/config/callgate.yaml: the NATS server refuses the credentials: authorization violation: nats: authorization violation
    1 error: the configuration can't be read from nats://BROKER/config/callgate.yaml: the gateway's user may not publish to `$JS.API.STREAM.INFO.KV_config`
    1 error: the configuration can't be read from tls://BROKER/config/callgate.yaml: NATS can't be reached: IO error: received corrupt message of type InvalidContentType
    1 error: the configuration can't be read from nats://NOWHERE/config/callgate.yaml: NATS can't be reached: IO error: Connection refused (os error 111)
    "#);
}
