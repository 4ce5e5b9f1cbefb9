//! What the core counts, as Prometheus reads it.

use super::{Durations, Exposition, Labels, Measured, Totals, Type};
use crate::{
    respond::Code,
    trigger::{Tally, TriggerState},
};

type Row<'a> = [(&'static str, &'a str); 3];

/// The labels of a series.
fn row(labels: &Labels) -> Row<'_> {
    [("route", &labels.route), ("upstream", &labels.upstream), ("kind", labels.kind)]
}

/// Writes what was counted of requests and calls.
pub(super) fn requests(to: &mut Exposition, measured: &[Measured]) {
    counts(
        to,
        measured,
        "callgate_requests_total",
        "Requests, by the class of the status that was answered.",
        |totals| Totals::CLASSES.into_iter().zip(totals.statuses).collect(),
        "status",
    );
    counts(
        to,
        measured,
        "callgate_request_errors_total",
        "Requests that the gateway answered for a failure.",
        |totals| codes(&totals.errors),
        "error",
    );
    counts(
        to,
        measured,
        "callgate_replies_cut_total",
        "Replies that broke off when their head was with the client.",
        |totals| codes(&totals.cut),
        "error",
    );
    let family = to.family("callgate_requests_in_flight", Type::Gauge, "Requests whose reply has not ended.");
    for Measured { labels, totals } in measured {
        family.value(&row(labels), totals.in_flight());
    }
    histogram(
        to,
        measured,
        "callgate_request_duration_seconds",
        "From a request's head to the end of its reply.",
        |totals| &totals.whole,
    );
    histogram(
        to,
        measured,
        "callgate_gateway_duration_seconds",
        "From a request's head to its reply's, less the time of its upstream.",
        |totals| &totals.gateway,
    );
    counts(
        to,
        measured,
        "callgate_upstream_calls_total",
        "Calls of upstreams, each try counted, by what came of them.",
        |totals| {
            let ended = [("replied", totals.replies), ("given_up", totals.given_up)];
            ended.into_iter().chain(codes(&totals.failed_calls)).collect()
        },
        "outcome",
    );
    histogram(
        to,
        measured,
        "callgate_upstream_head_duration_seconds",
        "From a call of an upstream to the head of its reply.",
        |totals| &totals.upstream_head,
    );
    histogram(
        to,
        measured,
        "callgate_upstream_duration_seconds",
        "From a call of an upstream to the end of its reply.",
        |totals| &totals.upstream,
    );
}

fn codes(counts: &[u64]) -> Vec<(&'static str, u64)> {
    Code::ALL.iter().map(|code| code.as_str()).zip(counts.iter().copied()).collect()
}

/// A family with one more label, without what was never counted.
fn counts(
    to: &mut Exposition,
    measured: &[Measured],
    name: &'static str,
    help: &str,
    of: impl Fn(&Totals) -> Vec<(&'static str, u64)>,
    label: &'static str,
) {
    let family = to.family(name, Type::Counter, help);
    for Measured { labels, totals } in measured {
        let [route, upstream, kind] = row(labels);
        for (value, count) in of(totals).into_iter().filter(|(_, count)| *count > 0) {
            family.value(&[route, upstream, kind, (label, value)], count);
        }
    }
}

fn histogram(
    to: &mut Exposition,
    measured: &[Measured],
    name: &'static str,
    help: &str,
    of: impl Fn(&Totals) -> &Durations,
) {
    let family = to.family(name, Type::Histogram, help);
    for Measured { labels, totals } in measured {
        let durations = of(totals);
        if durations.count() > 0 {
            family.durations(&row(labels), durations);
        }
    }
}

/// Writes what triggers do and did.
pub(super) fn triggers(to: &mut Exposition, states: &[TriggerState]) {
    if states.is_empty() {
        return;
    }
    let mut each = |name, kind, help, of: fn(&TriggerState) -> u64| {
        let family = to.family(name, kind, help);
        for state in states {
            family.value(&[("trigger", &state.name), ("source", state.kind)], of(state));
        }
    };
    each("callgate_trigger_running", Type::Gauge, "Messages that are worked on.", |state| state.running as u64);
    each(
        "callgate_trigger_waiting",
        Type::Gauge,
        "Messages that the gateway keeps until they are tried again.",
        |state| state.waiting as u64,
    );
    let taken = "Messages that were taken from the source, each delivery counted.";
    each("callgate_trigger_taken_total", Type::Counter, taken, |state| state.tally.received);
    let retried = "Messages that failed and were left for another try.";
    each("callgate_trigger_retried_total", Type::Counter, retried, |state| state.tally.retried);
    let help = "Messages that are done with, by what became of them.";
    let family = to.family("callgate_trigger_settled_total", Type::Counter, help);
    for state in states {
        let Tally { succeeded, dead_lettered, dropped, returned, .. } = state.tally;
        for (outcome, count) in [
            ("acknowledged", succeeded),
            ("dead_lettered", dead_lettered),
            ("dropped", dropped),
            ("returned", returned),
        ] {
            family.value(&[("trigger", &state.name), ("source", state.kind), ("outcome", outcome)], count);
        }
    }
}
