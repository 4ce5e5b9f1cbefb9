//! Unused connections, kept per thread: no lock, and a connection never leaves the thread that its socket wakes.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use callgate_core::{Context, PoolGauge};
use foldhash::fast::RandomState;
use tokio::{runtime, sync::Notify, time::timeout};

use crate::{h1::Connection, h2::Sender, turn::Turn};

/// How often unused connections are looked at, at least.
const TICK: Duration = Duration::from_secs(2);

/// What the connections of one client share.
pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) context: Context,
    /// After how many ticks an unused connection is closed.
    ticks: u32,
    tick: Duration,
    max_idle: usize,
    closed: AtomicBool,
    closing: Notify,
    pub(crate) gauge: Arc<PoolGauge>,
}

/// Whose connection it is, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) client: u64,
    pub(crate) endpoint: u64,
    /// Two runtimes may run on one thread, one after the other; a socket belongs to one of them.
    pub(crate) runtime: runtime::Id,
}

/// Where a connection belongs.
pub(crate) struct Home {
    pub(crate) shared: Arc<Shared>,
    pub(crate) key: Key,
}

/// The connections to one endpoint.
#[derive(Default)]
struct Slot {
    idle: Vec<Idle>,
    http2: Option<Multiplexed>,
    turns: Turns,
}

/// Who may open a connection that others could share.
#[derive(Default)]
enum Turns {
    /// One at a time: it is not known yet whether the peer speaks HTTP/2, or it does.
    #[default]
    Unused,
    OneAtATime(Arc<Turn>),
    /// Everyone: the peer speaks HTTP/1.1.
    AllAtOnce,
}

struct Idle {
    connection: Box<Connection>,
    age: u32,
}

struct Multiplexed {
    sender: Sender,
    age: u32,
}

type Slots = HashMap<Key, Slot, RandomState>;

thread_local! {
    static POOL: RefCell<Slots> = RefCell::default();
}

impl Shared {
    pub(crate) fn new(id: u64, context: Context, idle_timeout: Duration, max_idle: usize) -> Self {
        let tick = (idle_timeout / 4).clamp(Duration::from_millis(1), TICK);
        let ticks = u32::try_from(idle_timeout.as_nanos() / tick.as_nanos()).unwrap_or(u32::MAX).max(1);
        let (closed, closing, gauge) = (AtomicBool::new(false), Notify::new(), context.pool());
        Self { id, context, ticks, tick, max_idle, closed, closing, gauge }
    }

    /// The client is gone: its unused connections are closed soon, used ones when they have done their work.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A connection that takes a request now.
pub(crate) fn take(key: &Key) -> Option<Box<Connection>> {
    loop {
        let mut connection = with(|slots| slots.get_mut(key)?.idle.pop())??.connection;
        if connection.link.is_open() {
            return Some(connection);
        }
    }
}

/// Keeps a connection for the next request.
pub(crate) fn put(connection: Box<Connection>) {
    if connection.home.shared.is_closed() {
        return;
    }
    // What doesn't fit is dropped after the pool is free again.
    let _surplus = with(|slots| {
        let (key, max_idle) = (connection.home.key, connection.home.shared.max_idle);
        let slot = match slots.get_mut(&key) {
            Some(slot) => slot,
            None => slot(slots, key, &connection.home.shared),
        };
        if slot.idle.len() >= max_idle {
            return Some(connection);
        }
        slot.idle.push(Idle { connection, age: 0 });
        None
    });
}

/// The HTTP/2 connection of this thread, if it takes requests.
pub(crate) fn http2(key: &Key) -> Option<Sender> {
    with(|slots| {
        let slot = slots.get_mut(key)?;
        let shared = slot.http2.as_mut()?;
        if shared.sender.is_closed() {
            slot.http2 = None;
            return None;
        }
        shared.age = 0;
        Some(shared.sender.clone())
    })?
}

/// Shares an HTTP/2 connection with the next requests of this thread.
pub(crate) fn put_http2(key: Key, shared: &Arc<Shared>, sender: Sender) {
    if shared.is_closed() {
        return;
    }
    let mut replaced = None;
    with(|slots| replaced = slot(slots, key, shared).http2.replace(Multiplexed { sender, age: 0 }));
}

/// Drops an HTTP/2 connection that takes no more requests; those under way go on.
pub(crate) fn forget_http2(key: &Key, sender: &Sender) {
    let _forgotten = with(|slots| {
        let shared = &mut slots.get_mut(key)?.http2;
        shared.take_if(|shared| shared.sender.is_same(sender))
    });
}

/// Where requests take turns to open a connection that others could share; `None` where the peer is known not to.
pub(crate) fn turn(key: Key, shared: &Arc<Shared>) -> Option<Arc<Turn>> {
    with(|slots| {
        let turns = &mut slot(slots, key, shared).turns;
        match turns {
            Turns::AllAtOnce => None,
            Turns::OneAtATime(turn) => Some(turn.clone()),
            Turns::Unused => {
                let turn = Arc::<Turn>::default();
                *turns = Turns::OneAtATime(turn.clone());
                Some(turn)
            }
        }
    })?
}

/// The peer speaks HTTP/1.1: nobody has to wait for another's connection.
pub(crate) fn end_turns(key: &Key) {
    with(|slots| {
        if let Some(slot) = slots.get_mut(key) {
            slot.turns = Turns::AllAtOnce;
        }
    });
}

/// The endpoint's slot; the first one of a client starts the task that empties them again.
fn slot<'a>(slots: &'a mut Slots, key: Key, shared: &Arc<Shared>) -> &'a mut Slot {
    if !slots.contains_key(&key) && !slots.keys().any(|other| is_of(other, &key)) {
        shared.context.spawn_here(reap(shared.clone(), key));
    }
    slots.entry(key).or_default()
}

