//! What goes on on a connection, noted by its parts as they work and looked over now and then.
//!
//! Noting must cost next to nothing, as it is done per request: no clock is read and no timer is set. All of a
//! connection's parts run on its worker's thread, so loads and stores suffice where other threads would need a
//! read-modify-write.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
};

/// What a connection is told to do. A later one outweighs an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Serve,
    /// Finish what runs, then close; a connection that had no request yet gets the time for one.
    FinishAfterFirst,
    /// Finish what runs, then close.
    Finish,
    /// Close now.
    Close,
}

const NO_SUCH_RESPONSE: u8 = 0;
const UNFINISHED: u8 = 1;
const WHOLE: u8 = 2;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests whose response has not ended.
    running: AtomicU32,
    /// Requests so far, and pieces of bodies after their answers; wraps.
    requests: AtomicU32,
    /// Bytes have come that belong to no running request: a head has begun. True at first, as one is due.
    head_due: AtomicBool,
    /// What comes without a running request is the rest of a body.
    body_due: AtomicBool,
    /// The client does not take what is being written.
    blocked: AtomicBool,
    /// Writes that went through; wraps.
    writes: AtomicU32,
    /// Reads that brought something; wraps.
    reads: AtomicU32,
    /// HTTP/2, whose bytes between requests begin no head.
    multiplexed: AtomicBool,
    /// A request's body was given up before its end.
    left_body: AtomicBool,
    /// A response that ends with the connection alone, and how far it got.
    until_close: AtomicU8,
    /// Another protocol has taken the connection over.
    upgraded: AtomicBool,
    /// The connection has rested for a while, and may give back what it needs for requests alone.
    rests: AtomicBool,
    /// Nothing has come for long enough to ask whether the client is still there.
    to_be_probed: AtomicBool,
    order: AtomicU8,
    waker: OnceLock<Waker>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            running: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            head_due: AtomicBool::new(true),
            body_due: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            writes: AtomicU32::new(0),
            reads: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
            left_body: AtomicBool::new(false),
            until_close: AtomicU8::new(NO_SUCH_RESPONSE),
            upgraded: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            to_be_probed: AtomicBool::new(false),
            order: AtomicU8::new(Order::Serve as u8),
            waker: OnceLock::new(),
        }
    }

    pub(super) fn request_begins(&self) {
        self.requests.store(self.requests.load(Relaxed).wrapping_add(1).max(1), Relaxed);
        self.running.store(self.running.load(Relaxed) + 1, Relaxed);
        self.head_due.store(false, Relaxed);
        self.left_body.store(false, Relaxed);
        self.body_due.store(false, Relaxed);
    }

    pub(super) fn request_ends(&self) {
        self.running.store(self.running.load(Relaxed).saturating_sub(1), Relaxed);
    }

    pub(super) fn has_read(&self) {
        self.reads.store(self.reads.load(Relaxed).wrapping_add(1), Relaxed);
        if self.running.load(Relaxed) > 0 {
            return;
        }
        if self.body_due.load(Relaxed) {
            // As good as a request: the connection does not rest.
            self.requests.store(self.requests.load(Relaxed).wrapping_add(1).max(1), Relaxed);
        } else {
            self.head_due.store(true, Relaxed);
        }
    }

    /// A request's answer has been sent, and somebody still reads its body.
    pub(super) fn awaits_body(&self) {
        self.body_due.store(true, Relaxed);
    }

    /// Nothing has come of a next request; what came belonged to the last one.
    pub(super) fn awaits_head(&self) {
        self.body_due.store(false, Relaxed);
        if self.had_request() {
            self.head_due.store(false, Relaxed);
        }
    }

    pub(super) fn has_written(&self) {
        self.writes.store(self.writes.load(Relaxed).wrapping_add(1), Relaxed);
        self.blocked.store(false, Relaxed);
    }

    pub(super) fn is_blocked(&self) {
        self.blocked.store(true, Relaxed);
    }

    pub(super) fn leaves_body(&self) {
        self.left_body.store(true, Relaxed);
    }

    /// Whether the client may be sending what nobody reads: the rest of a body, or a head that was refused.
    pub(super) fn has_unread(&self) -> bool {
        self.left_body.load(Relaxed) || self.head_due.load(Relaxed)
    }

    /// From now on the client has the time of a head to stop sending.
    pub(super) fn lingers(&self) {
        self.head_due.store(true, Relaxed);
        self.multiplexed.store(false, Relaxed);
    }

    /// A response begins whose end the client knows by the connection's end alone.
    pub(super) fn sends_until_close(&self) {
        self.until_close.store(UNFINISHED, Relaxed);
    }

    /// Such a response is whole.
    pub(super) fn has_sent_all(&self) {
        self.until_close.store(WHOLE, Relaxed);
    }

    /// Whether a clean end of the connection would pass a part of a response off as the whole. `flushed` says whether
    /// everything was given to the socket.
    pub(super) fn would_deceive(&self, flushed: bool) -> bool {
        match self.until_close.load(Relaxed) {
            NO_SUCH_RESPONSE => false,
            WHOLE => !flushed,
            _ => true,
        }
    }

    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// Whether the connection was found to rest since this was asked last.
    pub(super) fn has_come_to_rest(&self) -> bool {
        self.rests.swap(false, Relaxed)
    }

    /// Whether the client was found to be silent since this was asked last.
    pub(super) fn is_to_be_probed(&self) -> bool {
        self.to_be_probed.swap(false, Relaxed)
    }

    /// Whether the connection is known to be one of HTTP/2.
    pub(super) fn is_of_http2(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    pub(super) fn is_upgraded(&self) {
        self.upgraded.store(true, Relaxed);
    }

    pub(super) fn had_request(&self) -> bool {
        self.requests.load(Relaxed) != 0
    }

    pub(super) fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::Serve,
            1 => Order::FinishAfterFirst,
            2 => Order::Finish,
            _ => Order::Close,
        }
    }

    /// Whether the connection closes after what runs on it.
    pub(super) fn is_last(&self) -> bool {
        match self.order() {
            Order::Serve => false,
            Order::FinishAfterFirst => self.had_request(),
            Order::Finish | Order::Close => true,
        }
    }

    /// Tells the connection what to do, unless it was told to do more.
    pub(super) fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Relaxed) < order as u8 {
            self.drive();
        }
    }

    /// Has the connection's task look at what has changed.
    pub(super) fn drive(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// The same, unless that task is the one that is being polled.
    pub(super) fn drive_unless_by(&self, polled: &Waker) {
        if !self.waker.get().is_some_and(|waker| waker.will_wake(polled)) {
            self.drive();
        }
    }

    /// Remembers the task that orders are for. It stays the same from accept to close.
    pub(super) fn is_driven_by(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }
}

