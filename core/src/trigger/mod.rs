//! The interface that an author of a source of messages implements, and what the core does with the messages.
//!
//! # Life of a trigger
//! 1. The document's node is read into [`Trigger::Config`] and checked by [`Settings::check`]. Nothing is connected yet;
//!    this is as far as `callgate check` goes.
//! 2. [`Trigger::connect`] runs once for the life of a configuration. It must not fail because the source is down.
//! 3. [`Trigger::next`] is called for one message after the other, by one task, and only while there is room for one more:
//!    what is not asked for stays at the source. It may be dropped at any await and is then called again; a message that
//!    it had taken by then must come out of a later call. Where the source is down it tries *once* and fails: the
//!    core logs that once, waits, and calls again for ever.
//! 4. Each [`Delivery`] is worked on beside the others, and settled through its [`Receipt`]: by [`ack`](Receipt::ack)
//!    once the function succeeded or the dead letter has taken it, by [`retry`](Receipt::retry) or
//!    [`give_back`](Receipt::give_back) otherwise. A receipt that is dropped unsettled settles nothing: its message has
//!    to come again, at the latest when its lease or its connection ends.
//! 5. [`Trigger::stop`] runs when no further message will be asked for, because the gateway drains: what was taken and not
//!    handed out goes back to the source. Messages that were handed out are settled after it. A source that does not
//!    [keep](Trigger::keeps) its messages can't take them back: it is asked on by `next` for what it has taken in
//!    already, and fails once that is all.
//! 6. [`Trigger::close`] runs once, after the last message was settled, also where `stop` did not run. Tasks started
//!    through [`Context`] are ended after it.
//!
//! The core does what is the same for all sources: how many messages are worked on at once and per second, when and how
//! often one is tried again, the dead letter, the reply, the lease, draining, and the log.

mod backoff;
mod call;
mod dead_letter;
mod delivery;
mod entry;
mod erased;
mod held;
mod intake;
mod outcome;
mod pace;
mod runner;
mod settings;
mod settle;
mod tally;
#[cfg(test)]
mod tests;
mod told;

use std::{
    future::{self, Future},
    num::NonZeroU32,
    time::Duration,
};

pub use delivery::{Delivery, Message, Redelivery, Reply};
pub use tally::{Tally, TriggerState};

pub(crate) use dead_letter::DeadLetter;
pub(crate) use entry::{Entry, Named};
pub(crate) use erased::{AnyTriggerKind, TriggerKind};
pub(crate) use runner::{Course, Order, Runner};
pub(crate) use settings::{Concurrency, Retry, RetrySettings};

use crate::{
    error::UpstreamError,
    upstream::{Context, Files, Invalid, Settings},
};

/// A kind of source of messages, each of which invokes a function or a route.
///
/// See the [module's page](self) for what is called when.
pub trait Trigger: Sized + Send + Sync + 'static {
    /// The key in the YAML document under which the source's settings stand.
    const KIND: &'static str;

    /// What the source is, in one line, for `callgate kinds` and the schema.
    const SUMMARY: &'static str;

    /// The settings: address, queue, credentials.
    type Config: Settings;

    /// The way to settle a message.
    type Receipt: Receipt;

    /// Whether the source keeps a message until it is acknowledged. One that does not delivers at most once: a message
    /// that fails for good and has no dead letter is dropped then, as nothing else can be done.
    fn keeps(_config: &Self::Config) -> bool {
        true
    }

    /// Reads the local files that the settings name, and says what is wrong with them. Runs once, after
    /// [`Settings::check`] found nothing. Every file goes through `files` before it is read, so that a change of one is a
    /// reload; the network is not used.
    fn read_files(_config: &Self::Config, _files: &Files) -> Vec<Invalid> {
        Vec::new()
    }

    /// Makes the source ready. At most `concurrency` messages are worked on at once: taking many more from the source
    /// than that only keeps them from others.
    ///
    /// # Errors
    /// Wrong settings fail the load; an absent source must not.
    fn connect(
        config: Self::Config,
        concurrency: NonZeroU32,
        context: Context,
    ) -> impl Future<Output = Result<Self, UpstreamError>> + Send;

    /// Waits for the next message.
    ///
    /// # Errors
    /// The source can't be consumed from now.
    fn next(&self) -> impl Future<Output = Result<Delivery<Self::Receipt>, UpstreamError>> + Send;

    /// Whether messages can be expected to come.
    ///
    /// # Errors
    /// Says why not, for `/ready`, `check --connect` and the log.
    fn ready(&self) -> impl Future<Output = Result<(), UpstreamError>> + Send {
        future::ready(Ok(()))
    }

    /// Consumes no more, and gives back what was taken from the source and not handed out. The connection stays, for what
    /// was handed out. Where the source does not [keep](Self::keeps) it, it is handed out by [`next`](Self::next) still,
    /// which fails once that is all.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        future::ready(())
    }

    /// Gives back what [`stop`](Self::stop) would, flushes, and lets the connection go.
    fn close(&self) -> impl Future<Output = ()> + Send {
        future::ready(())
    }
}

/// The way to settle one message. It is settled once, or dropped.
pub trait Receipt: Send + Sync + Sized + 'static {
    /// Who keeps the message until it is tried again, and counts.
    fn redelivery(&self) -> Redelivery;

    /// Whether nothing can be settled any more because the source delivers the message again by itself, as a queue does
    /// once the channel is gone on which it was delivered. What waits for another try is then let go, so that there are
    /// not two of it. Default: `false`, for receipts that outlive a connection.
    fn is_void(&self) -> bool {
        false
    }

    /// Tells the source that the message is done with.
    ///
    /// # Errors
    /// The source did not take it; the message may come again.
    fn ack(self) -> impl Future<Output = Result<(), UpstreamError>> + Send;

    /// Tells the source to deliver the message again once `delay` has passed, with a greater count. Called for
    /// [`Redelivery::Delayed`] alone; by default it is given back at once.
    ///
    /// # Errors
    /// The source did not take it; the message comes again when its lease ends.
    fn retry(self, _delay: Duration) -> impl Future<Output = Result<(), UpstreamError>> + Send {
        self.give_back()
    }

    /// Gives the message back, for whoever consumes next.
    ///
    /// # Errors
    /// The source did not take it; the message comes again when its lease or the connection ends.
    fn give_back(self) -> impl Future<Output = Result<(), UpstreamError>> + Send;

    /// How long the source waits for the message to be settled before it delivers it to another; `None` for as long as
    /// the connection lasts. [`renew`](Self::renew) is called several times within it.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// Tells the source that the message is still worked on.
    ///
    /// # Errors
    /// The source was not reached; it is tried again.
    fn renew(&self) -> impl Future<Output = Result<(), UpstreamError>> + Send {
        future::ready(Ok(()))
    }

    /// Answers whoever waits for a reply to the message ([`Message::wants_reply`]).
    ///
    /// # Errors
    /// The reply could not be sent; it is logged, and the message is settled as if it had been.
    fn reply(&self, _reply: &Reply) -> impl Future<Output = Result<(), UpstreamError>> + Send {
        future::ready(Ok(()))
    }
}
