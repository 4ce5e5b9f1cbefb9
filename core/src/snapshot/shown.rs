//! What operators are shown of a configuration in force.

use std::error::Error;

use super::Snapshot;
use crate::{document::Sources, error::chain};

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

    /// The text, with the values that references of the document gave replaced by the references.
    pub fn masked(&self, text: String) -> String {
        self.masks.text(&text).unwrap_or(text)
    }

    /// An error and all its causes in one line for operators: [`chain`], masked.
    pub fn reason(&self, error: &(dyn Error + 'static)) -> String {
        self.masked(chain(error))
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
