//! A trigger that runs: takes messages, has them processed, and settles them.

mod again;
mod ending;
mod traced;

use std::{
    future::Future,
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use again::{Again, next};

use super::{
    DeadLetter, Delivery, Entry, Message, Retry, TriggerState,
    call::Try,
    dead_letter,
    erased::{AnyReceipt, AnyTrigger},
    held::{Held, InHand},
    intake::Intake,
    outcome::{Failed, Outcome},
    pace::Pace,
    settle,
    tally::{Counters, count},
    told::Told,
};
use crate::{
    document::Rate,
    error::{ErrorKind, UpstreamError},
    observe::TraceSink,
    snapshot::InUse,
    upstream::Context,
};

/// How many messages may wait in the gateway for another try, for each that is worked on.
const WAITING_PER_SLOT: usize = 16;
/// How often the gateway looks for messages that wait here in vain.
const SWEEP: Duration = Duration::from_secs(1);
/// How long the source may take to get back what is cut off at the end.
const RETURNING: Duration = Duration::from_secs(10);
/// How long the source may take to be closed.
const CLOSING: Duration = Duration::from_secs(10);

/// What a trigger is made of.
pub(crate) struct Order {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) source: Arc<dyn AnyTrigger>,
    /// Whether the source keeps a message until it is acknowledged.
    pub(crate) keeps: bool,
    pub(crate) concurrency: NonZeroU32,
    pub(crate) rate: Option<Rate>,
    pub(crate) course: Course,
    pub(crate) context: Context,
}

/// What is done with the messages. A reload may give a trigger that goes on another one.
pub(crate) struct Course {
    /// Where they go, in a few words.
    pub(crate) to: String,
    pub(crate) entry: Entry,
    pub(crate) retry: Retry,
    pub(crate) dead_letter: Option<DeadLetter>,
    /// Keeps the configuration whose functions are called.
    pub(crate) _in_use: InUse,
}

/// A trigger, running or ready to run.
pub(crate) struct Runner {
    name: Arc<str>,
    kind: &'static str,
    keeps: bool,
    rate: Option<Rate>,
    course: ArcSwap<Course>,
    context: Context,
    intake: Intake,
    held: Held,
    /// What bounds the messages that are worked on.
    slots: Arc<Semaphore>,
    /// What bounds the messages that are worked on or wait.
    places: Arc<Semaphore>,
    /// Nothing more is taken.
    stop: CancellationToken,
    /// What is worked on is given back.
    cut: CancellationToken,
    running: TaskTracker,
    /// The messages that were worked on when it was cut, and those that nobody has now.
    cut_off: AtomicUsize,
    /// A message of the dead letter came back, which is told once.
    looped: AtomicBool,
    counters: Counters,
    /// Where spans go.
    traces: OnceLock<Arc<dyn TraceSink>>,
}

/// What the next slot is for.
enum Next {
    /// A message to be worked on.
    Work(InHand),
    /// One whose source counts and delivers it again, now that it has waited.
    Return(InHand),
}

/// What is to become of a message.
enum Verdict {
    /// It is done with.
    Settled,
    /// It is tried again.
    Again(Again),
    /// Somebody else is to have it.
    Return,
}