/// How many times in a row a connection may be found waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) head: u32,
    pub(super) idle: u32,
    pub(super) write: u32,
    /// After which a silent client of HTTP/2 is asked whether it is there.
    pub(super) silence: u32,
    /// After which it counts as dead.
    pub(super) death: u32,
}

/// What was found when the connection was last looked at.
#[derive(Debug, Default)]
pub(super) struct Watch {
    requests: u32,
    writes: u32,
    reads: u32,
    silent: u32,
    waits_for_head: u32,
    idles: u32,
    blocked: u32,
}

impl Watch {
    /// Looks at a connection, once per tick, and says what should become of it.
    pub(super) fn look(&mut self, activity: &Activity, patience: Patience) -> Order {
        if activity.upgraded.load(Relaxed) {
            return Order::Serve;
        }
        let writes = activity.writes.load(Relaxed);
        let stuck = activity.blocked.load(Relaxed) && writes == self.writes;
        self.blocked = if stuck { self.blocked + 1 } else { 0 };
        self.writes = writes;
        if self.blocked > patience.write {
            return Order::Close;
        }
        if activity.multiplexed.load(Relaxed) && self.is_dead(activity, patience) {
            return Order::Close;
        }
        let requests = activity.requests.load(Relaxed);
        if activity.running.load(Relaxed) > 0 || stuck || requests != self.requests {
            self.requests = requests;
            (self.waits_for_head, self.idles) = (0, 0);
            return Order::Serve;
        }
        if activity.head_due.load(Relaxed) && !activity.multiplexed.load(Relaxed) {
            self.waits_for_head += 1;
            return if self.waits_for_head > patience.head { Order::Close } else { Order::Serve };
        }
        self.idles += 1;
        if self.idles == 1 {
            activity.rests.store(true, Relaxed);
            activity.drive();
        }
        if self.idles > patience.idle { Order::Finish } else { Order::Serve }
    }

