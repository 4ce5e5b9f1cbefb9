//! Why a server can't start or go on.

use std::{io, path::PathBuf, sync::Arc};

use callgate_core::plan::{Address, CertificateFiles, ListenerTls};

/// Why a server can't start or go on.
///
/// The message is whole: what the system or rustls says is in it, so there is no source to be printed after it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address can't be listened at.
    #[error("listener `{listener}` can't listen on {address}: {}", explain(.reason))]
    Listen {
        /// The listener's name.
        listener: Arc<str>,
        /// The address as configured.
        address: Address,
        /// What the system says.
        reason: io::Error,
    },
    /// The files of a TLS listener can't be used.
    #[error("listener `{listener}`: {reason}")]
    Tls {
        /// The listener's name.
        listener: Arc<str>,
        /// What is wrong with them.
        reason: Box<TlsError>,
    },
    /// The system gives no thread or no event queue for a worker.
    #[error("a worker can't be started: {0}")]
    Worker(io::Error),
    /// A worker ended although nobody asked it to: a defect of Callgate.
    #[error("a worker ended unexpectedly; the log has its panic")]
    WorkerEnded,
    /// The process can't listen for signals.
    #[error("signals can't be received: {0}")]
    Signals(io::Error),
}

/// Why the files of a TLS listener can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file can't be read, or is not PEM.
    #[error("{} can't be read: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: rustls_pki_types::pem::Error,
    },
    /// The file is PEM but lacks what is needed.
    #[error("{} holds no {expected} in PEM form", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        expected: &'static str,
    },
    /// The certificate and its key are refused.
    #[error("the certificate {} can't be used with the key {}: {reason}", .certificate.display(), .private_key.display())]
    Pair {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The key's file.
        private_key: PathBuf,
        /// What rustls says.
        reason: rustls::Error,
    },
    /// The certificates of the clients' authorities are refused.
    #[error("clients can't be verified with {}: {reason}", .path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        reason: String,
    },
}

impl TlsError {
    /// What of the listener's `tls` is wrong: which of the certificates, if it is one, and the field.
    #[must_use]
    pub fn place(&self, tls: &ListenerTls) -> (Option<usize>, &'static str) {
        let wrong = match self {
            Self::Read { path, .. } | Self::Empty { path, .. } | Self::ClientCa { path, .. } => path,
            Self::Pair { private_key, .. } => private_key,
        };
        let of = |pair: &CertificateFiles| {
            if pair.private_key == *wrong {
                return Some("private_key");
            }
            (pair.certificate == *wrong).then_some("certificate")
        };
        let found = tls.certificates.iter().enumerate().find_map(|(index, pair)| Some((Some(index), of(pair)?)));
        found.unwrap_or((None, "client_ca"))
    }
}

/// Says what to do about the errors that people meet.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use; stop what listens there, or choose another one".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!(
                "{error}; ports below 1024 need the capability CAP_NET_BIND_SERVICE, a socket a folder that this user may write to"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            "no network interface of this machine has the address; 0.0.0.0 and [::] stand for all of them".to_owned()
        }
        _ => error.to_string(),
    }
}
