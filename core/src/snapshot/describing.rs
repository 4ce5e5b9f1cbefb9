//! What one function takes and gives: `callgate describe`.

use std::fmt;

use serde_json::{Map, Value};
use tokio::{runtime::Handle, time::timeout};

use super::{
    DiscoverError,
    load::{connect_one, report},
};
use crate::{
    document::Report,
    error::{ErrorKind, UpstreamError, chain},
    plan::Plan,
    upstream::{Description, flaw},
};

/// How long an upstream may take to describe a function.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A function with its description. Displays as JSON: `function`, `summary`, `input` and `output` as JSON Schema,
/// `example` of the input, and `sent`, what the service gets for the example.
#[derive(Debug)]
pub struct Described {
    function: String,
    description: Description,
}

/// Why a function can't be described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// The document has no such upstream.
    #[error("there is no upstream `{upstream}` in the configuration; {hint}")]
    Unknown {
        /// The name that was asked for.
        upstream: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// The upstream's settings, or the function, can't be used.
    #[error("{0}")]
    Invalid(Report),
    /// Nothing says what the function takes and gives.
    #[error("`{function}` is of the kind `{kind}`, and nothing describes it")]
    Undescribed {
        /// The function, as it was asked for.
        function: String,
        /// Its upstream's kind.
        kind: &'static str,
    },
    /// The remote did not tell.
    #[error("the function `{function}` can't be described: {}", chain(source))]
    Failed {
        /// The function, as it was asked for.
        function: String,
        /// What went wrong.
        source: UpstreamError,
    },
}

impl Plan {
    /// Says what a function takes and gives: `upstream/function` as a route would name it, or the upstream alone.
    /// Nothing but this upstream is connected.
    ///
    /// # Errors
    /// There is no such upstream or function, or nothing describes it.
    pub async fn describe(mut self, function: &str, background: &Handle) -> Result<Described, DescribeError> {
        let (upstream, name) = match function.split_once('/') {
            Some((upstream, name)) => (upstream, Some(name)),
            None => (function, None),
        };
        let meant = self.meant(upstream, name).map_err(DescribeError::Invalid)?;
        let Some((meant, (upstream, plan))) = meant.zip(self.upstreams.remove_entry(upstream)) else {
            return Err(match self.unknown(upstream) {
                DiscoverError::Unknown { upstream, hint } => DescribeError::Unknown { upstream, hint },
                other => DescribeError::Unknown { upstream: upstream.to_owned(), hint: other.to_string() },
            });
        };
        let kind = plan.kind.name();
        let invalid = |flaw| DescribeError::Invalid(report(vec![flaw], self.sources()));
        let connected = connect_one(&upstream, plan, background).await.map_err(invalid)?;
        let described = match connected.upstream.clone().bind(meant.target) {
            Ok(bound) => Ok(timeout(PATIENCE, bound.describe()).await),
            Err(wrong) => Err(invalid(flaw(&meant.node, &meant.path, wrong))),
        };
        connected.close(&upstream).await;
        let late = || UpstreamError::new(ErrorKind::Timeout, "it was not described in time");
        let owned = || function.to_owned();
        match described?.unwrap_or_else(|_| Err(late())) {
            Ok(Some(description)) => Ok(Described { function: owned(), description }),
            Ok(None) => Err(DescribeError::Undescribed { function: owned(), kind }),
            Err(source) => Err(DescribeError::Failed { function: owned(), source }),
        }
    }
}

impl Described {
    /// What the function takes and gives.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// For programs: what it displays.
    pub fn to_json(&self) -> Value {
        let Self { function, description } = self;
        let parts = [
            ("function", Some(function.as_str().into())),
            ("summary", description.summary.as_deref().map(Value::from)),
            ("input", Some(description.input())),
            ("output", Some(description.output())),
            ("example", description.example.clone()),
            ("sent", description.sent.as_deref().map(Value::from)),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(Map::from_iter(parts))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.to_json())
    }
}
