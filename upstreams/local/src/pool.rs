//! The processes of a function: as many as its calls need, none when there are no calls.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use callgate_core::{Context, UpstreamError};
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    error,
    job::Job,
    process::Spec,
    queue::{self, Queue},
    watch,
    worker::{Event, Worker},
};

/// How long a call waits for a process that has just answered, before another is started.
const SETTLE: Duration = Duration::from_millis(50);

/// The way into a function's pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) spec: Arc<Spec>,
    jobs: mpsc::Sender<Job>,
}

impl Pool {
    /// An empty pool, kept by a task of the upstream.
    pub(crate) fn start(spec: Spec, context: &Context) -> Self {
        let spec = Arc::new(spec);
        let (jobs, submitted) = mpsc::channel(queue::JOBS);
        let (events_to, events) = mpsc::unbounded_channel();
        let (changed, changes) = mpsc::channel(1);
        if spec.watch {
            context.spawn(watch::run(spec.directory.clone(), context.clone(), changed));
        }
        let keeper = Keeper {
            spec: Arc::clone(&spec),
            context: context.clone(),
            members: HashMap::new(),
            idle: Vec::new(),
            waiting: VecDeque::new(),
            started: 0,
            generation: 0,
            queue: Queue::default(),
            jobs: submitted,
            events,
            events_to,
            changes,
        };
        context.spawn(keeper.run());
        Self { spec, jobs }
    }

    /// Queues a job.
    pub(crate) fn submit(&self, job: Job) -> Result<(), UpstreamError> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => error::busy(),
            mpsc::error::TrySendError::Closed(_) => error::closed().not_executed(),
        })
    }
}

/// A process as the pool sees it.
struct Member {
    /// Gone once the process is to end.
    jobs: Option<mpsc::Sender<Job>>,
    generation: u64,
    /// It has answered, and is about to ask for the next job.
    settling: bool,
}

struct Keeper {
    spec: Arc<Spec>,
    context: Context,
    members: HashMap<u64, Member>,
    /// Since when which process is idle; the one that was busy last serves first, so that the others may end.
    idle: Vec<(Instant, u64)>,
    /// Jobs that wait for a process to settle, until when.
    waiting: VecDeque<(Instant, Job)>,
    started: u64,
    /// Counts the changes of the function's files.
    generation: u64,
    /// Jobs that no process is free for.
    queue: Queue,
    jobs: mpsc::Receiver<Job>,
    events: mpsc::UnboundedReceiver<Event>,
    events_to: mpsc::UnboundedSender<Event>,
    changes: mpsc::Receiver<()>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            while self.may_take()
                && let Some(job) = self.queue.pop()
            {
                self.assign(job);
            }
            let timer = self.timer();
            select! {
                biased;
                Some(event) = self.events.recv() => self.on_event(event),
                Some(()) = self.changes.recv() => self.restart(),
                () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => self.on_timer(),
                job = self.jobs.recv() => {
                    let Some(job) = job else { return };
                    if let Some(refused) = self.queue.push(job) {
                        refused.fail(error::busy());
                    }
                }
            }
        }
    }

    /// Whether a process is free, will soon be, or can be started.
    fn may_take(&self) -> bool {
        !self.idle.is_empty() || self.members.len() < self.spec.max || self.settling() > self.waiting.len()
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Answered(id) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.settling = true;
                }
            }
            Event::Idle(id) => self.on_idle(id),
            Event::Ended(id, job) => {
                self.members.remove(&id);
                self.idle.retain(|(_, idle)| *idle != id);
                if let Some(job) = job {
                    self.assign(job);
                }
                if let Some((_, job)) = self.waiting.pop_front() {
                    self.assign(job);
                }
            }
        }
    }

    fn on_idle(&mut self, id: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.settling = false;
        if member.generation < self.generation {
            member.jobs = None;
            return;
        }
        self.idle.push((Instant::now(), id));
        if let Some((_, job)) = self.waiting.pop_front() {
            self.assign(job);
        }
    }

    /// Gives a job to an idle process, to one that is about to be idle, or to a new one.
    fn assign(&mut self, mut job: Job) {
        if job.is_abandoned() {
            return;
        }
        while let Some((_, id)) = self.idle.pop() {
            let Some(jobs) = self.members.get(&id).and_then(|member| member.jobs.as_ref()) else { continue };
            match jobs.try_send(job) {
                Ok(()) => return,
                // It has just ended.
                Err(error) => job = error.into_inner(),
            }
        }
        if self.members.len() < self.spec.max && self.settling() <= self.waiting.len() {
            self.start(job);
        } else {
            self.waiting.push_back((Instant::now() + SETTLE, job));
        }
    }

    fn start(&mut self, job: Job) {
        self.started += 1;
        let id = self.started;
        let (jobs_to, jobs) = mpsc::channel(1);
        self.members.insert(id, Member { jobs: Some(jobs_to), generation: self.generation, settling: false });
        let worker = Worker { id, spec: Arc::clone(&self.spec), jobs, events: self.events_to.clone() };
        self.context.spawn(worker.run(job));
    }

    /// Ends the processes that run old code, as soon as they are idle.
    fn restart(&mut self) {
        tracing::info!(function = self.spec.name, "The function's files have changed; its processes are restarted.");
        self.generation += 1;
        for (_, id) in std::mem::take(&mut self.idle) {
            self.retire(id);
        }
    }

    fn retire(&mut self, id: u64) {
        if let Some(member) = self.members.get_mut(&id) {
            member.jobs = None;
        }
    }

    fn settling(&self) -> usize {
        self.members.values().filter(|member| member.settling).count()
    }

    /// When something has to be done that no event tells of.
    fn timer(&self) -> Option<Instant> {
        let idle = self.idle.first().map(|(since, _)| *since + self.spec.idle_timeout);
        let has_room = self.members.len() < self.spec.max;
        let waiting = self.waiting.front().filter(|_| has_room).map(|(until, _)| *until);
        idle.into_iter().chain(waiting).min()
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        while self.members.len() < self.spec.max
            && let Some((_, job)) = self.waiting.pop_front_if(|(until, _)| *until <= now)
        {
            self.start(job);
        }
        while self.idle.first().is_some_and(|(since, _)| *since + self.spec.idle_timeout <= now) {
            let (_, id) = self.idle.remove(0);
            self.retire(id);
        }
    }
}
