//! TLS towards services: roots, client certificate, protocol choice. Verification can't be switched off.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use callgate_core::Context;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;

use crate::settings::TlsSettings;

/// What connections to `https` endpoints need.
pub(crate) struct Tls {
    /// Offers what the settings allow.
    pub(crate) any: TlsConnector,
    /// Offers HTTP/1.1 alone, for upgrades.
    pub(crate) http1: TlsConnector,
    pub(crate) server_name: Option<ServerName<'static>>,
}

/// Why a client can't be built from its settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A PEM file can't be read, or holds nothing of the kind it should.
    #[error("`{file}` holds no {expected} in PEM form")]
    File {
        /// The file.
        file: String,
        /// What it should hold.
        expected: &'static str,
        /// What the reader says.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The system has no certificate authorities to trust.
    #[error("the system has no certificate authorities (install `ca-certificates`, or set `tls.ca`)")]
    NoRoots,
    /// The certificates can't be used.
    #[error("the certificates can't be used")]
    Certificate(#[from] rustls::Error),
    /// `server_name` is no host name.
    #[error("`{0}` is neither a host name nor an IP address")]
    ServerName(String),
    /// The proxy's URL, or its login, can't be used.
    #[error("the proxy can't be used: {0}")]
    Proxy(String),
}

static NATIVE: OnceLock<Arc<RootCertStore>> = OnceLock::new();

impl TlsSettings {
    /// What the TLS library needs for connections of any protocol: authorities, and the gateway's own certificate.
    /// Reads files, so it is for load time.
    ///
    /// # Errors
    /// A file can't be read or is none of what it should be; the system has no authorities.
    pub fn client_config(&self, context: &Context) -> Result<ClientConfig, SetupError> {
        let roots = match &self.ca {
            Some(file) => Arc::new(read_roots(&context.file(file))?),
            None => native_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        Ok(match (&self.certificate, &self.private_key) {
            (Some(certificate), Some(key)) => {
                let chain = read_certificates(&context.file(certificate))?;
                builder.with_client_auth_cert(chain, read_key(&context.file(key))?)?
            }
            _ => builder.with_no_client_auth(),
        })
    }
}

impl Tls {
    pub(crate) fn build(settings: &TlsSettings, http2: Option<bool>, context: &Context) -> Result<Self, SetupError> {
        let mut config = settings.client_config(context)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        match http2 {
            Some(true) => config.alpn_protocols = vec![b"h2".to_vec()],
            Some(false) => {}
            None => config.alpn_protocols.insert(0, b"h2".to_vec()),
        }
        let server_name = match &settings.server_name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| SetupError::ServerName(name.clone()))?),
        };
        Ok(Self { any: Arc::new(config).into(), http1: http1.into(), server_name })
    }
}

/// The system's authorities, read once per process.
fn native_roots() -> Result<Arc<RootCertStore>, SetupError> {
    if let Some(roots) = NATIVE.get() {
        return Ok(roots.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "Some of the system's certificate authorities can't be read.");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(SetupError::NoRoots);
    }
    Ok(NATIVE.get_or_init(|| Arc::new(roots)).clone())
}

fn read_roots(file: &Path) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let failed = |source| SetupError::File { file: file.display().to_string(), expected: "certificate", source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if certificates.is_empty() {
        return Err(failed(rustls_pki_types::pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| SetupError::File {
        file: file.display().to_string(),
        expected: "private key",
        source,
    })
}