fn is_of(one: &Key, other: &Key) -> bool {
    one.client == other.client && one.runtime == other.runtime
}

/// Nothing while the thread ends, when its pool is gone already.
fn with<T>(work: impl FnOnce(&mut Slots) -> T) -> Option<T> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok().map(|mut slots| work(&mut slots))).ok().flatten()
}

/// Closes connections that are unused for too long or that their peer has closed, until none is left.
fn reap(shared: Arc<Shared>, key: Key) -> impl Future<Output = ()> {
    // Made at once: where the upstream is closed before the task begins, the connection that waits goes too.
    let mut emptied = Emptied { key, gauge: Arc::clone(&shared.gauge), idle: 0 };
    async move {
        loop {
            let closing = timeout(shared.tick, shared.closing.notified()).await.is_ok();
            if closing || shared.is_closed() {
                return;
            }
            let left = grow_older(&shared, &key);
            emptied.counts(left.idle);
            if left.none {
                return;
            }
        }
    }
}

/// Empties the slots of a client when its reaper ends, however that comes about.
struct Emptied {
    key: Key,
    gauge: Arc<PoolGauge>,
    /// How many of this thread's connections were unused at the last look.
    idle: u64,
}

impl Emptied {
    fn counts(&mut self, idle: u64) {
        self.gauge.idle(std::mem::replace(&mut self.idle, idle), idle);
    }
}

impl Drop for Emptied {
    fn drop(&mut self) {
        self.counts(0);
        let mut gone = Vec::new();
        with(|slots| gone.extend(slots.extract_if(|key, _| is_of(key, &self.key))));
    }
}

/// What is left of a client's connections.
struct Left {
    none: bool,
    /// Those of HTTP/1.1; whether one of HTTP/2 is unused is not known.
    idle: u64,
}

/// One tick for a client's connections.
fn grow_older(shared: &Shared, key: &Key) -> Left {
    let (mut gone, mut gone_http2, mut left) = (Vec::new(), Vec::new(), Left { none: true, idle: 0 });
    with(|slots| {
        for (_, slot) in slots.iter_mut().filter(|(other, _)| is_of(other, key)) {
            gone.extend(slot.idle.extract_if(.., |idle| {
                idle.age += 1;
                idle.age >= shared.ticks || !idle.connection.link.is_open()
            }));
            if let Some(http2) = &mut slot.http2 {
                http2.age += 1;
                if http2.age >= shared.ticks || http2.sender.is_closed() {
                    gone_http2.extend(slot.http2.take());
                }
            }
            left.idle += slot.idle.len() as u64;
            left.none &= slot.idle.is_empty() && slot.http2.is_none();
        }
    });
    left
}
