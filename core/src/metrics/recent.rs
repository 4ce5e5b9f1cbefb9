//! The failures of the last while, for operators who look.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::Labels;
use crate::{request_id::RequestId, respond::Code};

/// How many are kept.
const KEPT: usize = 100;

/// A request that the gateway answered for a failure. It holds no header and no body.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecentFailure {
    /// When it was answered.
    pub at: SystemTime,
    /// The request's id, under which the log has it too.
    pub request_id: RequestId,
    /// The route and the upstream; `None` where no route matched.
    pub labels: Option<Labels>,
    /// The failure's code.
    pub code: Code,
    /// The reason, as the log has it, without the values of references.
    pub reason: String,
}

/// The last failures, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<RecentFailure>>);

impl Recent {
    /// Keeps a failure. While another thread keeps one or somebody looks, it is left out: no request waits for it.
    pub(super) fn keep(&self, failure: RecentFailure) {
        let Ok(mut kept) = self.0.try_lock() else { return };
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(failure);
    }

    pub(super) fn all(&self) -> Vec<RecentFailure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let recent = Recent::default();
        for number in 0..KEPT + 3 {
            recent.keep(RecentFailure {
                at: SystemTime::now(),
                request_id: RequestId::random(),
                labels: None,
                code: Code::BadRequest,
                reason: number.to_string(),
            });
        }
        let all = recent.all();
        assert_eq!((all.len(), &*all[0].reason, &*all[KEPT - 1].reason), (KEPT, "3", "102"));
    }
}
