//! `timeout`, as it stands in the document.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    document::{HELP, Period},
    policy::settings::Inherit,
};

/// How long the reply's head may take when neither `total` nor `head` is given.
const DEFAULT_HEAD: Duration = Duration::from_secs(30);

/// What has to happen in time: a duration alone is the `total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timeout(Limits);

/// The long form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TimeoutLimits")]
struct Limits {
    /// How long the whole exchange may take, all attempts and a streamed reply included.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    total: Option<Period>,
    /// How long the reply's head may take, all attempts included; a streamed reply takes as long as it needs.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    head: Option<Period>,
    /// How long the reply's head of one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    attempt: Option<Period>,
    /// How long nothing may come of a reply's body before it has ended.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    idle: Option<Period>,
}

/// No time at all would end every exchange.
fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
    let period = Period::deserialize(deserializer)?;
    if Duration::from(period).is_zero() {
        let message = format!("a timeout of 0s ends every request before it is answered{HELP}");
        return Err(D::Error::custom(message + "leave it out for the default, 30s to the reply's head"));
    }
    Ok(period)
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Period>, D::Error> {
    positive(deserializer).map(Some)
}

/// The times of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// For the reply's head, whatever comes before it.
    pub(crate) head: Duration,
    /// For the whole exchange.
    pub(crate) total: Option<Duration>,
    /// For the reply's head of one attempt.
    pub(crate) attempt: Option<Duration>,
    /// Between two parts of a reply's body.
    pub(crate) idle: Option<Duration>,
}

impl Timeout {
    /// Fills the default in.
    pub(crate) fn resolve(self) -> Times {
        let Limits { total, head, attempt, idle } = self.0;
        let [total, head] = [total, head].map(|period| period.map(Duration::from));
        Times {
            head: head.into_iter().chain(total).min().unwrap_or(DEFAULT_HEAD),
            total,
            attempt: attempt.map(Duration::from),
            idle: idle.map(Duration::from),
        }
    }
}

impl Times {
    /// The settings with their default, for `callgate config`.
    pub(crate) fn effective(&self) -> Timeout {
        Timeout(Limits {
            total: self.total.map(Period::from),
            head: (self.total != Some(self.head)).then(|| self.head.into()),
            attempt: self.attempt.map(Period::from),
            idle: self.idle.map(Period::from),
        })
    }
}

/// `total` and `head` are two ways to bound the one exchange: where either is given, both of the outer level go.
impl Inherit for Timeout {
    fn inherit(self, outer: &Self) -> Self {
        let (own, outer) = (self.0, outer.0);
        let bounds = own.total.is_some() || own.head.is_some();
        let (total, head) = if bounds { (own.total, own.head) } else { (outer.total, outer.head) };
        Self(Limits { total, head, attempt: own.attempt.or(outer.attempt), idle: own.idle.or(outer.idle) })
    }
}

struct TimeoutVisitor;

impl TimeoutVisitor {
    fn total<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timeout, D::Error> {
        positive(deserializer).map(|total| Timeout(Limits { total: Some(total), ..Limits::default() }))
    }
}

impl<'de> Visitor<'de> for TimeoutVisitor {
    type Value = Timeout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `15s`, or `{head: 30s}`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timeout, E> {
        Self::total(text.into_deserializer())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Timeout, E> {
        Self::total(number.into_deserializer())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Timeout, E> {
        Self::total(number.into_deserializer())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Timeout, A::Error> {
        Limits::deserialize(MapAccessDeserializer::new(map)).map(Timeout)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeoutVisitor)
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Limits { total: Some(total), head: None, attempt: None, idle: None } => total.serialize(serializer),
            limits => limits.serialize(serializer),
        }
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (period, limits) = (generator.subschema_for::<Period>(), generator.subschema_for::<Limits>());
        json_schema!({"anyOf": [period, limits]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn read(written: &Value) -> Timeout {
        from_value(written.clone()).unwrap()
    }

    #[test]
    fn all_forms_are_read_and_written_back() {
        for written in [
            json!("15s"),
            json!({"head": "15s"}),
            json!({"total": "1m", "head": "15s", "attempt": "2s", "idle": "10s"}),
            json!({"attempt": "2s"}),
        ] {
            assert_eq!(to_value(read(&written)).unwrap(), written);
        }
    }

    #[test]
    fn no_time_and_no_unit_are_refused() {
        for wrong in [json!("0s"), json!({"head": "0ms"}), json!({"attempt": "0s"}), json!(0), json!({"all": "1s"})] {
            assert!(from_value::<Timeout>(wrong.clone()).is_err(), "{wrong}");
        }
        let error = from_value::<Timeout>(json!(15)).unwrap_err().to_string();
        assert!(error.contains("write `15s`"), "{error}");
    }

    #[test]
    fn a_bound_of_the_exchange_replaces_both_of_the_outer_level_and_the_rest_is_inherited() {
        let merged = |own: Value, outer: Value| to_value(read(&own).inherit(&read(&outer))).unwrap();
        assert_eq!(merged(json!({"head": "30s"}), json!("15s")), json!({"head": "30s"}));
        assert_eq!(merged(json!("15s"), json!({"head": "3s", "idle": "1s"})), json!({"total": "15s", "idle": "1s"}));
        assert_eq!(
            merged(json!({"attempt": "2s"}), json!({"total": "9s", "attempt": "1s"})),
            json!({"total": "9s", "attempt": "2s"})
        );
    }

    #[test]
    fn the_head_is_bounded_by_whatever_is_shorter_and_by_30s_without_both() {
        let times = |written: Value| read(&written).resolve();
        let seconds = Duration::from_secs;
        assert_eq!((times(json!("15s")).head, times(json!("15s")).total), (seconds(15), Some(seconds(15))));
        assert_eq!(times(json!({"head": "20s", "total": "5s"})).head, seconds(5));
        assert_eq!(times(json!({"idle": "1s"})).head, seconds(30));
        for (written, effective) in [
            (json!("15s"), json!("15s")),
            (json!({"attempt": "1s"}), json!({"head": "30s", "attempt": "1s"})),
            (json!({"total": "9s", "head": "3s"}), json!({"total": "9s", "head": "3s"})),
        ] {
            assert_eq!(to_value(times(written).effective()).unwrap(), effective);
        }
    }
}
