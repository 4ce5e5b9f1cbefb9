//! A listener while it listens, and what holds for the connections that it accepts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use callgate_core::{IpRange, plan::Listener};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{error::ServerError, tls::Tls};

/// Tells the connections of one listener from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListenerId(u64);

/// A listener while it listens.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) id: ListenerId,
    settings: ArcSwap<Settings>,
    /// It accepts no more: a reload took it away.
    pub(super) left: CancellationToken,
    /// The tasks that accept.
    pub(super) accepting: TaskTracker,
}

/// What holds for the connections that a listener accepts from now on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listener: Arc<str>,
    pub(super) tls: Option<Tls>,
    pub(super) trusted_proxies: Arc<[IpRange]>,
    /// The proxies say in front of each connection whose it is.
    pub(super) proxy_protocol: bool,
}

impl ListenerId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Origin {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            id: ListenerId::next(),
            settings: ArcSwap::from_pointee(settings),
            left: CancellationToken::new(),
            accepting: TaskTracker::new(),
        })
    }

    /// What holds for a connection that is accepted now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Other settings hold for the connections that are accepted from now on.
    pub(super) fn settle(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }
}

impl Settings {
    /// Reads the files of a listener. What `former` settings have of the same goes on, sessions of TLS with it.
    pub(super) fn of(listener: &Listener, former: Option<&Self>) -> Result<Self, ServerError> {
        let failed = |reason| ServerError::Tls { listener: Arc::clone(&listener.name), reason: Box::new(reason) };
        let former = former.and_then(|former| former.tls.as_ref());
        let tls = listener.tls.as_ref().map(|tls| Tls::read(tls, former)).transpose().map_err(failed)?;
        Ok(Self {
            listener: Arc::clone(&listener.name),
            tls,
            trusted_proxies: Arc::clone(&listener.trusted_proxies),
            proxy_protocol: listener.proxy_protocol,
        })
    }

    /// Whether a connection begins with the header of PROXY protocol. From anyone but a proxy it would be a lie.
    pub(super) fn begins_with_a_proxys_header(&self, peer: Option<SocketAddr>) -> bool {
        let trusted = |peer: SocketAddr| self.trusted_proxies.iter().any(|range| range.contains(peer.ip()));
        self.proxy_protocol && peer.is_none_or(trusted)
    }
}
