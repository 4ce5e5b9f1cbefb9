//! Certificates and keys in PEM files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use callgate_core::plan::CertificateFiles;
use rustls::{crypto::aws_lc_rs::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use crate::server::error::TlsError;

/// Reads a certificate chain and its key.
pub(super) fn certified_key(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.private_key)
        .map_err(|reason| unreadable(&files.private_key, "private key", reason))?;
    let refused = |reason| TlsError::Pair {
        certificate: files.certificate.clone(),
        private_key: files.private_key.clone(),
        reason,
    };
    let key = CertifiedKey::new(chain, any_supported_type(&key).map_err(refused)?);
    match key.keys_match() {
        // Some keys can't tell.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(Arc::new(key)),
        Err(reason) => Err(refused(reason)),
    }
}

/// Reads certificates; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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
