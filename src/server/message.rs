//! A request while it runs.

use std::sync::Arc;

use super::activity::Activity;

/// A request that runs, from its head to its response's end.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.request_begins();
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}
