//! The settings of a trigger that are the same for all sources.

use std::{num::NonZeroU32, time::Duration};

use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use crate::{document::Period, policy::Reason};

/// How often a message is tried before it goes to the dead letter.
const DEFAULT_ATTEMPTS: u32 = 5;
const DEFAULT_INITIAL: Period = Period::from_secs(1);
const DEFAULT_MAX: Period = Period::from_secs(60);
const DEFAULT_CONCURRENCY: u32 = 8;
const MOST_AT_ONCE: u32 = 10_000;

/// How many messages are worked on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", inline)]
pub(crate) struct Concurrency(NonZeroU32);

impl Concurrency {
    pub(crate) const fn get(self) -> NonZeroU32 {
        self.0
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self(NonZeroU32::MIN.saturating_add(DEFAULT_CONCURRENCY - 1))
    }
}

impl TryFrom<u32> for Concurrency {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        let fits = NonZeroU32::new(count).filter(|count| count.get() <= MOST_AT_ONCE);
        fits.map(Self).ok_or_else(|| format!("1 to {MOST_AT_ONCE} messages are worked on at once, not {count}"))
    }
}

impl From<Concurrency> for u32 {
    fn from(concurrency: Concurrency) -> Self {
        concurrency.0.get()
    }
}

/// When a message that failed is tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetrySettings {
    /// How often a message is tried, the first time included, before it goes to the dead letter. Default: 5. Without a
    /// dead letter it is tried for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<NonZeroU32>,
    /// What it is tried again for. Default: every failure that does not depend on the message alone, and the statuses
    /// 408, 425, 429 and 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<OneOrMany<Reason>>,
    /// The pauses in between.
    pub(crate) backoff: BackoffSettings,
}

/// A pause that doubles with each failure; up to half of it is left to chance.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackoffSettings {
    /// The pause after the first failure. Default: 1s.
    pub(crate) initial: Period,
    /// The longest pause. Default: 1m.
    pub(crate) max: Period,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self { initial: DEFAULT_INITIAL, max: DEFAULT_MAX }
    }
}

impl BackoffSettings {
    /// What can't be right.
    pub(crate) fn wrong(&self) -> Option<(&'static str, String)> {
        if Duration::from(self.initial).is_zero() {
            return Some(("initial", "without a pause a failing function is called without end".to_owned()));
        }
        let (initial, max) = (self.initial, self.max);
        (initial > max).then(|| ("max", format!("the longest pause, {max}, is shorter than the first one, {initial}")))
    }
}

/// When a message that failed is tried again, resolved.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    /// `None` for ever.
    pub(crate) attempts: Option<u32>,
    pub(crate) on: Vec<Reason>,
    pub(crate) backoff: Backoff,
}

impl RetrySettings {
    /// Fills the defaults in. What has a dead letter is tried a few times; else it is for ever where the source
    /// `keeps` a message, and once where it doesn't.
    pub(crate) fn resolve(&self, dead_letter: bool, keeps: bool) -> Retry {
        let attempts = match (self.attempts, dead_letter, keeps) {
            (Some(attempts), ..) => Some(attempts.get()),
            (None, true, _) => Some(DEFAULT_ATTEMPTS),
            (None, false, true) => None,
            (None, false, false) => Some(1),
        };
        let on = self.on.as_ref().map_or_else(Reason::of_messages, |on| on.0.clone());
        let backoff = Backoff { initial: self.backoff.initial.into(), max: self.backoff.max.into() };
        Retry { attempts, on, backoff }
    }
}

impl Retry {
    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> RetrySettings {
        RetrySettings {
            attempts: self.attempts.and_then(NonZeroU32::new),
            on: Some(OneOrMany(self.on.clone())),
            backoff: BackoffSettings { initial: self.backoff.initial.into(), max: self.backoff.max.into() },
        }
    }
}
