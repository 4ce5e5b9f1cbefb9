//! TLS on listeners: rustls with aws-lc-rs, HTTP/2 and HTTP/1.1 by ALPN.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use callgate_core::plan::ListenerTls;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::error::TlsError;

/// Makes aws-lc-rs the process's provider of cryptography; a second call does nothing.
pub fn install_tls_provider() {
    // The error is the provider that is there already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

/// Reads and checks the files of a TLS listener.
pub(super) fn acceptor(tls: &ListenerTls) -> Result<TlsAcceptor, TlsError> {
    Ok(TlsAcceptor::from(Arc::new(server_config(tls)?)))
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
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.private_key)
        .map_err(|reason| unreadable(&tls.private_key, "private key", reason))?;
    let builder = ServerConfig::builder();
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let refused = |reason: String| TlsError::ClientCa { path: path.clone(), reason };
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| refused(error.to_string()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| refused(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|reason| TlsError::Pair {
        certificate: tls.certificate.clone(),
        private_key: tls.private_key.clone(),
        reason,
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let chain = read().map_err(|reason| unreadable(path, "certificate", reason))?;
    if chain.is_empty() {
        return Err(unreadable(path, "certificate", pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn unreadable(path: &Path, expected: &'static str, reason: pem::Error) -> TlsError {
    let path = PathBuf::from(path);
    match reason {
        pem::Error::NoItemsFound => TlsError::Empty { path, expected },
        reason => TlsError::Read { path, reason },
    }
}
