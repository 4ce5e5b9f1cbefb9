//! The end of the process waits for what its logs have not written yet.

use std::{
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// How long is waited. Nobody may read what the lines go to.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until the thread that takes these orders has done all that came before; two seconds at most. It blocks.
pub(crate) fn flush<T>(orders: &SyncSender<T>, order: impl Fn(SyncSender<()>) -> T) {
    let until = Instant::now() + PATIENCE;
    let (done, written) = sync_channel(1);
    while orders.try_send(order(done.clone())).is_err() {
        if Instant::now() >= until {
            return;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    // An error says that nobody writes any more, or not in time.
    written.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
}
