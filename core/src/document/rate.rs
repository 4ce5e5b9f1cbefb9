//! Rates as the language writes them: `100/s`, `30/m`.

use std::{borrow::Cow, fmt, num::NonZeroU32, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::read::HELP;

/// The units with their lengths.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];

/// So many per second, minute, hour or day: `100/s`, `30/m`, `1000/h`, `5000/d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    count: NonZeroU32,
    unit: &'static str,
    seconds: u64,
}

impl Rate {
    /// The time from one to the next.
    pub(crate) fn interval(self) -> Duration {
        Duration::from_secs(self.seconds) / self.count.get()
    }

    /// How many there are in the unit.
    pub(crate) const fn count(self) -> NonZeroU32 {
        self.count
    }
}

/// A text is not a rate.
#[derive(Debug, thiserror::Error)]
#[error("expected a rate such as `100/s` or `30/m`, found `{0}`")]
pub(crate) struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.to_owned());
        let (count, given) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().map_err(|_| wrong())?;
        let known = UNITS.into_iter().find(|(unit, _)| *unit == given.trim());
        known.map(|(unit, seconds)| Self { count, unit, seconds }).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as `100/s` or `30/m`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<Rate, E> {
                Err(E::custom(format!("a rate has a unit{HELP}write `{count}/s` for so many per second")))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9]+/[smhd]$", "examples": ["100/s"],
            "description": "A number per second, minute, hour or day: `100/s`, `30/m`, `1000/h`, `5000/d`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written_back() {
        for (text, interval) in [("100/s", 10), ("60/m", 1000), ("3600/h", 1000), ("864/d", 100_000)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.interval(), rate.to_string()), (Duration::from_millis(interval), text.to_owned()));
        }
        for wrong in ["0/s", "5", "/s", "5/w", "-1/s", "1.5/s", "5/s/m"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        let error = serde_json::from_value::<Rate>(5.into()).unwrap_err().to_string();
        assert!(error.contains("write `5/s`"), "{error}");
    }
}
