//! Certificates of listeners and of clients, through the real binary.

use std::{net::SocketAddr, sync::Arc};

use callgate::server::install_tls_provider;
use callgate_testkit::peers::until;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{gate::SOON, running::Running};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    roots: RootCertStore,
}

/// A certificate with its key, as PEM and DER.
pub(crate) struct Pair {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Pair {
    /// The same once more.
    pub(crate) fn again(&self) -> Self {
        Self { pem: self.pem.clone(), key_pem: self.key_pem.clone(), der: self.der.clone(), key: self.key.clone_key() }
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        install_tls_provider();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        Self { issuer: Issuer::new(params, key), pem: own.pem(), roots }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn sign(&self, common_name: &str, names: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// Connects, asking for a name; trusts this authority, and shows a certificate where one is given.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        name: &str,
        client: Option<&Pair>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.over(TcpStream::connect(address).await?, name, client, versions).await
    }

    /// The same over a connection that is there already.
    pub(crate) async fn over(
        &self,
        tcp: TcpStream,
        name: &str,
        client: Option<&Pair>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(self.roots.clone());
        let config = match client {
            Some(pair) => builder.with_client_auth_cert(vec![pair.der.clone()], pair.key.clone_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), tcp).await
    }

    /// Whether a client that asks for this name gets this certificate.
    async fn serves(&self, address: SocketAddr, name: &str, expected: &Pair) -> bool {
        match self.connect(address, name, None, rustls::ALL_VERSIONS).await {
            Ok(stream) => stream.get_ref().1.peer_certificates().unwrap()[0] == expected.der,
            Err(_) => false,
        }
    }
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"end") {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn listener(tls: &str) -> String {
    format!(
        "listeners: {{public: {{address: '127.0.0.1:0', tls: {{{tls}}}}}}}\n\
         routes:\n- match: /a\n  respond: {{body: {{text: \"{{{{ client.certificate.subject | default('nobody') }}}} {{{{ \
         client.certificate.san.dns[0] if client.certificate else '' }}}} end\"}}}}\n"
    )
}

#[tokio::test]
async fn a_client_gets_the_certificate_for_the_name_that_it_asks_for() {
    let authority = Authority::new();
    let (first, shop) = (authority.sign("first", &["first.test"]), authority.sign("shop", &["*.shop.test"]));
    let yaml = listener(
        "certificates: [{certificate: first.pem, private_key: first.key}, {certificate: shop.pem, private_key: shop.key}]",
    );
    let files = [
        ("first.pem", &*first.pem),
        ("first.key", &first.key_pem),
        ("shop.pem", &shop.pem),
        ("shop.key", &shop.key_pem),
    ];
    let mut running = Running::start_with(&yaml, &files).await;
    let address = running.address("public").await;
    assert!(authority.serves(address, "first.test", &first).await);
    assert!(authority.serves(address, "a.shop.test", &shop).await);
    assert!(
        authority.connect(address, "other.test", None, rustls::ALL_VERSIONS).await.is_err(),
        "the default is first.test's"
    );
}

#[tokio::test]
async fn a_changed_certificate_is_served_to_new_connections_and_open_ones_go_on() {
    let authority = Authority::new();
    let (old, new) = (authority.sign("old", &["a.test"]), authority.sign("new", &["a.test"]));
    let files = [("a.pem", &*old.pem), ("a.key", &old.key_pem)];
    let mut running = Running::start_with(&listener("certificate: a.pem, private_key: a.key"), &files).await;
    let address = running.address("public").await;
    let mut open = authority.connect(address, "a.test", None, rustls::ALL_VERSIONS).await.unwrap();
    get(&mut open, "/a").await.unwrap();

    running.write("a.pem", "no certificate");
    let line = running.says("The configuration can't be reloaded; the former one stays in force.").await;
    let report = line["report"].as_str().unwrap();
    assert!(
        report.contains("a.pem holds no certificate") && report.contains("listeners.public.tls.certificate"),
        "{report}"
    );
    assert!(authority.serves(address, "a.test", &old).await, "the former certificate stays");

    running.write("a.key", &new.key_pem);
    running.write("a.pem", &new.pem);
    assert!(until(SOON, async || authority.serves(address, "a.test", &new).await).await);
    let answer = get(&mut open, "/a").await.unwrap();
    assert!(answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn what_a_client_shows_is_in_reach_of_templates() {
    let authority = Authority::new();
    let server = authority.sign("server", &["a.test"]);
    let client = authority.sign("billing", &["billing.internal"]);
    let stranger = Authority::new().sign("billing", &["billing.internal"]);
    let files = [("a.pem", &*server.pem), ("a.key", &server.key_pem), ("ca.pem", &authority.pem)];
    let tls = |auth: &str| {
        listener(&format!("certificate: a.pem, private_key: a.key, client_ca: ca.pem, client_auth: {auth}"))
    };
    let mut running = Running::start_with(&tls("optional"), &files).await;
    let address = running.address("public").await;
    let ask = async |client: Option<&Pair>| {
        let mut stream = authority.connect(address, "a.test", client, rustls::ALL_VERSIONS).await?;
        get(&mut stream, "/a").await
    };
    let answer = ask(Some(&client)).await.unwrap();
    assert!(answer.ends_with("CN=billing billing.internal end"), "{answer}");
    let answer = ask(None).await.unwrap();
    assert!(answer.ends_with("nobody  end"), "{answer}");
    assert!(ask(Some(&stranger)).await.is_err(), "a certificate of another authority");

    running.configure(&tls("required"));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["listeners"]["kept"]), (200, &json!(["public"])), "{told}");
    assert!(ask(None).await.is_err(), "a client without a certificate");
    assert!(ask(Some(&client)).await.is_ok());
}

#[tokio::test]
async fn versions_older_than_the_least_are_not_spoken() {
    let authority = Authority::new();
    let server = authority.sign("server", &["a.test"]);
    let files = [("a.pem", &*server.pem), ("a.key", &server.key_pem)];
    let yaml = listener("certificate: a.pem, private_key: a.key, min_version: 1.3");
    let mut running = Running::start_with(&yaml, &files).await;
    let address = running.address("public").await;
    let connect = async |version| authority.connect(address, "a.test", None, &[version]).await;
    assert!(connect(&rustls::version::TLS12).await.is_err());
    assert!(connect(&rustls::version::TLS13).await.is_ok());
}
