//! Sizes as the language writes them: `512B`, `64KiB`, `10MiB`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::read::HELP;

const PATTERN: &str = "^[0-9]+(B|KiB|MiB|GiB|KB|MB|GB)$";
/// Bytes of each unit, the largest first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of bytes: a whole number with `B`, `KiB`, `MiB`, `GiB` (1024) or `KB`, `MB`, `GB` (1000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It has no unit, or is not a whole number and a unit.
    #[error("expected a size such as `512B`, `64KiB` or `10MiB`, found `{0}`")]
    Malformed(String),
    /// It is more than can be counted.
    #[error("the size `{0}` is too large")]
    TooLarge(String),
}

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let malformed = || SizeError::Malformed(text.to_owned());
        let too_large = || SizeError::TooLarge(text.to_owned());
        let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, unit) = text.split_at(unit);
        let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        if number.is_empty() {
            return Err(malformed());
        }
        let number: u64 = number.parse().map_err(|_| too_large())?;
        number.checked_mul(*bytes).map(Self).ok_or_else(too_large)
    }
}

/// The largest unit that gives a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        let (unit, bytes) = unit.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl SizeVisitor {
    fn unit_missing<E: de::Error>(number: impl fmt::Display) -> E {
        let error = SizeError::Malformed(number.to_string());
        E::custom(format_args!("{error}{HELP}write `{number}B` for bytes"))
    }
}

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `512B`, `64KiB` or `10MiB`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        match text.parse() {
            Err(SizeError::Malformed(_)) if text.parse::<u64>().is_ok() => Err(Self::unit_missing(text)),
            result => result.map_err(E::custom),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Size, E> {
        Err(Self::unit_missing(number))
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A size: a whole number with `B`, `KiB`, `MiB`, `GiB` (1024) or `KB`, `MB`, `GB` (1000).",
            "anyOf": [{"pattern": PATTERN}, {"pattern": r"\$\{"}],
            "examples": ["64KiB", "10MiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn binary_and_decimal_units_differ() {
        for (text, bytes) in [
            ("512B", 512),
            ("64KiB", 65_536),
            ("10MiB", 10_485_760),
            ("2KB", 2_000),
            ("3MB", 3_000_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "5", "KiB", "5 KiB", "-5B", "5kib", "1.5MiB", "5K"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError::Malformed(text.to_owned())));
        }
        assert!(matches!("99999999999GiB".parse::<Size>(), Err(SizeError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn the_schema_takes_what_the_parser_takes(text in r"[0-9]{0,4}(B|KiB|kb|MB|G)?") {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            prop_assert_eq!(text.parse::<Size>().is_ok(), pattern.is_match(&text));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            text.parse::<Size>().ok();
        }
    }
}
