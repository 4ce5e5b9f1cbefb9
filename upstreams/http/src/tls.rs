//! TLS towards services: roots, client certificate, protocol choice. Verification can't be switched off.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use callgate_core::{Context, Files, Invalid, chain};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, ServerName,
    pem::{self, PemObject},
};
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
    /// A file can't be read.
    #[error("{} can't be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no PEM file.
    #[error("{} is no PEM file", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What the reader says.
        source: pem::Error,
    },
    /// A PEM file holds nothing of the kind it should.
    #[error("{} holds no {expected} in PEM form", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// What a file holds can't be used.
    #[error("{} can't be used", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// What the TLS library says.
        source: rustls::Error,
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
            Some(file) => read_roots(&context.file(file))?,
            None => native_roots()?,
        };
        let own = self.certificate.as_ref().zip(self.private_key.as_ref());
        match own.map(|(certificate, key)| (context.file(certificate), context.file(key))) {
            Some((certificate, key)) => {
                identified(roots, read_certificates(&certificate)?, read_key(&key)?, certificate)
            }
            None => Ok(builder(roots)?.with_no_client_auth()),
        }
    }

    /// Reads the files that the settings name, for [`Upstream::read_files`](callgate_core::Upstream::read_files) of kinds
    /// that have these as `tls`. Uses no network.
    pub fn read_files(&self, files: &Files) -> Vec<Invalid> {
        let mut found = Vec::new();
        if let Some(ca) = &self.ca {
            found.extend(flawed("ca", read_roots(&files.file(ca))).err());
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.private_key) {
            let (certificate, key) = (files.file(certificate), files.file(key));
            let chain = flawed("certificate", read_certificates(&certificate));
            match (chain, flawed("private_key", read_key(&key))) {
                (Ok(chain), Ok(key)) => {
                    let nobody = Arc::new(RootCertStore::empty());
                    found.extend(flawed("certificate", identified(nobody, chain, key, certificate)).err());
                }
                (chain, key) => found.extend(chain.err().into_iter().chain(key.err())),
            }
        }
        found
    }
}

fn builder(
    roots: Arc<RootCertStore>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, SetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}

/// For a client with a certificate of its own, which has to be the key's.
fn identified(
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    file: PathBuf,
) -> Result<ClientConfig, SetupError> {
    builder(roots)?.with_client_auth_cert(chain, key).map_err(|source| SetupError::Unfit { file, source })
}

/// What is wrong with the file of a field.
fn flawed<T>(field: &str, read: Result<T, SetupError>) -> Result<T, Invalid> {
    read.map_err(|error| Invalid::new(chain(&error)).at(format!("tls.{field}")))
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

fn read_roots(file: &Path) -> Result<Arc<RootCertStore>, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots.add(certificate).map_err(|source| SetupError::Unfit { file: file.to_owned(), source })?;
    }
    Ok(Arc::new(roots))
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let text = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|source| SetupError::Pem { file: file.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(SetupError::Empty { file: file.to_owned(), expected: "certificate" });
    }
    Ok(certificates)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|error| match error {
        pem::Error::NoItemsFound => SetupError::Empty { file: file.to_owned(), expected: "private key" },
        source => SetupError::Pem { file: file.to_owned(), source },
    })
}

fn read(file: &Path) -> Result<Vec<u8>, SetupError> {
    fs::read(file).map_err(|source| SetupError::Unreadable { file: file.to_owned(), source })
}
