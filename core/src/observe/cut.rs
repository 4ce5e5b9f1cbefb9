//! A reply that breaks off when its head is with the client already: nothing can be answered any more, but it is told.

use std::sync::Arc;

use tracing::warn;

use crate::{body::BodyError, metrics::Series, request_id::RequestId, respond::Code, snapshot::Snapshot};

/// What is known of a request whose reply streams. Keeps its configuration until the reply has ended.
pub(crate) struct Streaming {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) id: RequestId,
    pub(crate) series: Arc<Series>,
}

impl Streaming {
    /// The reply's body failed, and the client gets no more of it.
    pub(crate) fn is_cut(&self, error: &BodyError) {
        let code = code(error);
        let labels = self.series.labels();
        let reason = self.snapshot.reason(error);
        warn!(
            request_id = %self.id, route = &*labels.route, upstream = &*labels.upstream, code = code.as_str(), error = reason,
            "A reply broke off."
        );
        self.series.cut(code);
        self.snapshot.observers.metrics.failed(self.id, Some(labels.clone()), code, reason);
    }
}

/// The code that a failure of the reply's body has where it can still be answered.
pub(super) fn code(error: &BodyError) -> Code {
    match error {
        BodyError::TimedOut => Code::UpstreamTimeout,
        BodyError::TooLarge { .. } | BodyError::Cut(_) => Code::BadUpstreamReply,
    }
}
