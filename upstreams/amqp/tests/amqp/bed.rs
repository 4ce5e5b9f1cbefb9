//! A node, and a client of it that is not the gateway.

use std::{fs, path::Path, sync::atomic::AtomicUsize, sync::atomic::Ordering, time::Duration};

use callgate_testkit::peers::{RabbitMq, present, until};
use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    message::BasicGetMessage,
    options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(120);

/// The largest message that the node takes, in bytes.
pub(crate) const LARGEST: usize = 1_000_000;

pub(crate) struct Bed {
    node: Option<Mutex<RabbitMq>>,
    pub(crate) url: String,
    pub(crate) address: String,
    pub(crate) tls_address: String,
    pub(crate) certificates: TempDir,
    names: AtomicUsize,
}

impl Bed {
    /// Starts a node, unless it is not installed; with `given` it is a broker that runs already.
    pub(crate) async fn make(given: Option<String>) -> Option<Self> {
        let (certificates, names) = (certificates(), AtomicUsize::new(0));
        if let Some(url) = given {
            let address = url.rsplit('@').next().and_then(|rest| rest.split('/').next()).unwrap().to_owned();
            return Some(Self { node: None, url, address, tls_address: String::new(), certificates, names });
        }
        let file = |name: &str| certificates.path().join(name).display().to_string();
        let settings = format!(
            "max_message_size = {LARGEST}\nlisteners.ssl.1 = 127.0.0.1:$TLS_PORT\nssl_options.cacertfile = {}\n\
             ssl_options.certfile = {}\nssl_options.keyfile = {}\nssl_options.verify = verify_peer\n\
             ssl_options.fail_if_no_peer_cert = false\nssl_cert_login_from = common_name\n\
             auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL",
            file("ca.pem"),
            file("server.pem"),
            file("server.key")
        );
        let node = present(RabbitMq::start(&settings, &["rabbitmq_auth_mechanism_ssl"]).await)?;
        let (url, address, tls_address) = (node.url(), node.address(), node.tls_address());
        Some(Self { node: Some(Mutex::new(node)), url, address, tls_address, certificates, names })
    }

    /// A name that no other trial has.
    pub(crate) fn name(&self, text: &str) -> String {
        format!("{text}-{}-{}", std::process::id(), self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The node, for what needs one of the test's own.
    pub(crate) async fn node(&self) -> MutexGuard<'_, RabbitMq> {
        self.node.as_ref().expect("a broker that is given can't be administered").lock().await
    }

    /// Lets the node go on, should a trial that failed have left it paused or killed.
    pub(crate) async fn resume(&self) {
        if let Some(node) = &self.node {
            let mut node = node.lock().await;
            node.resume();
            if !node.is_running() {
                node.restart().await.unwrap();
            }
        }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.certificates.path().join(name).display().to_string()
    }

    /// A client of the test's own.
    pub(crate) async fn client(&self) -> Client {
        let mut connected = None;
        // A node that has just started may still reset connections, or leave one without an answer.
        let connects = async || {
            let connecting = Connection::connect(&self.url, ConnectionProperties::default());
            connected = timeout(LONG / 4, connecting).await.ok().and_then(Result::ok);
            connected.is_some()
        };
        assert!(until(LONG, connects).await);
        let connection = connected.unwrap();
        let channel = timeout(LONG, connection.create_channel()).await.unwrap().unwrap();
        Client { connection, channel }
    }
}

pub(crate) struct Client {
    connection: Connection,
    pub(crate) channel: Channel,
}

impl Client {
    /// Makes a durable queue with arguments.
    pub(crate) async fn queue_with(&self, name: &str, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        self.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table).await.unwrap();
    }

    pub(crate) async fn queue(&self, name: &str) {
        self.queue_with(name, &[]).await;
    }

    /// Makes a topic exchange, and binds the queue to it.
    pub(crate) async fn exchange(&self, exchange: &str, queue: &str, routing_key: &str) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let table = FieldTable::default;
        self.channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, table()).await.unwrap();
        let options = QueueBindOptions::default();
        self.channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, table()).await.unwrap();
    }

    /// The next message of a queue, if there is one.
    pub(crate) async fn take(&self, queue: &str) -> Option<BasicGetMessage> {
        let options = BasicGetOptions { no_ack: true };
        timeout(LONG, self.channel.basic_get(queue.into(), options)).await.unwrap().unwrap()
    }

    /// Whether there is such a queue and somebody consumes it.
    pub(crate) async fn is_consumed(&self, queue: &str) -> bool {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        // The answer that there is none takes its channel along.
        let channel = self.connection.create_channel().await.unwrap();
        let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        found.is_ok_and(|queue| queue.consumer_count() > 0)
    }

    /// How many messages a queue holds.
    pub(crate) async fn count(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        queue.message_count()
    }
}

/// An authority with a server's and clients' certificates.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    write(folder.path(), "ca.pem", &authority.pem());
    let mut other = CertificateParams::new(Vec::new()).unwrap();
    other.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    other.distinguished_name.push(DnType::CommonName, "another authority");
    write(
        folder.path(),
        "other-ca.pem",
        &CertifiedIssuer::self_signed(other, KeyPair::generate().unwrap()).unwrap().pem(),
    );
    for (name, host) in [("server", "127.0.0.1"), ("client", "gateway.test")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, host);
        let certificate = params.signed_by(&key, &authority).unwrap();
        write(folder.path(), &format!("{name}.pem"), &certificate.pem());
        write(folder.path(), &format!("{name}.key"), &key.serialize_pem());
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
