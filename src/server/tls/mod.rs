//! TLS on listeners: rustls with aws-lc-rs, HTTP/2 and HTTP/1.1 by ALPN.

mod client;
mod distinguished;
mod files;
mod names;

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use callgate_core::plan::{ClientAuth, ListenerTls, TlsVersion};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

pub(super) use client::identity;

use super::error::TlsError;
use files::{certificates, certified_key};
use names::ByName;

/// Makes aws-lc-rs the process's provider of cryptography; a second call does nothing.
pub fn install_tls_provider() {
    // The error is the provider that is there already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

/// TLS of a listener, as its files were when they were read.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    config: Arc<ServerConfig>,
    settings: ListenerTls,
    /// What was in the files.
    print: u64,
}

impl Tls {
    /// Reads and checks the files of a listener. Where nothing has changed, `former` goes on: clients may resume their
    /// sessions.
    pub(super) fn read(settings: &ListenerTls, former: Option<&Self>) -> Result<Self, TlsError> {
        let print = print(settings);
        if let Some(former) = former.filter(|former| former.settings == *settings && former.print == print) {
            return Ok(former.clone());
        }
        let config = Arc::new(server_config(settings)?);
        Ok(Self { config, settings: settings.clone(), print })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// Differs where a file has changed.
fn print(settings: &ListenerTls) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in settings.files() {
        fs::read(file).ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// Checks the files of a TLS listener without listening, as `callgate check` does.
///
/// # Errors
/// A file that can't be read or is not what it should be, a key that is not the certificate's.
pub fn check(tls: &ListenerTls) -> Result<(), TlsError> {
    server_config(tls).map(drop)
}

fn server_config(tls: &ListenerTls) -> Result<ServerConfig, TlsError> {
    install_tls_provider();
    let keys = tls.certificates.iter().map(certified_key).collect::<Result<Vec<_>, _>>()?;
    let builder = ServerConfig::builder_with_protocol_versions(versions(tls.min_version));
    let builder = match verifier(tls)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName::new(keys)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&TLS13];

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match oldest {
        TlsVersion::Tls12 => &FROM_1_2,
        TlsVersion::Tls13 => &FROM_1_3,
    }
}

/// What verifies the certificates of clients.
fn verifier(tls: &ListenerTls) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(path) = &tls.client_ca else { return Ok(None) };
    let refused = |reason: String| TlsError::ClientCa { path: path.clone(), reason };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        roots.add(authority).map_err(|error| refused(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder(Arc::new(roots));
    let builder = match tls.client_auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map(Some).map_err(|error| refused(error.to_string()))
}
