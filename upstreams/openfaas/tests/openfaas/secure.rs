//! TLS towards the gateway.

use std::sync::Arc;

use callgate_core::Body;
use http::Request;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::stage::{Raw, Stage, head};

/// A server whose certificate, of an authority of the test's own, is for this name.
async fn server(name: &str, folder: &std::path::Path) -> Raw {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor: TlsAcceptor = Arc::new(config).into();
    Raw::with(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if head(&mut stream).await.is_some() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                stream.shutdown().await.ok();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for (name, expected) in [("127.0.0.1", (200, "none")), ("other.test", (502, "upstream_unreachable"))] {
        let folder = tempfile::tempdir().unwrap();
        let server = server(name, folder.path()).await;
        let url = server.url().replace("http:", "https:");
        let ca = folder.path().join("ca.pem");
        let routes = "  - {match: /a, to: faas/mirror}\n";
        let stage = Stage::new(&url, &format!(", tls: {{ca: \"{}\"}}", ca.display()), routes).await;
        let answer = stage.send(Request::get("/a").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.failure(), expected, "{name}: {answer:?}");
    }
}
