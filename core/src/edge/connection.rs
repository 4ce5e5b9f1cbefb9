//! A client's connection, as far as requests on it need to know it.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use http::{HeaderValue, uri::Scheme};

use super::{ClientCertificate, IpRange, ShownCertificate};

/// A client's connection. The server makes one per connection and shares it among the requests on it.
#[derive(Debug)]
pub struct Connection {
    pub(crate) listener: Arc<str>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) scheme: Scheme,
    /// Whether the peer is a proxy whose forwarding headers are believed.
    pub(crate) trusted: bool,
    pub(crate) trusted_proxies: Arc<[IpRange]>,
    /// The peer's address as `x-forwarded-for` has it; made once, not per request.
    pub(crate) peer_header: Option<HeaderValue>,
    /// The first host that was asked for, with the `forwarded` element of its requests: hardly a client asks for two.
    pub(crate) forwarded: OnceLock<(HeaderValue, HeaderValue)>,
    pub(crate) certificate: Option<Arc<ShownCertificate>>,
}

impl Connection {
    /// A connection that `peer` (`None` on a Unix socket) made to the listener of this name.
    ///
    /// On a Unix socket the peer counts as trusted when the listener names any trusted proxy: who may connect is
    /// decided by the socket's file permissions.
    pub fn new(listener: Arc<str>, peer: Option<SocketAddr>, tls: bool, trusted_proxies: Arc<[IpRange]>) -> Self {
        let trusted = match peer {
            Some(peer) => trusted_proxies.iter().any(|range| range.contains(peer.ip())),
            None => !trusted_proxies.is_empty(),
        };
        let peer_header = peer.and_then(|peer| HeaderValue::try_from(peer.ip().to_canonical().to_string()).ok());
        let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
        Self {
            listener,
            peer,
            scheme,
            trusted,
            trusted_proxies,
            peer_header,
            forwarded: OnceLock::new(),
            certificate: None,
        }
    }

    /// The client showed this certificate, and it was verified.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Arc::new(ShownCertificate::new(certificate)));
        self
    }

    /// The client's verified certificate, where it showed one.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref().map(|shown| shown.certificate())
    }

    /// The name of the listener that accepted the connection.
    pub fn listener(&self) -> &str {
        &self.listener
    }

    /// The address of the peer; `None` on a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}
