//! A lane: a channel of the connection and the task that owns it.
//!
//! Many messages are under way on a channel at once, and the broker confirms them in their order. One task publishes
//! them, so that the numbers which the client library and the broker count agree.

mod replies;
mod traffic;

use std::{ops::ControlFlow, sync::Arc};

use lapin::{Connection, message::Delivery, options::ConfirmSelectOptions};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::AmqpError,
    outgoing::{Outgoing, target},
    session::Limits,
};
use traffic::Traffic;

/// Messages that wait to be taken in.
const QUEUE: usize = 1024;
/// Messages under way on one channel.
const MOST: usize = 2048;

/// The way to a lane's task.
#[derive(Debug)]
pub(crate) struct Lane {
    wishes: mpsc::Sender<Wish>,
}

/// A message to publish.
#[derive(Debug)]
pub(crate) struct Wish {
    message: Arc<Outgoing>,
    /// Whether a reply is waited for.
    reply: bool,
    to: oneshot::Sender<Outcome>,
}

/// What came of a message.
pub(crate) type Outcome = Result<Taken, AmqpError>;

/// The broker has taken a message.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It has confirmed it.
    Confirmed,
    /// A consumer has replied.
    Replied(Box<Delivery>),
}

/// What the task has to know.
#[derive(Debug)]
pub(crate) struct Worker {
    connection: Arc<Connection>,
    limits: Arc<Limits>,
    wishes: mpsc::Receiver<Wish>,
    /// What a closed channel gave back.
    returned: Option<Wish>,
}

impl Lane {
    /// A lane, and the task that the caller is to start.
    pub(crate) fn new(connection: &Arc<Connection>, limits: &Arc<Limits>) -> (Self, Worker) {
        let (sender, wishes) = mpsc::channel(QUEUE);
        let worker = Worker { connection: Arc::clone(connection), limits: Arc::clone(limits), wishes, returned: None };
        (Self { wishes: sender }, worker)
    }

    /// Whether it takes a message at once.
    pub(crate) fn has_room(&self) -> bool {
        self.wishes.capacity() > 0
    }

    /// Publishes a message and waits for what comes of it.
    pub(crate) async fn publish(&self, message: &Arc<Outgoing>, reply: bool) -> Outcome {
        let (to, outcome) = oneshot::channel();
        let wish = Wish { message: Arc::clone(message), reply, to };
        if self.wishes.send(wish).await.is_err() {
            return Err(AmqpError::Disconnected { why: None });
        }
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) if message.withdraw() => Err(AmqpError::Disconnected { why: None }),
            Err(_) => Err(AmqpError::Unknown { target: target(message), why: None }),
        }
    }
}

impl Worker {
    /// Serves until the connection is lost or nobody holds the lane any more.
    pub(crate) async fn run(mut self) {
        while self.connection.status().connected() {
            match self.open().await {
                Ok(traffic) => {
                    if self.serve(traffic).await.is_break() {
                        return;
                    }
                }
                Err(error) => {
                    let Some(wish) = self.next().await else { return };
                    wish.refuse(AmqpError::Channel(error));
                }
            }
        }
        // What has not been published by now never will be.
        self.wishes.close();
        while let Some(wish) = self.next().await {
            wish.refuse(AmqpError::Disconnected { why: None });
        }
    }

    async fn next(&mut self) -> Option<Wish> {
        match self.returned.take() {
            Some(wish) => Some(wish),
            None => self.wishes.recv().await,
        }
    }

    async fn open(&self) -> lapin::Result<Traffic> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Traffic::new(channel, Arc::clone(&self.limits)))
    }

    /// Serves on one channel: `Continue` when it was closed, `Break` when the lane is not needed any more.
    async fn serve(&mut self, mut traffic: Traffic) -> ControlFlow<()> {
        if let Some(wish) = self.returned.take() {
            self.publish(&mut traffic, wish).await;
        }
        while !traffic.is_over() {
            let takes = traffic.is_open() && traffic.len() < MOST;
            tokio::select! {
                () = traffic.advance() => {}
                wish = self.wishes.recv(), if takes => {
                    let Some(wish) = wish else { return ControlFlow::Break(()) };
                    self.publish(&mut traffic, wish).await;
                    while traffic.is_open() && traffic.len() < MOST && let Ok(wish) = self.wishes.try_recv() {
                        self.publish(&mut traffic, wish).await;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn publish(&mut self, traffic: &mut Traffic, wish: Wish) {
        if self.limits.is_blocked() {
            wish.refuse(AmqpError::Blocked);
        } else {
            self.returned = traffic.publish(wish).await;
        }
    }
}

impl Wish {
    /// Answers that the message was not published.
    fn refuse(self, error: AmqpError) {
        if self.message.withdraw() {
            // A call that went away needs no answer.
            self.to.send(Err(error)).ok();
        }
    }
}
