//! The signals that the process takes.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ServerError;

/// SIGTERM, SIGINT and SIGHUP, from the moment that this was made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches the signals from now on; they no longer end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn new() -> Result<Self, ServerError> {
        let catch = |kind| signal(kind).map_err(ServerError::Signals);
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that ends the process, and says its name. SIGHUP, which is to reload, ends nothing.
    pub async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => tracing::warn!(
                    "SIGHUP changes nothing: this version can't reload its configuration. Restart the gateway for a new one."
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Kind, getpid, kill_process};

    #[tokio::test]
    async fn a_hangup_neither_ends_the_process_nor_the_wait() {
        let mut signals = Signals::new().unwrap();
        kill_process(getpid(), Kind::HUP).unwrap();
        kill_process(getpid(), Kind::TERM).unwrap();
        assert_eq!(signals.next().await, "SIGTERM");
    }
}
