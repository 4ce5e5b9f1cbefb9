//! Tells a person at a terminal that a command is at work. Scripts and logs see nothing of it.

use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    pin::pin,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval_at};

/// What is done sooner needs no word.
const AFTER: Duration = Duration::from_millis(300);
const EVERY: Duration = Duration::from_millis(120);
const SIGNS: [char; 4] = ['|', '/', '-', '\\'];
/// Back to the line's beginning, and the rest of it removed.
const CLEAR: &str = "\r\x1b[K";

/// Waits for work, and says on a terminal what it is and for how long it has been going on.
pub(super) async fn watched<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let (began, mut work, mut shown) = (Instant::now(), pin!(work), 0);
    let mut ticks = interval_at((began + AFTER).into(), EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            done = &mut work => {
                if shown > 0 {
                    draw(CLEAR);
                }
                return done;
            }
            _ = ticks.tick() => {
                draw(&format!("{CLEAR}{}", line(what, shown, began.elapsed())));
                shown += 1;
            }
        }
    }
}

fn line(what: &str, shown: usize, since: Duration) -> String {
    format!("{} {what} ({}s)", SIGNS[shown % SIGNS.len()], since.as_secs())
}

/// A terminal that is gone needs no progress.
fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_goes_on_and_for_how_long() {
        assert_eq!(line("asking faas", 5, Duration::from_millis(2900)), "/ asking faas (2s)");
    }
}
