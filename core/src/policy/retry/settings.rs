//! `retry`, as it stands in the document.

use std::{sync::Arc, time::Duration};

use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use crate::{
    document::{Percent, Period, Size},
    policy::{reason::Reason, settings::Inherit},
};

const DEFAULT_ATTEMPTS: u32 = 3;
const MOST_ATTEMPTS: u32 = 10;
const DEFAULT_INITIAL: Duration = Duration::from_millis(25);
const DEFAULT_MAX: Duration = Duration::from_secs(1);
const DEFAULT_MULTIPLIER: f64 = 2.0;
const DEFAULT_BUDGET: Percent = Percent::of(20);
const DEFAULT_BUFFER: u64 = 64 << 10;

/// When a call that failed is tried again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CallRetry")]
pub(crate) struct RetrySettings {
    /// How often a call is tried, the first time included, 1 to 10. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<Attempts>,
    /// What it is tried again for: failures, statuses, classes of statuses. Default: `[connect, timeout, throttled,
    /// unavailable, bad_reply, 502, 503, 504]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<OneOrMany<Reason>>,
    /// The pauses in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<BackoffSettings>,
    /// How many retries there may be for the requests of the last ten seconds to the same upstream, beside ten that are
    /// always allowed. Default: 20%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Percent>,
    /// How much of a streamed request's body is kept to be sent again; a larger one is sent once. Default: 64KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buffer: Option<Size>,
}

/// Pauses that grow with each failure. Each is drawn between nothing and what the failures so far give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CallBackoff")]
pub(crate) struct BackoffSettings {
    /// The longest pause after the first failure. Default: 25ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) initial: Option<Period>,
    /// The longest pause of all. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<Period>,
    /// By how much each is longer than the one before, 1 to 10. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) multiplier: Option<Multiplier>,
}

/// How often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", inline)]
pub(crate) struct Attempts(u32);

impl TryFrom<u32> for Attempts {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        let fits = (1..=MOST_ATTEMPTS).contains(&count);
        fits.then_some(Self(count)).ok_or_else(|| format!("a call is tried 1 to {MOST_ATTEMPTS} times, not {count}"))
    }
}

impl From<Attempts> for u32 {
    fn from(attempts: Attempts) -> Self {
        attempts.0
    }
}

/// By how much pauses grow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64", inline)]
pub(crate) struct Multiplier(f64);

impl TryFrom<f64> for Multiplier {
    type Error = String;

    fn try_from(factor: f64) -> Result<Self, String> {
        let fits = (1.0..=10.0).contains(&factor);
        fits.then_some(Self(factor)).ok_or_else(|| format!("pauses grow by a factor from 1 to 10, not {factor}"))
    }
}

impl From<Multiplier> for f64 {
    fn from(multiplier: Multiplier) -> Self {
        multiplier.0
    }
}

impl Inherit for RetrySettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            attempts: self.attempts.or(outer.attempts),
            on: self.on.or_else(|| outer.on.clone()),
            backoff: self.backoff.inherit(&outer.backoff),
            budget: self.budget.or(outer.budget),
            buffer: self.buffer.or(outer.buffer),
        }
    }
}

impl Inherit for BackoffSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            initial: self.initial.or(outer.initial),
            max: self.max.or(outer.max),
            multiplier: self.multiplier.or(outer.multiplier),
        }
    }
}

/// When a call is tried again, resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    /// At least 2.
    pub(super) attempts: u32,
    pub(super) on: Arc<[Reason]>,
    pub(super) backoff: Backoff,
    pub(super) budget: Percent,
    /// In bytes.
    pub(super) buffer: u64,
}

impl RetrySettings {
    /// Fills the defaults in; `None` where a call is tried once.
    pub(crate) fn resolve(&self) -> Option<Retry> {
        let attempts = self.attempts.map_or(DEFAULT_ATTEMPTS, u32::from);
        let BackoffSettings { initial, max, multiplier } = self.backoff.unwrap_or_default();
        (attempts > 1).then(|| Retry {
            attempts,
            on: self.on.as_ref().map_or_else(Reason::of_attempts, |on| on.0.clone()).into(),
            backoff: Backoff {
                initial: initial.map_or(DEFAULT_INITIAL, Duration::from),
                max: max.map_or(DEFAULT_MAX, Duration::from),
                multiplier: multiplier.map_or(DEFAULT_MULTIPLIER, f64::from),
            },
            budget: self.budget.unwrap_or(DEFAULT_BUDGET),
            buffer: self.buffer.map_or(DEFAULT_BUFFER, Size::bytes),
        })
    }
}

impl Retry {
    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> RetrySettings {
        let Backoff { initial, max, multiplier } = self.backoff;
        RetrySettings {
            attempts: Some(Attempts(self.attempts)),
            on: Some(OneOrMany(self.on.to_vec())),
            backoff: Some(BackoffSettings {
                initial: Some(initial.into()),
                max: Some(max.into()),
                multiplier: Some(Multiplier(multiplier)),
            }),
            budget: Some(self.budget),
            buffer: Some(Size::from_bytes(self.buffer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn read(written: Value) -> RetrySettings {
        from_value(written).unwrap()
    }

    #[test]
    fn the_defaults_are_filled_in_and_read_back() {
        let effective = to_value(read(json!({})).resolve().unwrap().effective()).unwrap();
        assert_eq!(
            effective,
            json!({
                "attempts": 3, "on": ["connect", "timeout", "throttled", "unavailable", "bad_reply", 502, 503, 504],
                "backoff": {"initial": "25ms", "max": "1s", "multiplier": 2.0}, "budget": "20%", "buffer": "64KiB",
            })
        );
        assert_eq!(to_value(read(effective.clone()).resolve().unwrap().effective()).unwrap(), effective);
    }

    #[test]
    fn one_attempt_is_no_retry() {
        assert!(read(json!({"attempts": 1, "on": 503})).resolve().is_none());
    }

    #[test]
    fn fields_are_inherited_one_by_one() {
        let own = read(json!({"attempts": 2, "backoff": {"max": "5s"}}));
        let outer = read(json!({"attempts": 5, "on": "connect", "backoff": {"initial": "1s", "max": "2s"}}));
        let merged = json!({"attempts": 2, "on": ["connect"], "backoff": {"initial": "1s", "max": "5s"}});
        assert_eq!(own.inherit(&outer), read(merged));
    }

    #[test]
    fn what_can_not_be_right_is_refused() {
        for wrong in [
            json!({"attempts": 0}),
            json!({"attempts": 11}),
            json!({"on": "404x"}),
            json!({"backoff": {"multiplier": 0.5}}),
            json!({"budget": 0.2}),
            json!({"jitter": "none"}),
        ] {
            assert!(from_value::<RetrySettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
