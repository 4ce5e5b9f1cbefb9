//! The task of one process: which invocation it has, and how it ends.

use std::{
    process::ExitStatus,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use callgate_core::{RequestId, UpstreamError};
use http::Response;
use http_body_util::Full;
use tokio::{
    select,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

use crate::{
    api::{self, Answer, Call},
    error,
    job::Job,
    memory,
    process::{Happened, Process, Spec, Stream},
};

/// How long a process may take to ask for its first invocation.
const INIT_LIMIT: Duration = Duration::from_secs(30);
/// How long an invocation may take for which nothing else says so.
const LIMIT: Duration = Duration::from_secs(60);
/// What a function that streams is told where nothing limits its reply: the most that AWS allows any function.
const STREAM_LIMIT: Duration = Duration::from_secs(900);
/// How long a process that is told to end may take.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// How often the memory is measured.
const MEASURE: Duration = Duration::from_millis(100);

/// What the pool learns of a process.
#[derive(Debug)]
pub(crate) enum Event {
    /// It asked for an invocation, and there is none.
    Idle(u64),
    /// It answered, and will soon ask for the next.
    Answered(u64),
    /// It is gone. A job that it did not see is given back.
    Ended(u64, Option<Job>),
}

type Responder = oneshot::Sender<Response<Full<Bytes>>>;

enum State {
    /// The process has a job that it did not ask for yet; `fresh` until it asked for the first time.
    Waiting { job: Job, fresh: bool },
    /// The process waits for a job.
    Idle(Responder),
    /// The process has a job; none once it is answered.
    Busy(Option<Job>),
    /// The process streams the reply to this request.
    Streaming(RequestId),
}

/// Until when a process may take for what it does now; `None` is without a limit.
struct Limit {
    now: Option<Instant>,
    /// As soon as a reply is streamed.
    streaming: Option<Instant>,
}

impl Limit {
    fn new(now: Instant) -> Self {
        Self { now: Some(now), streaming: None }
    }

    /// Takes a limit over that comes earlier.
    fn lower(&mut self, to: Instant) {
        self.now = Some(self.now.map_or(to, |now| now.min(to)));
    }

    async fn over(&self) {
        match self.now {
            Some(limit) => sleep_until(limit).await,
            None => std::future::pending().await,
        }
    }
}

/// The process's side of the pool.
pub(crate) struct Worker {
    pub(crate) id: u64,
    pub(crate) spec: Arc<Spec>,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
}

/// Why a process is ended.
enum End {
    Exited,
    /// It is not needed any more.
    Retired,
    /// It is killed, and the job fails so.
    Killed(UpstreamError),
}

impl Worker {
    /// Starts a process for a job and serves it to its end.
    pub(crate) async fn run(mut self, first: Job) {
        let undelivered = match Process::start(&self.spec).await {
            Ok(process) => {
                tracing::debug!(function = self.spec.name, process = process.id(), "A process of the function starts.");
                self.serve(process, first).await
            }
            Err(error) => {
                first.fail(error);
                None
            }
        };
        self.jobs.close();
        let undelivered = undelivered.or_else(|| self.jobs.try_recv().ok());
        self.events.send(Event::Ended(self.id, undelivered)).ok();
    }

    async fn serve(&mut self, mut process: Process, first: Job) -> Option<Job> {
        let mut state = State::Waiting { job: first, fresh: true };
        let mut limit = Limit::new(Instant::now() + INIT_LIMIT);
        let mut measure = interval(MEASURE);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let is_idle = matches!(state, State::Idle(_));
            select! {
                biased;
                // First, so that a process that writes without end can't hide its time.
                () = limit.over(), if !is_idle => break End::Killed(self.late(&state)),
                _ = measure.tick(), if self.spec.memory_limit.is_some() => {
                    if let Some(error) = self.oversized(&process) {
                        break End::Killed(error);
                    }
                }
                // Before what it writes, for the same reason.
                job = self.jobs.recv(), if is_idle => match (job, state) {
                    (Some(job), State::Idle(responder)) => {
                        // The news of its end may be on the way; the job must not be lost to it.
                        if process.has_ended() {
                            state = State::Waiting { job, fresh: false };
                            break End::Exited;
                        }
                        state = self.deliver(&process, job, responder, &mut limit);
                    }
                    (_, other) => {
                        state = other;
                        break End::Retired;
                    }
                },
                happened = process.next() => match happened {
                    Happened::Exited => break End::Exited,
                    Happened::Wrote(stream, line) => self.log(&mut process, &state, stream, line),
                    Happened::Called(Call::InitError(error)) => break End::Killed(error),
                    Happened::Called(call) => state = self.called(&process, state, call, &mut limit),
                },
            }
        };
        self.end(process, state, end).await
    }

    fn called(&self, process: &Process, state: State, call: Call, limit: &mut Limit) -> State {
        match (call, state) {
            (Call::Next(responder), State::Waiting { job, .. }) if !job.is_abandoned() => {
                self.deliver(process, job, responder, limit)
            }
            (Call::Next(responder), state) => {
                if !matches!(state, State::Idle(_)) {
                    // One that asks again, on another connection, is known to be idle.
                    self.events.send(Event::Idle(self.id)).ok();
                }
                if let State::Busy(Some(job)) = state {
                    job.fail(error::broken("the process asked for the next invocation and had not answered this one"));
                }
                State::Idle(responder)
            }
            (Call::Answer { id, answer, accepted }, State::Busy(Some(job))) if id == job.id.as_str() => {
                let (id, state) = (job.id, State::Busy(None));
                let state = match answer {
                    Answer::Whole(outcome) => {
                        // The pool hears of it first: the client's next call then waits for this process.
                        self.events.send(Event::Answered(self.id)).ok();
                        job.answer.send(outcome).ok();
                        state
                    }
                    Answer::Streams(outcome) => {
                        limit.now = limit.streaming;
                        job.answer.send(Ok(outcome)).ok();
                        State::Streaming(id)
                    }
                };
                accepted.send(true).ok();
                state
            }
            (Call::Answer { accepted, .. }, state) => {
                accepted.send(false).ok();
                state
            }
            (Call::StreamEnded, State::Streaming(_)) => {
                self.events.send(Event::Answered(self.id)).ok();
                limit.lower(Instant::now() + LIMIT);
                State::Busy(None)
            }
            (Call::StreamAbandoned, State::Streaming(id)) => {
                limit.lower(Instant::now() + LIMIT);
                State::Streaming(id)
            }
            (Call::InitError(_) | Call::StreamEnded | Call::StreamAbandoned, state) => state,
        }
    }

    fn deliver(&self, process: &Process, job: Job, responder: Responder, limit: &mut Limit) -> State {
        let now = Instant::now();
        let until = match (self.spec.timeout, job.deadline) {
            (Some(timeout), Some(deadline)) => deadline.min(now + timeout),
            (None, Some(deadline)) => deadline,
            (timeout, None) => now + timeout.unwrap_or(LIMIT),
        };
        let own = self.spec.timeout.map(|timeout| now + timeout);
        let streaming = own.into_iter().chain(job.stream_deadline).min();
        let told = if self.spec.stream { streaming.unwrap_or(now + STREAM_LIMIT) } else { until };
        let millis = (SystemTime::now() + told.saturating_duration_since(now))
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        process.io.api.max_body.store(job.max_body, Ordering::Relaxed);
        let response = api::invocation(&job, &self.spec.arn, millis);
        if responder.send(response).is_err() {
            // The connection broke before the process saw the job.
            *limit = Limit::new(now + INIT_LIMIT);
            return State::Waiting { job, fresh: false };
        }
        *limit = Limit { now: Some(until), streaming };
        State::Busy(Some(job))
    }

    fn late(&self, state: &State) -> UpstreamError {
        match state {
            State::Waiting { .. } => error::timed_out(format!(
                "the process of the function `{}` did not ask for an invocation within {} s",
                self.spec.name,
                INIT_LIMIT.as_secs()
            )),
            State::Busy(None) => error::timed_out(format!(
                "the process of the function `{}` answered, and did not ask for the next invocation in time; it was killed",
                self.spec.name
            )),
            State::Streaming(_) => error::timed_out(format!(
                "the function `{}` did not end the reply that it streams in time; its process was killed",
                self.spec.name
            )),
            State::Idle(_) | State::Busy(Some(_)) => {
                let limit = self.spec.timeout.map(|limit| format!(" of {limit:?}")).unwrap_or_default();
                error::timed_out(format!(
                    "the function `{}` did not answer within its time{limit}; its process was killed",
                    self.spec.name
                ))
            }
        }
    }

    fn oversized(&self, process: &Process) -> Option<UpstreamError> {
        let limit = self.spec.memory_limit?;
        let resident = memory::resident(process.id()?);
        (resident > limit).then(|| {
            error::broken(format!(
                "the process of the function `{}` held {resident} bytes of memory, over its limit of {limit}; it was killed",
                self.spec.name
            ))
        })
    }

    fn log(&self, process: &mut Process, state: &State, stream: Stream, line: String) {
        let request_id = match state {
            State::Waiting { job, .. } | State::Busy(Some(job)) => Some(tracing::field::display(job.id)),
            State::Streaming(id) => Some(tracing::field::display(*id)),
            State::Idle(_) | State::Busy(None) => None,
        };
        tracing::info!(target: "callgate::function", function = self.spec.name, request_id, "{line}");
        if stream == Stream::Stderr {
            process.io.tail.push(line);
        }
    }

    /// Ends the process; a job that it did not see is given back.
    async fn end(&self, mut process: Process, mut state: State, end: End) -> Option<Job> {
        if matches!(end, End::Retired) {
            self.stop(&mut process, state).await;
            return None;
        }
        let status = process.kill().await;
        let until = Process::drain_limit();
        let mut limit = Limit::new(until);
        while let Some(happened) = process.rest(until).await {
            match happened {
                Happened::Wrote(stream, line) => self.log(&mut process, &state, stream, line),
                // An answer counts though the process is gone.
                Happened::Called(call @ Call::Answer { .. }) => state = self.called(&process, state, call, &mut limit),
                Happened::Called(_) | Happened::Exited => {}
            }
        }
        let error = match end {
            End::Killed(error) => error,
            End::Exited => self.exited(status, &process),
            End::Retired => return None,
        };
        match state {
            State::Waiting { job, fresh: false } => Some(job),
            State::Waiting { job, .. } | State::Busy(Some(job)) => {
                job.fail(error);
                None
            }
            State::Idle(_) | State::Busy(None) | State::Streaming(_) => {
                tracing::warn!(function = self.spec.name, %error, "A process of the function ended.");
                None
            }
        }
    }

    fn exited(&self, status: Option<ExitStatus>, process: &Process) -> UpstreamError {
        let status = status.map_or_else(|| "for an unknown reason".to_owned(), |status| format!("with {status}"));
        error::broken(format!(
            "the process of the function `{}` ended {status}{}",
            self.spec.name,
            process.io.tail.told()
        ))
    }

    /// Lets an idle process end by itself, for a while.
    async fn stop(&self, process: &mut Process, state: State) {
        process.terminate();
        let until = Instant::now() + STOP_LIMIT;
        while Instant::now() < until
            && let Ok(happened) = timeout_at(until, process.next()).await
        {
            match happened {
                Happened::Exited => break,
                Happened::Wrote(stream, line) => self.log(process, &state, stream, line),
                Happened::Called(_) => {}
            }
        }
        process.kill().await;
        tracing::debug!(function = self.spec.name, "A process of the function was ended: it is not needed.");
    }
}
