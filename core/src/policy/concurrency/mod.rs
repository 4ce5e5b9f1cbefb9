//! `concurrency`: no more calls at an upstream at once than it can bear; a few wait, the rest is refused.

mod settings;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::{Service, ServiceExt};

pub(crate) use settings::{ConcurrencySettings, Places};

use crate::{
    body::{Body, BodyError},
    failure::{Failure, Refusal},
    invocation::{Invocation, Response},
    upstream::BoxFuture,
};

/// What a caller is told to wait when there is no place.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places at an upstream. Who waits gets one in the order of coming, and gives its turn up when it is dropped.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Places,
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

/// What calls do at an upstream with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyState {
    /// How many calls there may be at once.
    pub limit: u32,
    /// How many there are.
    pub running: u32,
    /// How many wait for a place.
    pub waiting: u32,
    /// How many were refused so far.
    pub refused: u64,
}

impl Gate {
    pub(super) fn new(places: Places) -> Self {
        let free = Arc::new(Semaphore::new(places.limit as usize));
        Self { places, free, waiting: AtomicUsize::new(0), refused: AtomicU64::new(0) }
    }

    pub(super) fn settings(&self) -> Places {
        self.places
    }

    pub(super) fn state(&self) -> ConcurrencyState {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let limit = self.places.limit;
        ConcurrencyState {
            limit,
            running: limit.saturating_sub(number(self.free.available_permits())),
            waiting: number(self.waiting.load(Ordering::Relaxed)),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Takes a place, waiting for one if there is room for that.
    async fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        // Nobody is overtaken: while somebody waits, a place that becomes free is not free but theirs.
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(place);
        }
        let entered = match Waiting::begin(self) {
            Some(_waiting) => timeout(self.places.wait, Arc::clone(&self.free).acquire_owned()).await.ok(),
            None => None,
        };
        // The semaphore is never closed.
        entered.and_then(Result::ok).ok_or_else(|| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Failure::Refused { by: Refusal::Concurrency, retry_after: RETRY_AFTER }
        })
    }
}

/// A place in the queue.
struct Waiting<'g>(&'g Gate);

impl<'g> Waiting<'g> {
    fn begin(gate: &'g Gate) -> Option<Self> {
        let room = |waiting: usize| (waiting < gate.places.queue as usize).then_some(waiting + 1);
        gate.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok().map(|_| Self(gate))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone)]
pub(super) struct Bounded<S> {
    pub(super) inner: S,
    pub(super) gate: Arc<Gate>,
}

impl<S> Service<Invocation> for Bounded<S>
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let Self { inner, gate } = self.clone();
        Box::pin(async move {
            let place = gate.enter().await?;
            let reply = inner.oneshot(invocation).await?;
            Ok(reply.map(|body| until_the_end_of(body, place)))
        })
    }
}

/// The call is over when its reply's body is.
fn until_the_end_of(body: Body, place: OwnedSemaphorePermit) -> Body {
    if body.as_bytes().is_some() {
        return body;
    }
    Body::new(Held { body, place: Some(place) })
}

struct Held {
    body: Body,
    place: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.place = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join};
    use http_body_util::BodyExt;
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    use super::*;

    fn gate(settings: serde_json::Value) -> Gate {
        Gate::new(serde_json::from_value::<ConcurrencySettings>(settings).unwrap().resolve().unwrap())
    }

    #[tokio::test]
    async fn who_waits_gets_a_place_in_the_order_of_coming_and_the_rest_is_refused() {
        let gate = gate(json!({"limit": 1, "queue": 2, "wait": "10s"}));
        let place = gate.enter().await.unwrap();
        let (mut first, mut second) = (Box::pin(gate.enter()), Box::pin(gate.enter()));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        let refused = gate.enter().await.unwrap_err();
        assert!(matches!(refused, Failure::Refused { by: Refusal::Concurrency, .. }), "{refused}");
        let state = gate.state();
        assert_eq!((state.running, state.waiting, state.refused), (1, 2, 1));
        drop(place);
        assert!(gate.enter().now_or_never().is_none_or(|entered| entered.is_err()), "somebody was overtaken");
        assert!((&mut second).now_or_never().is_none());
        drop((&mut first).now_or_never().unwrap().unwrap());
        assert!((&mut second).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn who_is_dropped_gives_its_turn_up() {
        let gate = gate(json!({"limit": 1, "queue": 1}));
        let place = gate.enter().await.unwrap();
        assert!(gate.enter().now_or_never().is_none());
        assert_eq!(gate.state().waiting, 0);
        let waits = gate.enter();
        let (entered, ()) = join(waits, async { drop(place) }).await;
        drop(entered.unwrap());
        assert_eq!(gate.state().running, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_is_said() {
        let gate = gate(json!({"limit": 1, "wait": "3s"}));
        let _place = gate.enter().await.unwrap();
        let started = Instant::now();
        gate.enter().await.unwrap_err();
        assert_eq!(started.elapsed().as_secs(), 3);
        sleep(Duration::ZERO).await;
        assert_eq!((gate.state().waiting, gate.state().running), (0, 1));
    }

    #[tokio::test]
    async fn a_streamed_reply_holds_its_place_until_its_end() {
        let gate = gate(json!(1));
        let frames = [Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"a")))];
        let streamed = Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)));
        let mut body = until_the_end_of(streamed, gate.enter().await.unwrap());
        assert_eq!(gate.state().running, 1);
        body.frame().await.unwrap().unwrap();
        assert!(body.frame().await.is_none());
        assert_eq!(gate.state().running, 0);
        drop(until_the_end_of("in memory".into(), gate.enter().await.unwrap()));
        assert_eq!(gate.state().running, 0);
    }
}
