//! Shares as the language writes them: `20%`, `0.5%`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::read::HELP;

const PATTERN: &str = r"^[0-9]+(\.[0-9]{1,4})?%$";

/// The whole, in millionths.
const WHOLE: u32 = 1_000_000;

/// A share from `0%` to `100%`, with up to four decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

/// A text is not a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// It is not a number and `%`.
    #[error("expected a share such as `20%` or `0.5%`, found `{0}`")]
    Malformed(String),
    /// It is more than the whole.
    #[error("`{0}` is more than the whole: a share is `100%` at most")]
    TooLarge(String),
}

impl Percent {
    /// So many hundredths of the whole, 100 at most.
    #[must_use]
    pub const fn of(hundredths: u8) -> Self {
        let hundredths = if hundredths > 100 { 100 } else { hundredths };
        Self(hundredths as u32 * (WHOLE / 100))
    }

    /// The share of a number, rounded down.
    #[must_use]
    pub const fn share_of(self, number: u64) -> u64 {
        number.saturating_mul(self.0 as u64) / WHOLE as u64
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// Whether so many of a number are at least this share of it.
    #[must_use]
    pub fn is_reached(self, some: u64, all: u64) -> bool {
        u128::from(some) * u128::from(WHOLE) >= u128::from(all) * u128::from(self.0)
    }

    /// Draws: true as often as the share says.
    #[must_use]
    pub fn draw(self) -> bool {
        fastrand::u32(0..WHOLE) < self.0
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let malformed = || PercentError::Malformed(text.to_owned());
        let too_large = || PercentError::TooLarge(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(malformed)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 4 {
            return Err(malformed());
        }
        let whole: u32 = whole.parse().map_err(|_| too_large())?;
        let fraction: u32 = format!("{fraction:0<4}").parse().map_err(|_| malformed())?;
        let millionths = whole.checked_mul(10_000).and_then(|whole| whole.checked_add(fraction));
        millionths.filter(|millionths| *millionths <= WHOLE).map(Self).ok_or_else(too_large)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, format!("{:04}", self.0 % 10_000));
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            fraction => write!(f, "{whole}.{fraction}%"),
        }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PercentVisitor)
    }
}

struct PercentVisitor;

impl PercentVisitor {
    fn unit_missing<E: de::Error>(number: impl fmt::Display) -> E {
        let error = PercentError::Malformed(number.to_string());
        E::custom(format_args!("{error}{HELP}write `{number}%`"))
    }
}

impl Visitor<'_> for PercentVisitor {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share such as `20%`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Percent, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Percent, E> {
        Err(Self::unit_missing(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Percent, E> {
        Err(Self::unit_missing(number))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A share: a number from 0 to 100 with `%`.",
            "anyOf": [{"pattern": PATTERN}, {"pattern": r"\$\{"}],
            "examples": ["20%", "0.5%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_read_and_written_back() {
        for text in ["0%", "20%", "0.5%", "33.3333%", "100%"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
        for wrong in ["20", "%", "-1%", "1.23456%", "101%", "1e2%", " 5%", "1.%", "99999999999%"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
        let error = serde_json::from_value::<Percent>(serde_json::json!(20)).unwrap_err().to_string();
        assert!(error.contains("write `20%`"), "{error}");
    }

    #[test]
    fn a_share_is_drawn_as_often_as_it_says() {
        assert!(!Percent::of(0).draw() && Percent::of(100).draw());
        let drawn = (0..10_000).filter(|_| Percent::of(30).draw()).count();
        assert!((2_500..3_500).contains(&drawn), "{drawn}");
    }

    proptest! {
        #[test]
        fn the_share_of_a_number_reaches_it_only_just(percent in 0_u8..=100, number in 0_u64..1 << 40) {
            let share = Percent::of(percent);
            prop_assert!(share.share_of(number) <= number);
            prop_assert!(share.is_reached(share.share_of(number) + 1, number));
        }
    }
}
