//! What an upstream tells operators in numbers: its connections, and the tokens that it renews.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The gauges of one upstream. Its kind gets them by [`Context`](super::Context).
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Kept by the pools, and by the connections that are open: a pool that is gone counts no more.
    pools: Mutex<Vec<Weak<PoolGauge>>>,
    tokens: Mutex<Vec<Arc<TokenGauge>>>,
}

/// The connections of a pool. Whoever opens and keeps them says so here; nothing waits.
#[derive(Debug, Default)]
pub struct PoolGauge {
    open: AtomicU64,
    idle: AtomicU64,
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<PoolGauge>);

/// A token, or another credential that ends, and how getting it goes.
#[derive(Debug)]
pub struct TokenGauge {
    what: Box<str>,
    renewed: AtomicU64,
    failed: AtomicU64,
    /// Seconds since 1970, or one of the two below.
    ends: AtomicU64,
}

/// There is no token yet.
const NONE: u64 = u64::MAX;
/// The token has no end.
const ENDLESS: u64 = u64::MAX - 1;

/// How many connections an upstream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionsState {
    /// Those that are open, upgraded ones (WebSocket) left out.
    pub open: u64,
    /// Those of them that wait for a request, as of a few seconds ago at most.
    pub idle: u64,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenState {
    /// Which one: its audience, its source.
    pub what: String,
    /// How often it was got.
    pub renewed: u64,
    /// How often it could not be got.
    pub failed: u64,
    /// For how long the one in force is good; `None` where there is none, or it has no end.
    pub left: Option<Duration>,
}

impl Gauges {
    pub(super) fn pool(&self) -> Arc<PoolGauge> {
        let gauge = Arc::<PoolGauge>::default();
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&gauge));
        gauge
    }

    pub(super) fn token(&self, what: &str) -> Arc<TokenGauge> {
        let mut tokens = lock(&self.tokens);
        if let Some(known) = tokens.iter().find(|token| &*token.what == what) {
            return Arc::clone(known);
        }
        let ends = AtomicU64::new(NONE);
        let gauge =
            Arc::new(TokenGauge { what: what.into(), renewed: AtomicU64::new(0), failed: AtomicU64::new(0), ends });
        tokens.push(Arc::clone(&gauge));
        gauge
    }

    /// All pools together; `None` for a kind that has none.
    pub(crate) fn connections(&self) -> Option<ConnectionsState> {
        let pools: Vec<_> = lock(&self.pools).iter().filter_map(Weak::upgrade).collect();
        let sum = |of: fn(&PoolGauge) -> &AtomicU64| pools.iter().map(|pool| of(pool).load(Relaxed)).sum();
        let (open, idle): (u64, u64) = (sum(|pool| &pool.open), sum(|pool| &pool.idle));
        // They are counted at different times.
        (!pools.is_empty()).then_some(ConnectionsState { open, idle: idle.min(open) })
    }

    pub(crate) fn tokens(&self) -> Vec<TokenState> {
        lock(&self.tokens).iter().map(|token| token.state()).collect()
    }
}

impl PoolGauge {
    /// A connection was opened.
    #[must_use]
    pub fn opens(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// So many connections wait for a request where it was `before` when this was told last.
    pub fn idle(&self, before: u64, now: u64) {
        // The sum of what all tell never falls below nothing, whatever the order.
        self.idle.fetch_add(now.wrapping_sub(before), Relaxed);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl TokenGauge {
    /// The token is there, and good for so long; `None` for one without an end.
    pub fn renewed(&self, life: Option<Duration>) {
        self.renewed.fetch_add(1, Relaxed);
        self.ends.store(life.map_or(ENDLESS, |life| now().saturating_add(life).as_secs()), Relaxed);
    }

    /// It could not be got.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    fn state(&self) -> TokenState {
        let left = match self.ends.load(Relaxed) {
            NONE | ENDLESS => None,
            ends => Some(Duration::from_secs(ends).saturating_sub(now())),
        };
        TokenState {
            what: self.what.to_string(),
            renewed: self.renewed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            left,
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_of_an_upstream_are_one_number() {
        let gauges = Gauges::default();
        assert_eq!(gauges.connections(), None);
        let (one, other) = (gauges.pool(), gauges.pool());
        let open = [one.opens(), one.opens(), other.opens()];
        one.idle(0, 2);
        other.idle(0, 1);
        one.idle(2, 1);
        assert_eq!(gauges.connections(), Some(ConnectionsState { open: 3, idle: 2 }));
        drop(open);
        assert_eq!(gauges.connections(), Some(ConnectionsState { open: 0, idle: 0 }));
    }

    #[test]
    fn a_pool_that_is_gone_counts_no_more() {
        let gauges = Gauges::default();
        let open = gauges.pool().opens();
        assert_eq!(gauges.connections(), Some(ConnectionsState { open: 1, idle: 0 }));
        drop(open);
        assert_eq!(gauges.connections(), None);
        (0..9).for_each(|_| drop(gauges.pool()));
        let _pool = gauges.pool();
        assert_eq!(lock(&gauges.pools).len(), 1);
    }

    #[test]
    fn a_token_tells_how_long_it_is_good() {
        let gauges = Gauges::default();
        let token = gauges.token("for a");
        let state = |gauges: &Gauges| gauges.tokens().remove(0);
        assert_eq!(state(&gauges).left, None);
        token.failed();
        token.renewed(Some(Duration::from_secs(3600)));
        gauges.token("for a").renewed(Some(Duration::from_secs(3600)));
        let told = state(&gauges);
        assert_eq!((told.renewed, told.failed), (2, 1));
        assert!(told.left.is_some_and(|left| left.as_secs() > 3590 && left.as_secs() <= 3600), "{told:?}");
        token.renewed(None);
        assert_eq!(state(&gauges).left, None);
    }
}
