//! What is counted while requests run, and how it is told.
//!
//! Every destination of a route knows the counters of its requests, so that nothing is looked up per request; every
//! worker counts in memory of its own, and who asks gets the sums. What a route has counted is kept over a reload that
//! keeps the route.

mod export;
mod exposition;
mod histogram;
mod meter;
mod recent;
mod series;
mod shard;
mod spent;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::SystemTime,
};

pub use exposition::{Exposition, Family, Number, Sample, Type};
pub use histogram::Durations;
pub use recent::RecentFailure;
pub use series::{Labels, Totals};
pub use shard::count_apart;
pub(crate) use shard::{shards, worker};

pub(crate) use meter::Meter;
pub(crate) use series::Series;
pub(crate) use spent::{spend, spending};

use recent::Recent;

use crate::{gateway::Gateway, request_id::RequestId, respond::Code};

/// What was counted of a route's requests to an upstream, all workers together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Measured {
    /// Whose requests they are.
    pub labels: Labels,
    /// What was counted.
    pub totals: Totals,
}

/// The counters of a gateway, whatever its configuration is at the moment.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Kept by the destinations that count in them.
    series: Mutex<BTreeMap<Labels, Weak<Series>>>,
    unmatched: Arc<Series>,
    recent: Recent,
}

impl Default for Metrics {
    fn default() -> Self {
        let labels = Labels { route: "".into(), upstream: "".into(), kind: "" };
        Self { series: Mutex::default(), unmatched: Arc::new(Series::new(labels)), recent: Recent::default() }
    }
}

impl Metrics {
    /// The counters of these labels: those that are there, or new ones.
    pub(crate) fn series(&self, labels: Labels) -> Arc<Series> {
        let mut known = self.known();
        if let Some(series) = known.get(&labels).and_then(Weak::upgrade) {
            return series;
        }
        let series = Arc::new(Series::new(labels.clone()));
        known.insert(labels, Arc::downgrade(&series));
        series
    }

    /// The counters of requests that no route matched.
    pub(crate) fn unmatched(&self) -> &Arc<Series> {
        &self.unmatched
    }

    /// Keeps a failure for operators. The reason outlives the configuration, which alone knows what must not be shown of it.
    pub(crate) fn failed(&self, request_id: RequestId, labels: Option<Labels>, code: Code, reason: String) {
        self.recent.keep(RecentFailure { at: SystemTime::now(), request_id, labels, code, reason });
    }

    fn measured(&self) -> Vec<Measured> {
        let mut known = self.known();
        known.retain(|_, series| series.strong_count() > 0);
        let alive: Vec<_> = known.values().filter_map(Weak::upgrade).collect();
        drop(known);
        let all = [Arc::clone(&self.unmatched)].into_iter().chain(alive);
        let measured =
            |series: Arc<Series>| Some(Measured { totals: series.totals()?, labels: series.labels().clone() });
        all.filter_map(measured).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Labels, Weak<Series>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// What was counted so far, of every route and upstream that had a request. The first may be without a route: it is
    /// of requests that none matched.
    pub fn measured(&self) -> Vec<Measured> {
        self.snapshot().observers.metrics.measured()
    }

    /// The last hundred requests that the gateway answered for a failure, the oldest first. Those that no route matched
    /// are not among them, and values that references of the document gave are masked.
    pub fn recent_failures(&self) -> Vec<RecentFailure> {
        self.snapshot().observers.metrics.recent.all()
    }

    /// Writes what was counted so far of requests and triggers.
    pub fn expose(&self, to: &mut Exposition) {
        let snapshot = self.snapshot();
        export::requests(to, &snapshot.observers.metrics.measured());
        export::triggers(to, &snapshot.triggers());
        if let Some(sink) = &snapshot.observers.traces {
            let help = "Spans that could not be sent in time.";
            to.family("callgate_spans_lost_total", Type::Counter, help).value(&[], sink.lost());
        }
        if let Some(sink) = &snapshot.observers.access {
            let help = "Lines of the access log that were left out, as they could not be written in time.";
            to.family("callgate_access_log_lost_total", Type::Counter, help).value(&[], sink.lost());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_last_as_long_as_somebody_counts_in_them() {
        let metrics = Metrics::default();
        let labels = || Labels { route: "r".into(), upstream: "u".into(), kind: "echo" };
        let before = metrics.series(labels());
        before.begins();
        let after = metrics.series(labels());
        drop(before);
        after.begins();
        assert_eq!(metrics.measured()[0].totals.begun, 2);
        drop(after);
        assert!(metrics.measured().is_empty());
        assert!(metrics.series(labels()).totals().is_none());
    }
}
