//! What operators are shown of a configuration in force.

use super::Snapshot;
use crate::document::Sources;

/// What operators are shown of a configuration.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) routes: Vec<[String; 4]>,
    pub(super) effective: serde_json::Value,
    pub(super) summary: String,
}

impl Snapshot {
    /// Host, match, destination and name of every route, in the order in which they are tried.
    pub fn route_list(&self) -> &[[String; 4]] {
        &self.shown.routes
    }

    /// The document as it is in force: defaults filled in, secrets masked.
    pub fn effective(&self) -> &serde_json::Value {
        &self.shown.effective
    }

    /// What the configuration holds, in a few words: `2 upstreams, 5 routes`.
    pub fn summary(&self) -> &str {
        &self.shown.summary
    }

    /// The texts of the configuration, and the files that it names.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}
