//! What is counted of the requests that one route sends to one upstream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::StatusCode;

use super::{
    histogram::{Durations, Histogram},
    shard::Sharded,
};
use crate::respond::Code;

const CODES: usize = Code::ALL.len();

/// How many classes of statuses there are, with one for requests that got no answer.
const CLASSES: usize = 6;

/// Whose requests are counted. Without a route: those that no route matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The route's name.
    pub route: Arc<str>,
    /// The upstream's name; empty where the gateway answers by itself.
    pub upstream: Arc<str>,
    /// The upstream's kind, or how the gateway answers.
    pub kind: &'static str,
}

/// The counters of a route's requests to an upstream. A destination knows its own: nothing is looked up per request.
#[derive(Debug)]
pub(crate) struct Series {
    labels: Labels,
    cells: Sharded<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    begun: AtomicU64,
    statuses: [AtomicU64; CLASSES],
    errors: [AtomicU64; CODES],
    replies: AtomicU64,
    failed_calls: [AtomicU64; CODES],
    given_up: AtomicU64,
    cut: [AtomicU64; CODES],
    whole: Histogram,
    gateway: Histogram,
    upstream_head: Histogram,
    upstream: Histogram,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        Self { labels, cells: Sharded::new() }
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// A request is on its way.
    pub(crate) fn begins(&self) {
        count(&self.cells.mine().begun);
    }

    /// Its reply's head goes to the client, after so much time that was not the upstream's.
    pub(crate) fn answered(&self, status: StatusCode, error: Option<Code>, gateway: Duration) {
        let cells = self.cells.mine();
        count(&cells.statuses[usize::from(status.as_u16() / 100).min(CLASSES - 1)]);
        if let Some(code) = error {
            count(&cells.errors[code as usize]);
        }
        cells.gateway.record(gateway);
    }

    /// The client went away before there was an answer.
    pub(crate) fn abandoned(&self) {
        count(&self.cells.mine().statuses[0]);
    }

    /// The last byte of its reply was taken, or nobody wants it any more.
    pub(crate) fn ended(&self, whole: Duration) {
        self.cells.mine().whole.record(whole);
    }

    /// The upstream replied to a call, or failed.
    pub(crate) fn replied(&self, error: Option<Code>, head: Duration) {
        let cells = self.cells.mine();
        count(match error {
            None => &cells.replies,
            Some(code) => &cells.failed_calls[code as usize],
        });
        cells.upstream_head.record(head);
    }

    /// A call was given up before the upstream replied: its time was over, or its client is gone.
    pub(crate) fn gave_up(&self, after: Duration) {
        let cells = self.cells.mine();
        count(&cells.given_up);
        cells.upstream_head.record(after);
    }

    /// A reply broke off when its head was with the client.
    pub(crate) fn cut(&self, error: Code) {
        count(&self.cells.mine().cut[error as usize]);
    }

    /// The last byte of the upstream's reply came, or nobody wants it any more.
    pub(crate) fn reply_ended(&self, whole: Duration) {
        self.cells.mine().upstream.record(whole);
    }

    /// What all workers counted so far; `None` where nothing was.
    pub(super) fn totals(&self) -> Option<Totals> {
        let mut totals = None;
        for cells in self.cells.all() {
            totals.get_or_insert_with(Totals::default).add(cells);
        }
        totals
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// What was counted of a route's requests to an upstream.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Requests so far, those under way included.
    pub begun: u64,
    /// Requests without an answer, as the client went away, and then those answered 1xx to 5xx.
    pub statuses: [u64; CLASSES],
    /// Requests that the gateway answered for a failure, in the order of [`Code::ALL`].
    pub errors: [u64; CODES],
    /// Calls that the upstream replied to.
    pub replies: u64,
    /// Calls that failed, in the order of [`Code::ALL`].
    pub failed_calls: [u64; CODES],
    /// Calls that were given up before the upstream replied.
    pub given_up: u64,
    /// Replies that broke off when their head was with the client, in the order of [`Code::ALL`].
    pub cut: [u64; CODES],
    /// From the request's head to the end of its reply.
    pub whole: Durations,
    /// From the request's head to its reply's, less what the upstream took.
    pub gateway: Durations,
    /// From a call to the head of its reply.
    pub upstream_head: Durations,
    /// From a call to the end of its reply.
    pub upstream: Durations,
}

impl Totals {
    fn add(&mut self, cells: &Cells) {
        // What ends is read before what begins, so that nothing ends that did not begin.
        for (sum, histogram) in [
            (&mut self.whole, &cells.whole),
            (&mut self.gateway, &cells.gateway),
            (&mut self.upstream_head, &cells.upstream_head),
            (&mut self.upstream, &cells.upstream),
        ] {
            sum.add(histogram);
        }
        let add = |sums: &mut [u64], counters: &[AtomicU64]| {
            for (sum, counter) in sums.iter_mut().zip(counters) {
                *sum += counter.load(Relaxed);
            }
        };
        add(&mut self.statuses, &cells.statuses);
        add(&mut self.errors, &cells.errors);
        add(&mut self.failed_calls, &cells.failed_calls);
        add(&mut self.cut, &cells.cut);
        self.replies += cells.replies.load(Relaxed);
        self.given_up += cells.given_up.load(Relaxed);
        self.begun += cells.begun.load(Relaxed);
    }

    /// Requests whose reply has not ended.
    pub fn in_flight(&self) -> u64 {
        self.begun.saturating_sub(self.whole.count())
    }

    /// The classes of [`statuses`](Self::statuses).
    pub const CLASSES: [&str; CLASSES] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_in_the_order_of_their_list() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index);
        }
    }

    #[test]
    fn a_request_is_in_flight_until_its_reply_ends() {
        let labels = Labels { route: "r".into(), upstream: "u".into(), kind: "echo" };
        let series = Series::new(labels);
        assert!(series.totals().is_none());
        series.begins();
        series.begins();
        assert_eq!(series.totals().unwrap().in_flight(), 2);
        series.answered(StatusCode::GATEWAY_TIMEOUT, Some(Code::UpstreamTimeout), Duration::ZERO);
        assert_eq!(series.totals().unwrap().in_flight(), 2);
        series.ended(Duration::from_secs(1));
        series.abandoned();
        series.ended(Duration::from_secs(1));
        let totals = series.totals().unwrap();
        assert_eq!((totals.in_flight(), totals.statuses), (0, [1, 0, 0, 0, 0, 1]));
        assert_eq!(totals.errors[Code::UpstreamTimeout as usize], 1);
    }
}
