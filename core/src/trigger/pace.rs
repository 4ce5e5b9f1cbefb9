//! `rate`: how many messages are begun per second or minute.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use tokio::time::{Instant, sleep_until};

use crate::document::HELP;

/// How much of what was missed may be caught up: timers are no finer than a millisecond.
const SLACK: Duration = Duration::from_millis(10);

/// A number of messages per second or minute: `100/s`, `30/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    count: u32,
    unit: char,
}

impl Rate {
    /// The time from one message to the next.
    pub(crate) fn interval(self) -> Duration {
        let unit = if self.unit == 'm' { Duration::from_secs(60) } else { Duration::from_secs(1) };
        unit / self.count
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
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        match unit.trim() {
            unit @ ("s" | "m") if count > 0 => Ok(Self { count, unit: if unit == "s" { 's' } else { 'm' } }),
            _ => Err(wrong()),
        }
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
            "type": "string", "pattern": "^[0-9]+/[sm]$", "examples": ["100/s"],
            "description": "A number per second or minute: `100/s`, `30/m`.",
        })
    }
}

/// Keeps a rate: lets one message after the other begin.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// Without a rate nothing waits.
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { interval: rate.map_or(Duration::ZERO, Rate::interval), next: Instant::now() }
    }

    /// Waits until the next message may begin.
    pub(super) async fn turn(&self) {
        if !self.interval.is_zero() {
            sleep_until(self.next).await;
        }
    }

    /// A message begins now.
    pub(super) fn began(&mut self) {
        let now = Instant::now();
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.next = self.next.max(earliest) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written_back_and_all_else_refused() {
        for text in ["100/s", "1/m"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("30/m".parse::<Rate>().unwrap().interval(), Duration::from_secs(2));
        for wrong in ["0/s", "5", "5/h", "/s", "-1/s", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        let error = serde_json::from_value::<Rate>(5.into()).unwrap_err().to_string();
        assert!(error.contains("write `5/s`"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_held_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(Some("50/s".parse().unwrap()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let begun = Instant::now();
        for _ in 0..101 {
            pace.turn().await;
            pace.began();
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(1970) && took <= Duration::from_millis(2020), "{took:?}");
    }
}
