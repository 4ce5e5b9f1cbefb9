//! Why a request got no reply.

use std::io;

use callgate_core::{BodyError, BoxError, ErrorKind, UpstreamError};

use crate::{h1::Broken, proxy::ProxyError, wire::WireError};

/// Why a request got no reply. The messages name hosts and addresses: they are for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The host's name could not be resolved.
    #[error("the name {host} could not be resolved")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        #[source]
        source: io::Error,
    },
    /// No address of the host took a connection.
    #[error("no connection to {host}")]
    Connect {
        /// The host and port.
        host: String,
        /// What the last address said.
        #[source]
        source: io::Error,
    },
    /// The connection was not ready in time (`connect_timeout`).
    #[error("no connection to {host} in time")]
    ConnectTimeout {
        /// The host and port.
        host: String,
    },
    /// The forward proxy opens no tunnel.
    #[error("no way to {host} through the proxy {proxy}")]
    Proxy {
        /// The service's host and port.
        host: String,
        /// The proxy's.
        proxy: String,
        /// Why not.
        #[source]
        source: ProxyError,
    },
    /// The TLS handshake failed.
    #[error("no TLS with {host}")]
    Tls {
        /// The host and port.
        host: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The request has a form that the client does not send.
    #[error("the request can't be sent: {0}")]
    Request(&'static str),
    /// The connection broke before the reply's head was complete.
    #[error("the connection to {host} broke before the reply came")]
    Send {
        /// The host and port.
        host: String,
        /// Whether it broke before anything of the request was sent.
        before_sent: bool,
        /// What broke it.
        #[source]
        source: BoxError,
    },
    /// The reply is no valid HTTP.
    #[error("the reply of {host} is malformed")]
    Reply {
        /// The host and port.
        host: String,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// The request's own body failed before the reply came.
    #[error("the body of the request broke off")]
    Body(#[source] BoxError),
}

impl HttpError {
    /// Whether the service can't have seen anything of the request, so that another endpoint may be tried.
    pub fn is_before_sent(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::ConnectTimeout { .. }
            | Self::Proxy { .. }
            | Self::Tls { .. } => true,
            Self::Send { before_sent, .. } => *before_sent,
            Self::Request(_) | Self::Reply { .. } | Self::Body(_) => false,
        }
    }

    /// The same error for another request, which waited for the same connection.
    pub(crate) fn again(&self) -> Self {
        let same = |source: &io::Error| io::Error::new(source.kind(), source.to_string());
        match self {
            Self::Resolve { host, source } => Self::Resolve { host: host.clone(), source: same(source) },
            Self::Connect { host, source } => Self::Connect { host: host.clone(), source: same(source) },
            Self::ConnectTimeout { host } => Self::ConnectTimeout { host: host.clone() },
            Self::Proxy { host, proxy, source } => {
                let source = match source {
                    ProxyError::Refused(line) => ProxyError::Refused(line.clone()),
                    ProxyError::Malformed => ProxyError::Malformed,
                    ProxyError::Io(source) => ProxyError::Io(same(source)),
                };
                Self::Proxy { host: host.clone(), proxy: proxy.clone(), source }
            }
            Self::Tls { host, source } => Self::Tls { host: host.clone(), source: same(source) },
            Self::Request(reason) => Self::Request(reason),
            Self::Send { host, before_sent, source } => {
                Self::Send { host: host.clone(), before_sent: *before_sent, source: source.to_string().into() }
            }
            Self::Reply { host, source } => Self::Reply { host: host.clone(), source: source.to_string().into() },
            Self::Body(source) => Self::Body(source.to_string().into()),
        }
    }

    /// What broke an exchange over HTTP/1.1.
    pub(crate) fn broken(host: &impl ToString, error: Broken, before_sent: bool) -> Self {
        match error {
            Broken::Wire(WireError::Body(error)) => Self::Body(error.into()),
            error if error.is_malformed() => Self::Reply { host: host.to_string(), source: error.into() },
            error => Self::Send { host: host.to_string(), before_sent, source: error.into() },
        }
    }

    /// What hyper says of an exchange over HTTP/2; `before_sent` when nothing of the request has gone out.
    pub(crate) fn exchange(host: &impl ToString, error: hyper::Error, before_sent: bool) -> Self {
        if BodyError::find(&error).is_some() {
            return Self::Body(error.into());
        }
        let host = host.to_string();
        if error.is_parse() {
            return Self::Reply { host, source: error.into() };
        }
        Self::Send { host, before_sent, source: error.into() }
    }
}

/// A reply that no gateway may pass on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("transfer-encoding is something else than `chunked`")]
    TransferEncoding,
    #[error("HTTP/1.0 has no transfer-encoding")]
    OldCoding,
    #[error("content-length is no number, or several")]
    Length,
    #[error("101 switches to a protocol that nobody asked for")]
    Upgrade,
}

impl From<HttpError> for UpstreamError {
    fn from(error: HttpError) -> Self {
        let kind = match &error {
            HttpError::Resolve { .. }
            | HttpError::Connect { .. }
            | HttpError::ConnectTimeout { .. }
            | HttpError::Proxy { .. }
            | HttpError::Tls { .. }
            | HttpError::Send { before_sent: true, .. } => ErrorKind::Unreachable,
            HttpError::Send { before_sent: false, .. } | HttpError::Reply { .. } => ErrorKind::BadReply,
            HttpError::Request(_) => ErrorKind::BadInput,
            // The core answers by the body's own error, whatever the kind.
            HttpError::Body(_) => ErrorKind::BadInput,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
