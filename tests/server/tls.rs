//! TLS on listeners.

use std::sync::Arc;

use callgate::{
    core::plan::{Address, ListenerTls},
    server::{Limits, Readiness, Server, check_tls, install_tls_provider},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::gate::{Answers, Gate, LARGE, SOON, listener};

/// An authority, a server's certificate and a client's, in files.
struct Certificates {
    folder: TempDir,
    roots: RootCertStore,
    client: (rcgen::Certificate, KeyPair),
}

impl Certificates {
    fn new() -> Self {
        install_tls_provider();
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        let (server, server_key) = leaf("localhost");
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        write("ca.pem", authority.pem());
        write("cert.pem", server.pem());
        write("key.pem", server_key.serialize_pem());
        let client = leaf("client");
        write("other.pem", client.1.serialize_pem());
        write("empty.pem", String::new());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        Self { folder, roots, client }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn listener(&self, client_ca: bool) -> ListenerTls {
        ListenerTls {
            client_ca: client_ca.then(|| self.path("ca.pem")),
            ..ListenerTls::new(self.path("cert.pem"), self.path("key.pem"))
        }
    }

    /// A connection on which nothing was said yet.
    async fn agree_on_http_2(&self, gate: &Gate) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::builder().with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(gate.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// The answer to a request, and the protocol that was agreed on.
    async fn get(
        &self,
        gate: &Gate,
        with_certificate: bool,
        alpn: &[&str],
    ) -> std::io::Result<(String, Option<Vec<u8>>)> {
        let builder = ClientConfig::builder().with_root_certificates(self.roots.clone());
        let mut config = if with_certificate {
            let key = PrivateKeyDer::try_from(self.client.1.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![self.client.0.der().clone()], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(gate.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        let mut text = String::new();
        if agreed.as_deref() != Some(b"h2") {
            stream.write_all(b"GET /s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            stream.read_to_string(&mut text).await?;
        }
        Ok((text, agreed))
    }
}

#[tokio::test]
async fn http_2_is_spoken_over_tls() {
    let certificates = Certificates::new();
    let gate = Gate::with(&Limits::default(), Some(certificates.listener(false)));
    let stream = certificates.agree_on_http_2(&gate).await;
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    let exchange = async {
        for (path, length) in [("/x", "GET https://localhost/x 0".len()), ("/large", LARGE - 65_536)] {
            let request = http::Request::get(format!("https://localhost{path}")).body(()).unwrap();
            let (response, _) = requests.send_request(request, true).unwrap();
            let mut body = response.await.unwrap().into_body();
            let mut read = 0;
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                read += data.len();
                body.flow_control().release_capacity(data.len()).unwrap();
            }
            assert_eq!(read, length, "{path}");
        }
    };
    tokio::select! {
        ended = connection => panic!("the connection ended: {ended:?}"),
        done = tokio::time::timeout(SOON, exchange) => done.expect("it is answered in time"),
    }
}

#[tokio::test]
async fn serves_over_tls_and_offers_http_2_first() {
    let certificates = Certificates::new();
    let gate = Gate::with(&Limits::default(), Some(certificates.listener(false)));
    let (text, agreed) = certificates.get(&gate, false, &["http/1.1"]).await.unwrap();
    assert!(text.ends_with("GET /s 0"), "{text}");
    assert_eq!(agreed.unwrap(), b"http/1.1");
    let (_, agreed) = certificates.get(&gate, false, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(agreed.unwrap(), b"h2");
    let (text, _) = certificates.get(&gate, false, &[]).await.unwrap();
    assert!(text.ends_with("GET /s 0"), "{text}");
}

#[tokio::test]
async fn a_client_without_the_certificate_that_is_asked_for_gets_nothing() {
    let certificates = Certificates::new();
    let mut gate = Gate::with(&Limits::default(), Some(certificates.listener(true)));
    assert!(certificates.get(&gate, false, &[]).await.is_err());
    assert!(gate.saw.try_recv().is_err());
    let (text, _) = certificates.get(&gate, true, &[]).await.unwrap();
    assert!(text.ends_with("GET /s 0"), "{text}");
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_closed() {
    let certificates = Certificates::new();
    let limits = Limits { head_timeout: std::time::Duration::from_millis(400), ..Limits::default() };
    let mut gate = Gate::with(&limits, Some(certificates.listener(false)));
    assert!(gate.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.closed);
    let mut silent = gate.connect().await;
    assert!(silent.read_to_end(SOON).await.closed, "a handshake that does not begin keeps its connection");
    assert!(gate.saw.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_agrees_on_http_2_and_says_nothing_is_closed() {
    let certificates = Certificates::new();
    let limits = Limits { idle_timeout: std::time::Duration::from_millis(400), ..Limits::default() };
    let gate = Gate::with(&limits, Some(certificates.listener(false)));
    let mut stream = certificates.agree_on_http_2(&gate).await;
    let mut bytes = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection is closed").ok();
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let certificates = Certificates::new();
    let refused = |certificate: &str, key: &str, client_ca: Option<&str>| {
        let tls = ListenerTls {
            client_ca: client_ca.map(|name| certificates.path(name)),
            ..ListenerTls::new(certificates.path(certificate), certificates.path(key))
        };
        let folder = certificates.folder.path().display().to_string();
        check_tls(&tls).unwrap_err().to_string().replace(&folder, "DIR")
    };
    assert!(refused("none.pem", "key.pem", None).starts_with("DIR/none.pem can't be read: "));
    assert_eq!(refused("empty.pem", "key.pem", None), "DIR/empty.pem holds no certificate in PEM form");
    assert_eq!(refused("cert.pem", "cert.pem", None), "DIR/cert.pem holds no private key in PEM form");
    assert!(
        refused("cert.pem", "other.pem", None)
            .starts_with("the certificate DIR/cert.pem can't be used with the key DIR/other.pem: ")
    );
    assert_eq!(refused("cert.pem", "key.pem", Some("empty.pem")), "DIR/empty.pem holds no certificate in PEM form");
}

#[test]
fn a_server_does_not_start_with_such_files() {
    let (answers, _) = Answers::new();
    let mut public = listener("secure", Address::Tcp("127.0.0.1:0".parse().unwrap()));
    public.tls = Some(ListenerTls::new("missing.pem", "missing.pem"));
    let error = Server::start(&[public], None, &Limits::default(), &Readiness::starting(), &answers).unwrap_err();
    assert!(error.to_string().starts_with("listener `secure`: missing.pem can't be read"), "{error}");
}
