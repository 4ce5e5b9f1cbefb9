//! The signals that end the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ServerError;

/// SIGTERM and SIGINT, from the moment that this was made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches the signals from now on; they no longer end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn new() -> Result<Self, ServerError> {
        let catch = |kind| signal(kind).map_err(ServerError::Signals);
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for the next one and says its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
