//! The signals that the process takes.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ServerError;

/// SIGTERM and SIGINT, from the moment that this was made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// SIGHUP, from the moment that this was made.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Signals {
    /// Catches the signals from now on; they no longer end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn new() -> Result<Self, ServerError> {
        let catch = |kind| signal(kind).map_err(ServerError::Signals);
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for the next one, and says its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

impl Hangups {
    /// Catches the signal from now on; it no longer ends the process by itself. Needs a tokio runtime.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn new() -> Result<Self, ServerError> {
        signal(SignalKind::hangup()).map(Self).map_err(ServerError::Signals)
    }

    /// Waits for the next one; several that come at once may be one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Kind, getpid, kill_process};

    #[tokio::test]
    async fn a_hangup_does_not_end_the_process() {
        let (mut signals, mut hangups) = (Signals::new().unwrap(), Hangups::new().unwrap());
        kill_process(getpid(), Kind::HUP).unwrap();
        hangups.next().await;
        kill_process(getpid(), Kind::TERM).unwrap();
        assert_eq!(signals.next().await, "SIGTERM");
    }
}
