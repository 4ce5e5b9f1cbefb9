//! `concurrency`, as it stands in the document.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{document::Period, policy::settings::Inherit};

const MOST: u32 = 1_000_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// How many calls there may be at once: a number, or `{limit, queue, wait}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct ConcurrencySettings(Fields);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ConcurrencyLimits")]
struct Fields {
    /// How many calls there may be at the upstream at once, 1 to 1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// How many more may wait for a place; what comes beyond is refused at once. Default: as many as `limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<u32>,
    /// How long a call may wait for a place. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", inline)]
struct Limit(u32);

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        let fits = (1..=MOST).contains(&count);
        fits.then_some(Self(count)).ok_or_else(|| format!("1 to {MOST} calls may be under way, not {count}"))
    }
}

impl From<Limit> for u32 {
    fn from(limit: Limit) -> Self {
        limit.0
    }
}

/// How many calls there may be at once, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(super) limit: u32,
    pub(super) queue: u32,
    pub(super) wait: Duration,
}

impl ConcurrencySettings {
    /// Fills the defaults in; `None` where no level says a limit.
    pub(crate) fn resolve(&self) -> Option<Places> {
        let Fields { limit, queue, wait } = self.0;
        let limit = limit?.0;
        Some(Places { limit, queue: queue.unwrap_or(limit), wait: wait.map_or(DEFAULT_WAIT, Duration::from) })
    }
}

impl Places {
    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> ConcurrencySettings {
        let Self { limit, queue, wait } = *self;
        ConcurrencySettings(Fields { limit: Some(Limit(limit)), queue: Some(queue), wait: Some(wait.into()) })
    }
}

impl Inherit for ConcurrencySettings {
    fn inherit(self, outer: &Self) -> Self {
        let (own, outer) = (self.0, outer.0);
        Self(Fields {
            limit: own.limit.or(outer.limit),
            queue: own.queue.or(outer.queue),
            wait: own.wait.or(outer.wait),
        })
    }
}

impl<'de> Deserialize<'de> for ConcurrencySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = ConcurrencySettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of calls, or `{limit, queue, wait}`")
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<ConcurrencySettings, E> {
                let limit = u32::try_from(count).map_err(|_| format!("{count} calls are too many"));
                let limit = limit.and_then(Limit::try_from).map_err(E::custom)?;
                Ok(ConcurrencySettings(Fields { limit: Some(limit), ..Fields::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConcurrencySettings, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map)).map(ConcurrencySettings)
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

impl JsonSchema for ConcurrencySettings {
    fn schema_name() -> Cow<'static, str> {
        "CallConcurrency".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<Fields>();
        json_schema!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST}, fields]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn read(written: Value) -> ConcurrencySettings {
        from_value(written).unwrap()
    }

    #[test]
    fn both_forms_are_read_and_have_defaults() {
        let effective = json!({"limit": 8, "queue": 8, "wait": "1s"});
        for written in [json!(8), json!({"limit": 8})] {
            assert_eq!(to_value(read(written).resolve().unwrap().effective()).unwrap(), effective);
        }
        assert!(read(json!({"queue": 3})).resolve().is_none());
    }

    #[test]
    fn fields_are_inherited_one_by_one() {
        let outer = read(json!({"limit": 8, "wait": "3s"}));
        assert_eq!(read(json!({"queue": 0})).inherit(&outer), read(json!({"limit": 8, "queue": 0, "wait": "3s"})));
        assert_eq!(read(json!(4)).inherit(&outer), read(json!({"limit": 4, "wait": "3s"})));
    }

    #[test]
    fn what_can_not_be_right_is_refused() {
        for wrong in [json!(0), json!({"limit": 0}), json!("many"), json!({"limit": 1, "wait": 3}), json!({"max": 3})] {
            assert!(from_value::<ConcurrencySettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
