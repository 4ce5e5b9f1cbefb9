//! `timeout`, as it stands in the document.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::document::{HELP, Period};

/// What has to happen in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// The reply's head has to come; a streamed reply may take longer.
    Head(Duration),
    /// The whole exchange has to end, a streamed reply included.
    Exchange(Duration),
}

impl Timeout {
    /// Whether a streamed reply has to be over by then too.
    pub(crate) const fn is_of_exchange(self) -> bool {
        matches!(self, Self::Exchange(_))
    }

    pub(crate) const fn limit(self) -> Duration {
        match self {
            Self::Head(limit) | Self::Exchange(limit) => limit,
        }
    }
}

/// The form that bounds the head alone.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HeadLimit {
    /// How long the reply's head may take; a streamed reply takes as long as it needs.
    #[serde(deserialize_with = "positive")]
    head: Period,
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

struct TimeoutVisitor;

impl TimeoutVisitor {
    fn exchange<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timeout, D::Error> {
        positive(deserializer).map(|limit| Timeout::Exchange(limit.into()))
    }
}

impl<'de> Visitor<'de> for TimeoutVisitor {
    type Value = Timeout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `15s`, or `{head: 30s}`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timeout, E> {
        Self::exchange(text.into_deserializer())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Timeout, E> {
        Self::exchange(number.into_deserializer())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Timeout, E> {
        Self::exchange(number.into_deserializer())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Timeout, A::Error> {
        let HeadLimit { head } = HeadLimit::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Timeout::Head(head.into()))
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeoutVisitor)
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Head(limit) => HeadLimit { head: limit.into() }.serialize(serializer),
            Self::Exchange(limit) => Period::from(limit).serialize(serializer),
        }
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (period, head) = (generator.subschema_for::<Period>(), generator.subschema_for::<HeadLimit>());
        json_schema!({"anyOf": [period, head]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn both_forms_are_read_and_written_back() {
        let seconds = Duration::from_secs(15);
        for (written, timeout) in
            [(json!("15s"), Timeout::Exchange(seconds)), (json!({"head": "15s"}), Timeout::Head(seconds))]
        {
            assert_eq!(from_value::<Timeout>(written.clone()).unwrap(), timeout);
            assert_eq!(to_value(timeout).unwrap(), written);
        }
    }

    #[test]
    fn no_time_and_no_unit_are_refused() {
        for wrong in [json!("0s"), json!({"head": "0ms"}), json!(0)] {
            assert!(from_value::<Timeout>(wrong.clone()).is_err(), "{wrong}");
        }
        let error = from_value::<Timeout>(json!(15)).unwrap_err().to_string();
        assert!(error.contains("write `15s`"), "{error}");
    }
}
