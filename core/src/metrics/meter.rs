//! Notes when a reply's body ends.

use std::{fmt, sync::Arc, time::Instant};

use super::Series;

/// Lies in a body that streams; when it is dropped, the body has ended or is given up.
pub(crate) struct Meter {
    series: Arc<Series>,
    called: Option<Instant>,
    received: Option<Instant>,
}

impl Meter {
    /// For the body of an upstream's reply to a call that began then.
    pub(crate) fn of_call(series: &Arc<Series>, called: Instant) -> Self {
        Self { series: Arc::clone(series), called: Some(called), received: None }
    }

    /// For the body of a reply to a client's request that came then.
    pub(crate) fn of_request(series: &Arc<Series>, received: Instant) -> Self {
        Self { series: Arc::clone(series), called: None, received: Some(received) }
    }

    /// The body goes to the client as it is, whose request came then.
    pub(crate) fn goes_to_client(&mut self, received: Instant) {
        self.received = Some(received);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let now = Instant::now();
        if let Some(called) = self.called {
            self.series.reply_ended(now.saturating_duration_since(called));
        }
        if let Some(received) = self.received {
            self.series.ended(now.saturating_duration_since(received));
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("labels", self.series.labels()).finish_non_exhaustive()
    }
}