impl Runner {
    pub(crate) fn new(order: Order) -> Arc<Self> {
        let concurrency = usize::try_from(order.concurrency.get()).unwrap_or(1);
        Arc::new(Self {
            intake: Intake::new(Arc::clone(&order.name), order.source),
            name: order.name,
            kind: order.kind,
            keeps: order.keeps,
            rate: order.rate,
            course: ArcSwap::from_pointee(order.course),
            context: order.context,
            held: Held::default(),
            slots: Arc::new(Semaphore::new(concurrency)),
            places: Arc::new(Semaphore::new(concurrency * (1 + WAITING_PER_SLOT))),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            running: TaskTracker::new(),
            cut_off: AtomicUsize::new(0),
            looped: AtomicBool::new(false),
            counters: Counters::default(),
            traces: OnceLock::new(),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn state(&self) -> TriggerState {
        TriggerState {
            name: Arc::clone(&self.name),
            kind: self.kind,
            to: self.course.load().to.clone(),
            running: self.counters.running(),
            waiting: self.held.len(),
            tally: self.counters.tally(),
        }
    }

    /// Whether messages can be expected to come.
    pub(crate) async fn ready(&self) -> Result<(), UpstreamError> {
        if let Some(trouble) = self.intake.trouble() {
            return Err(UpstreamError::new(ErrorKind::Unavailable, trouble));
        }
        self.intake.source().ready().await
    }

    /// Takes another course with the messages that it begins to work on from now on.
    pub(crate) fn follow(&self, course: Course) {
        self.course.store(Arc::new(course));
    }

    /// Begins to take messages, unless it is stopped already.
    pub(crate) fn start(self: &Arc<Self>) {
        if self.stop.is_cancelled() {
            return;
        }
        let this = Arc::clone(self);
        self.spawn(async move { this.run().await });
    }

    /// Takes no more messages from now on.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Takes no more messages, lets what runs end until `over`, and returns the rest to the source. Says how many
    /// messages were worked on then, or are lost.
    pub(crate) async fn drain(&self, over: impl Future<Output = ()>) -> usize {
        self.stop.cancel();
        self.running.close();
        tokio::select! {
            () = self.running.wait() => {}
            () = over => {}
        }
        self.cut.cancel();
        let returned = async {
            self.running.wait().await;
            self.let_go_of_held().await;
        };
        if timeout(RETURNING, returned).await.is_err() {
            warn!(
                trigger = &*self.name,
                "The source did not take messages back in time; it delivers them again by itself."
            );
        }
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Ends everything. Called once.
    pub(crate) async fn close(&self) {
        self.drain(std::future::ready(())).await;
        if timeout(CLOSING, self.intake.source().close()).await.is_err() {
            warn!(trigger = &*self.name, "A source did not close in time; its tasks are ended.");
        }
        self.context.end().await;
    }

    async fn run(self: Arc<Self>) {
        let mut pace = Pace::new(self.rate);
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(Some((next, slot))) = self.stop.run_until_cancelled(self.admit(&pace, &mut sweeps)).await {
            let this = Arc::clone(&self);
            match next {
                Next::Work(in_hand) => {
                    pace.began();
                    self.spawn(async move { this.work(in_hand, slot).await });
                }
                Next::Return(in_hand) => self.spawn(async move { this.give_back(in_hand.receipt).await }),
            }
        }
        if timeout(CLOSING, self.intake.source().stop()).await.is_err() {
            warn!(trigger = &*self.name, "A source did not stop in time; it gives back what it has when it is closed.");
        }
        // Others may have what waits, while here what runs is waited for.
        self.let_go_of_held().await;
        if !self.keeps {
            self.finish(&mut pace).await;
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.context.spawn(self.running.track_future(task));
    }

    /// Waits until there is room, its turn, and something to do. Nothing is lost where it is dropped.
    async fn admit(&self, pace: &Pace, sweeps: &mut Interval) -> Option<(Next, OwnedSemaphorePermit)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        pace.turn().await;
        let mut taking = pin!(self.take());
        loop {
            tokio::select! {
                biased;
                // What waits for nothing must not keep others out.
                _ = sweeps.tick() => self.held.drop_void(),
                in_hand = self.held.due() => {
                    if let Some(next) = next(in_hand) {
                        return Some((next, slot));
                    }
                }
                taken = &mut taking => return Some((Next::Work(taken?), slot)),
            }
        }
    }

    async fn take(&self) -> Option<InHand> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(self.received(self.intake.next().await, place))
    }

    fn received(&self, delivery: Delivery<Box<dyn AnyReceipt>>, place: OwnedSemaphorePermit) -> InHand {
        let Delivery { message, receipt } = delivery;
        count(&self.counters.received);
        if dead_letter::came_back(&message, &self.name) && !self.looped.swap(true, Ordering::Relaxed) {
            let (trigger, subject) = (&*self.name, &*message.subject);
            error!(
                trigger,
                subject,
                "A message that this trigger gave to its dead letter came from its source. Unless somebody put it back, the dead letter leads to where the trigger takes its messages from, and they go round for ever."
            );
        }
        InHand { message, receipt, failed: None, goes_back: false, _place: place }
    }

    /// Works on one message until it is settled.
    async fn work(&self, in_hand: InHand, slot: OwnedSemaphorePermit) {
        let running = self.counters.run();
        let receipt = &*in_hand.receipt;
        let verdict = tokio::select! {
            biased;
            () = self.cut.cancelled() => Verdict::Return,
            verdict = self.process(&in_hand.message, receipt) => verdict,
            never = settle::renew(&self.name, receipt) => match never {},
        };
        match verdict {
            Verdict::Settled => settle::told(&self.name, "ack", in_hand.receipt.ack()).await,
            Verdict::Return => {
                self.cut_off.fetch_add(1, Ordering::Relaxed);
                self.let_go(in_hand).await;
            }
            Verdict::Again(again) => {
                // What waits is not worked on.
                drop((running, slot));
                self.again(in_hand, again).await;
            }
        }
    }

    async fn give_back(&self, receipt: Box<dyn AnyReceipt>) {
        settle::told(&self.name, "return", receipt.give_back()).await;
    }

    /// Has a message processed, and decides what becomes of it.
    async fn process(&self, message: &Message, receipt: &dyn AnyReceipt) -> Verdict {
        let course = self.course.load_full();
        let mut attempt = Try::new(message);
        let (id, traced) = (attempt.id, self.traced(&mut attempt));
        let outcome = caught(course.entry.process(attempt, &self.name)).await;
        let outcome = outcome.unwrap_or_else(|| Outcome::Failed(Box::new(Failed::panicked(id))));
        if let Some(traced) = traced {
            traced.end(&outcome);
        }
        let failed = match outcome {
            Outcome::Done(reply) => {
                if message.wants_reply {
                    settle::reply(&self.name, receipt, &reply).await;
                }
                count(&self.counters.succeeded);
                return Verdict::Settled;
            }
            Outcome::Failed(failed) => failed,
        };
        let pause = course.retry.backoff.pause(message.attempt).max(failed.wait());
        let told = Told { trigger: &self.name, message, failed: &failed, id };
        // What the source delivers again by itself is not for the dead letter as well.
        if receipt.is_void() || course.retries(message, &failed) {
            told.tried_again(pause);
            return Verdict::Again(Again { pause, failed, counts: course.retry.attempts.is_some() });
        }
        match &course.dead_letter {
            Some(dead_letter) => match self.bury(dead_letter, &told).await {
                Ok(()) => {}
                Err(refused) => {
                    let pause = pause.max(refused.wait());
                    told.refused(&refused, pause);
                    return Verdict::Again(Again { pause, failed, counts: false });
                }
            },
            None if self.keeps => {
                told.tried_again(pause);
                return Verdict::Again(Again { pause, failed, counts: false });
            }
            None => {
                count(&self.counters.dropped);
                told.dropped();
            }
        }
        if message.wants_reply {
            settle::reply(&self.name, receipt, &failed.reply).await;
        }
        Verdict::Settled
    }

    /// Hands a message to the dead letter.
    async fn bury(&self, dead_letter: &DeadLetter, told: &Told<'_>) -> Result<(), Box<Failed>> {
        let taken = caught(dead_letter.take(told.message, told.failed, told.id, &self.name)).await;
        taken.unwrap_or_else(|| Err(Box::new(Failed::panicked(told.id))))?;
        count(&self.counters.dead_lettered);
        told.dead_lettered();
        Ok(())
    }
}

impl Course {
    /// Whether a message that failed is tried again.
    fn retries(&self, message: &Message, failed: &Failed) -> bool {
        failed.is_one_of(&self.retry.on) && self.retry.attempts.is_none_or(|attempts| message.attempt < attempts)
    }
}

/// A panic of one message is its own failure and no one else's.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}
