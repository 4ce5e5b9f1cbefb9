//! `circuit_breaker`, as it stands in the document.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{
    document::{HELP, Percent, Period},
    policy::{reason::Reason, settings::Inherit},
};

const DEFAULT_FAILURES: u32 = 5;
const DEFAULT_MIN_REQUESTS: u32 = 20;
const DEFAULT_WINDOW: Duration = Duration::from_secs(10);
const DEFAULT_OPEN: Duration = Duration::from_secs(30);
const DEFAULT_HALF_OPEN: u32 = 1;
const MOST_HALF_OPEN: u32 = 1000;

/// When an upstream that keeps failing is not called for a while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CircuitBreaker")]
pub(crate) struct BreakerSettings {
    /// So many failures one after the other open the circuit. Default: 5, unless `ratio` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failures: Option<NonZeroU32>,
    /// So large a share of failures in the window opens the circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<Percent>,
    /// How many calls the window needs before its `ratio` says anything. Default: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_requests: Option<NonZeroU32>,
    /// The time over which `ratio` is taken. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "positive")]
    pub(crate) window: Option<Period>,
    /// How long an open circuit lets nothing through. Default: 30s.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "positive")]
    pub(crate) open: Option<Period>,
    /// How many calls are let through then, to try: when all succeed the circuit closes, when one fails it opens again.
    /// 1 to 1000. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) half_open: Option<Trials>,
    /// What counts as a failure: failures, statuses, classes of statuses. Default: `[connect, timeout, throttled,
    /// unavailable, bad_reply, 502, 503, 504]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<OneOrMany<Reason>>,
}

/// How many calls try a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", inline)]
pub(crate) struct Trials(u32);

impl TryFrom<u32> for Trials {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        let fits = (1..=MOST_HALF_OPEN).contains(&count);
        fits.then_some(Self(count)).ok_or_else(|| format!("1 to {MOST_HALF_OPEN} calls try a circuit, not {count}"))
    }
}

impl From<Trials> for u32 {
    fn from(trials: Trials) -> Self {
        trials.0
    }
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Period>, D::Error> {
    let period = Period::deserialize(deserializer)?;
    if Duration::from(period).is_zero() {
        return Err(D::Error::custom(format!("no time at all{HELP}leave it out for the default")));
    }
    Ok(Some(period))
}

/// `failures` and `ratio` are two ways to say when it opens: where either is given, both of the outer level go.
impl Inherit for BreakerSettings {
    fn inherit(self, outer: &Self) -> Self {
        let says = self.failures.is_some() || self.ratio.is_some();
        let (failures, ratio) = if says { (self.failures, self.ratio) } else { (outer.failures, outer.ratio) };
        Self {
            failures,
            ratio,
            min_requests: self.min_requests.or(outer.min_requests),
            window: self.window.or(outer.window),
            open: self.open.or(outer.open),
            half_open: self.half_open.or(outer.half_open),
            on: self.on.or_else(|| outer.on.clone()),
        }
    }
}

/// When a circuit opens and closes, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circuit {
    pub(super) failures: Option<u32>,
    pub(super) ratio: Option<Percent>,
    pub(super) min_requests: u32,
    pub(super) window: Duration,
    pub(super) open: Duration,
    pub(super) half_open: u32,
    pub(super) on: Arc<[Reason]>,
}

impl BreakerSettings {
    /// Fills the defaults in.
    pub(crate) fn resolve(&self) -> Circuit {
        let failures = match (self.failures, self.ratio) {
            (None, None) => Some(DEFAULT_FAILURES),
            (failures, _) => failures.map(NonZeroU32::get),
        };
        Circuit {
            failures,
            ratio: self.ratio,
            min_requests: self.min_requests.map_or(DEFAULT_MIN_REQUESTS, NonZeroU32::get),
            window: self.window.map_or(DEFAULT_WINDOW, Duration::from),
            open: self.open.map_or(DEFAULT_OPEN, Duration::from),
            half_open: self.half_open.map_or(DEFAULT_HALF_OPEN, u32::from),
            on: self.on.as_ref().map_or_else(Reason::of_attempts, |on| on.0.clone()).into(),
        }
    }
}

impl Circuit {
    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> BreakerSettings {
        let by_ratio = self.ratio.is_some();
        BreakerSettings {
            failures: self.failures.and_then(NonZeroU32::new),
            ratio: self.ratio,
            min_requests: NonZeroU32::new(self.min_requests).filter(|_| by_ratio),
            window: by_ratio.then(|| self.window.into()),
            open: Some(self.open.into()),
            half_open: Some(Trials(self.half_open)),
            on: Some(OneOrMany(self.on.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn read(written: Value) -> BreakerSettings {
        from_value(written).unwrap()
    }

    #[test]
    fn the_defaults_are_filled_in_and_read_back() {
        let effective = to_value(read(json!({})).resolve().effective()).unwrap();
        let on = json!(["connect", "timeout", "throttled", "unavailable", "bad_reply", 502, 503, 504]);
        assert_eq!(effective, json!({"failures": 5, "open": "30s", "half_open": 1, "on": on}));
        let effective = to_value(read(json!({"ratio": "50%", "on": ["5xx"]})).resolve().effective()).unwrap();
        assert_eq!(
            effective,
            json!({
                "ratio": "50%", "min_requests": 20, "window": "10s", "open": "30s", "half_open": 1, "on": "5xx",
            })
        );
        assert_eq!(to_value(read(effective.clone()).resolve().effective()).unwrap(), effective);
    }

    #[test]
    fn what_opens_it_is_inherited_as_a_whole_and_the_rest_one_by_one() {
        let outer = read(json!({"failures": 3, "open": "1s", "half_open": 2}));
        assert_eq!(
            read(json!({"ratio": "5%"})).inherit(&outer),
            read(json!({"ratio": "5%", "open": "1s", "half_open": 2}))
        );
        assert_eq!(
            read(json!({"open": "9s"})).inherit(&outer),
            read(json!({"failures": 3, "open": "9s", "half_open": 2}))
        );
    }

    #[test]
    fn what_can_not_be_right_is_refused() {
        for wrong in [json!({"failures": 0}), json!({"open": "0s"}), json!({"half_open": 0}), json!({"ratio": "200%"})]
        {
            assert!(from_value::<BreakerSettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
