//! What a client may take of the server.

use std::time::Duration;

/// No bound of a head is less, in bytes.
pub(super) const LEAST_HEAD: usize = 8 * 1024;

/// Bounds on connections and on what comes over them, so that no client can exhaust the server.
///
/// What a route allows (time for the whole request, size of its body) is the route's policy and stands in the document.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections that one worker keeps open; at the bound it accepts no more until one ends. Default 10,000.
    pub connections_per_worker: usize,
    /// Bytes of a request's head, its first line and headers; more is answered with 431. At least 8 KiB. Default 64 KiB.
    pub head_size: usize,
    /// Time from the accepted connection, TLS handshake included, or from a request's first byte to the end of its head.
    /// Default 10s.
    pub head_timeout: Duration,
    /// Time that a connection may rest between two requests. Default 75s, longer than load balancers keep theirs, so that
    /// it is they who close.
    pub idle_timeout: Duration,
    /// Time in which a client that is being written to must take at least one byte. Default 60s.
    pub write_timeout: Duration,
    /// Requests at once on one HTTP/2 connection. Default 256.
    pub concurrent_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_worker: 10_000,
            head_size: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            concurrent_streams: 256,
        }
    }
}

impl Limits {
    /// How often connections are looked over: the timeouts are kept to this precision.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self.head_timeout.min(self.idle_timeout).min(self.write_timeout);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}
