//! Durations as the language writes them: `250ms`, `5s`, `2m`, `1h`.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::read::HELP;

const PATTERN: &str = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$";
/// Nanoseconds of each unit, the largest first.
const UNITS: [(&str, u64); 4] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];

/// A duration: a number with `ms`, `s`, `m` or `h`, whole or decimal (`1.5s`), exact to the nanosecond.
///
/// Zero is a duration, negative ones and numbers without a unit are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

/// A text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It has no unit, or is not a number and a unit.
    #[error("expected a duration such as `250ms`, `5s`, `2m` or `1h`, found `{0}`")]
    Malformed(String),
    /// It is longer than can be counted.
    #[error("the duration `{0}` is too long")]
    TooLong(String),
}

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// The duration itself.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Deref for Period {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let malformed = || PeriodError::Malformed(text.to_owned());
        let too_long = || PeriodError::TooLong(text.to_owned());
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(malformed)?;
        let (number, unit) = text.split_at(unit);
        let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() && !fraction.contains('.') => (whole, fraction),
            Some(_) => return Err(malformed()),
            None => (number, ""),
        };
        if whole.is_empty() {
            return Err(malformed());
        }
        let whole: u64 = whole.parse().map_err(|_| too_long())?;
        let mut total = whole.checked_mul(*nanoseconds).ok_or_else(too_long)?;
        let mut place = *nanoseconds;
        for digit in fraction.bytes() {
            place /= 10;
            total = total.checked_add(u64::from(digit - b'0') * place).ok_or_else(too_long)?;
        }
        Ok(Self(Duration::from_nanos(total)))
    }
}

/// The largest unit that gives a whole number, else decimal milliseconds.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_nanos();
        if total == 0 {
            return f.write_str("0s");
        }
        for (unit, nanoseconds) in UNITS {
            if total.is_multiple_of(u128::from(nanoseconds)) {
                return write!(f, "{}{unit}", total / u128::from(nanoseconds));
            }
        }
        let fraction = format!("{:06}", total % 1_000_000);
        write!(f, "{}.{}ms", total / 1_000_000, fraction.trim_end_matches('0'))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl PeriodVisitor {
    fn unit_missing<E: de::Error>(number: impl fmt::Display) -> E {
        let error = PeriodError::Malformed(number.to_string());
        E::custom(format_args!("{error}{HELP}write `{number}s` for seconds"))
    }
}

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `250ms`, `5s`, `2m` or `1h`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
        match text.parse() {
            Err(PeriodError::Malformed(_)) if text.parse::<f64>().is_ok_and(|number| number >= 0.0) => {
                Err(Self::unit_missing(text))
            }
            result => result.map_err(E::custom),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Period, E> {
        Err(Self::unit_missing(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Period, E> {
        Err(Self::unit_missing(number))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration: a number with `ms`, `s`, `m` or `h`, such as `250ms`, `5s`, `2m`, `1.5h`.",
            "anyOf": [{"pattern": PATTERN}, {"pattern": r"\$\{"}],
            "examples": ["250ms", "5s", "2m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_count() {
        for (text, milliseconds) in
            [("250ms", 250), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1_500), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Period::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "5 s", "-5s", "+5s", "5sec", "1m30s", ".5s", "5.s", "1.2.3s", "1e3s", "5S", "٣s"] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError::Malformed(text.to_owned())));
        }
        assert!(matches!("99999999999h".parse::<Period>(), Err(PeriodError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(nanoseconds: u64) {
            let period = Period(Duration::from_nanos(nanoseconds));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn the_schema_takes_what_the_parser_takes(text in r"[0-9.]{0,4}(ms|s|m|h|d)?") {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            prop_assert_eq!(text.parse::<Period>().is_ok(), pattern.is_match(&text));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            text.parse::<Period>().ok();
        }
    }
}