    /// Whether a client of HTTP/2 has gone without a word. It is asked once before.
    fn is_dead(&mut self, activity: &Activity, patience: Patience) -> bool {
        let reads = activity.reads.load(Relaxed);
        self.silent = if reads == self.reads { self.silent + 1 } else { 0 };
        self.reads = reads;
        if self.silent == patience.silence {
            activity.to_be_probed.store(true, Relaxed);
            activity.drive();
        }
        self.silent > patience.death
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: 1, idle: 2, write: 3, silence: 4, death: 6 };

    fn looks(watch: &mut Watch, activity: &Activity, times: usize) -> Vec<Order> {
        (0..times).map(|_| watch.look(activity, PATIENCE)).collect()
    }

    #[test]
    fn a_connection_without_a_first_request_is_closed() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        assert_eq!(looks(&mut watch, &activity, 2), [Order::Serve, Order::Close]);
    }

    #[test]
    fn a_running_request_takes_its_time() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.request_begins();
        assert_eq!(looks(&mut watch, &activity, 9), [Order::Serve; 9]);
    }

    #[test]
    fn a_connection_that_rests_is_finished_later_than_one_whose_head_does_not_end() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.request_begins();
        activity.request_ends();
        let orders = looks(&mut watch, &activity, 4);
        assert_eq!(orders, [Order::Serve, Order::Serve, Order::Serve, Order::Finish]);

        activity.request_begins();
        activity.request_ends();
        activity.has_read();
        let orders = looks(&mut watch, &activity, 3);
        assert_eq!(orders, [Order::Serve, Order::Serve, Order::Close]);
    }

    #[test]
    fn a_connection_is_told_once_that_it_rests() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.request_begins();
        looks(&mut watch, &activity, 1);
        assert!(!activity.has_come_to_rest());
        activity.request_ends();
        looks(&mut watch, &activity, 2);
        assert!(activity.has_come_to_rest());
        looks(&mut watch, &activity, 1);
        assert!(!activity.has_come_to_rest());
    }

    #[test]
    fn a_client_that_takes_nothing_is_closed_and_a_slow_one_is_not() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.request_begins();
        activity.is_blocked();
        assert_eq!(looks(&mut watch, &activity, 3), [Order::Serve; 3]);
        activity.has_written();
        activity.is_blocked();
        assert_eq!(looks(&mut watch, &activity, 4), [Order::Serve; 4]);
        assert_eq!(looks(&mut watch, &activity, 1), [Order::Close]);
    }

    #[test]
    fn a_silent_client_of_http2_is_asked_once_and_closed_unless_it_says_something() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.is_multiplexed();
        activity.request_begins();
        activity.has_read();
        looks(&mut watch, &activity, 4);
        assert!(!activity.is_to_be_probed());
        looks(&mut watch, &activity, 1);
        assert!(activity.is_to_be_probed());
        activity.has_read();
        assert_eq!(looks(&mut watch, &activity, 7), [Order::Serve; 7]);
        assert!(activity.is_to_be_probed());
        assert_eq!(looks(&mut watch, &activity, 1), [Order::Close]);
    }

    #[test]
    fn a_silent_client_of_http1_may_wait_for_its_answer() {
        let (activity, mut watch) = (Activity::new(), Watch::default());
        activity.request_begins();
        assert_eq!(looks(&mut watch, &activity, 20), [Order::Serve; 20]);
        assert!(!activity.is_to_be_probed());
    }

    #[test]
    fn an_order_is_never_taken_back() {
        let activity = Activity::new();
        activity.tell(Order::Finish);
        activity.tell(Order::FinishAfterFirst);
        assert_eq!(activity.order(), Order::Finish);
        activity.tell(Order::Close);
        assert_eq!(activity.order(), Order::Close);
    }
}
