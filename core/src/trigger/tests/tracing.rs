//! Tries to process messages, as spans.

use std::sync::{Arc, Mutex};

use super::stage::{Act, Event, lock, message, running};
use crate::{ErrorKind, Span, SpanSide, TraceSink};

#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl TraceSink for Kept {
    fn samples(&self, _: u128) -> bool {
        false
    }

    fn take(&self, span: Span) {
        lock(&self.0).push(span);
    }

    fn lost(&self) -> u64 {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn each_try_is_a_span_of_the_messages_trace_and_its_call_is_below_it() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/a}}").await;
    let kept = Arc::<Kept>::default();
    let snapshot = snapshot.tracing_to(Arc::clone(&kept) as Arc<dyn TraceSink>);
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Unavailable)].into();
    let mut traced = message("traced");
    traced.headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
    stage.put(traced);
    let acked = |events: &[Event], name: &str| events.iter().any(|e| matches!(e, Event::Acked(of) if of == name));
    stage.until(|events| acked(events, "traced")).await;
    // One that is part of no trace is not sampled here.
    stage.put(message("other"));
    stage.until(|events| acked(events, "other")).await;
    let spans = lock(&kept.0).clone();
    let (tries, calls): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.side == SpanSide::Consumer);
    assert_eq!((tries.len(), calls.len()), (2, 2), "{spans:?}");
    for (attempt, call) in tries.iter().zip(&calls) {
        assert_eq!((attempt.trace, call.trace), (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, attempt.trace));
        assert_eq!((attempt.parent, call.parent), (Some(0x00f0_67aa_0ba9_02b7), Some(attempt.id)));
        assert_eq!(attempt.name, "process work");
    }
    assert_eq!((tries[0].error.as_deref(), tries[1].error.as_deref()), (Some("upstream_unavailable"), None));
    let told = stage.calls("a")[1].headers["traceparent"].to_str().unwrap().to_owned();
    assert_eq!(told, format!("00-{:032x}-{:016x}-01", calls[1].trace, calls[1].id));
    snapshot.close().await;
}
