//! Whether a refusal of a message may still be on its way.
//!
//! A server tells by an error that a subject is refused, in its turn between the messages. The client library hands errors
//! and messages over on two paths, so a mark can overtake the error of a message before it. So that none is missed, the
//! gateway provokes an error of its own after the message: it asks for a subscription that no server can make. Errors keep
//! their order, so once that one has come, there is no earlier one. One serves all calls that wait meanwhile.

use std::time::Duration;

use async_nats::{Client, Subject};
use callgate_core::Context;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{error::NatsError, known::Known};

/// Calls that wait to be taken in.
const QUEUE: usize = 4096;
/// How long the error may take; it has to wait for nothing but the server's and this machine's time.
const LIMIT: Duration = Duration::from_secs(5);
/// What ends the subject of the subscription: `>` stands in the middle, which it may not.
const END: &str = ".>.callgate";

/// Whether a refused subject is that of the subscription that is meant to be refused.
pub(crate) fn is_provoked(subject: &str) -> bool {
    subject.ends_with(END)
}

/// The way to the task that provokes errors.
#[derive(Debug)]
pub(crate) struct Refusals {
    wishes: mpsc::Sender<oneshot::Sender<bool>>,
}

impl Refusals {
    /// Starts the task; `inbox` is the prefix of subjects that the gateway's user may subscribe to.
    pub(crate) fn start(client: &Client, inbox: &str, state: watch::Receiver<Known>, context: &Context) -> Self {
        let (wishes, queue) = mpsc::channel(QUEUE);
        let task = Task {
            client: client.clone(),
            subject: format!("{inbox}{END}").into(),
            state,
            seen: 0,
            owed: 0,
            since: 0,
            losses: 0,
        };
        context.spawn(task.run(queue));
        Self { wishes }
    }

    /// Waits until every refusal of what the server has handled so far is known; `false` when that can't be found out.
    pub(crate) async fn known(&self) -> Result<bool, NatsError> {
        let (to, settled) = oneshot::channel();
        self.wishes.send(to).await.map_err(|_| NatsError::Closed)?;
        Ok(settled.await.unwrap_or(false))
    }
}

struct Task {
    client: Client,
    subject: Subject,
    state: watch::Receiver<Known>,
    /// Provoked errors that are accounted for.
    seen: u64,
    /// Provoked errors that were given up, and may still come.
    owed: u64,
    /// How many events were heard before the first of them was provoked.
    since: u64,
    /// How often a connection had been lost.
    losses: u64,
}

impl Task {
    async fn run(mut self, mut wishes: mpsc::Receiver<oneshot::Sender<bool>>) {
        while let Some(first) = wishes.recv().await {
            let mut waiting = vec![first];
            while let Ok(next) = wishes.try_recv() {
                waiting.push(next);
            }
            let settled = self.provoke().await;
            for call in waiting {
                // A call that went away needs no answer.
                call.send(settled).ok();
            }
        }
    }

    async fn provoke(&mut self) -> bool {
        let (losses, heard) = {
            let known = self.state.borrow();
            if known.losses() != self.losses {
                (self.losses, self.seen, self.owed) = (known.losses(), known.provoked(), 0);
            }
            (known.losses(), known.heard())
        };
        // It is given up at once, so that it is not asked for again with the next connection.
        match self.client.subscribe(self.subject.clone()).await {
            Ok(subscription) => drop(subscription),
            Err(_) => return false,
        }
        if self.owed == 0 {
            self.since = heard;
        }
        // One that comes late says nothing of what was published after it.
        let all = self.seen + self.owed + 1;
        let over = |known: &Known| known.provoked() >= all || known.losses() != losses;
        let settled = match timeout(LIMIT, self.state.wait_for(over)).await {
            Ok(Ok(known)) => known.losses() == losses,
            _ => false,
        };
        let known = self.state.borrow();
        // What the connection took along, or the library dropped, is not waited for.
        let gone = known.losses() != losses || known.may_have_missed(self.since);
        self.owed = if gone { 0 } else { all.saturating_sub(known.provoked()) };
        self.seen = known.provoked();
        settled
    }
}
