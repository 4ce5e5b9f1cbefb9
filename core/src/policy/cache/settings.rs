//! `cache`, as it stands in the document.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, json};

use crate::{
    document::{HELP, Period, Size},
    policy::settings::Inherit,
};

const DEFAULT_MAX_SIZE: u64 = 64 << 20;
const DEFAULT_MAX_ENTRY: u64 = 1 << 20;

/// `true`, `false`, or how replies are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CacheSettings {
    Off,
    On(Fields),
}

/// How replies are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fields {
    /// How long a reply is fresh that says nothing about it, in whole seconds. Default: such a reply is not kept.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "seconds")]
    ttl: Option<Period>,
    /// How many bytes are kept for a destination of a route; what was used least goes first. Default: 64MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_size: Option<Size>,
    /// The largest body that is kept. Default: 1MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_entry: Option<Size>,
}

/// `cache` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeping {
    pub(super) ttl: Option<Duration>,
    pub(super) max_size: u64,
    pub(super) max_entry: u64,
}

impl Inherit for CacheSettings {
    fn inherit(self, outer: &Self) -> Self {
        match (self, outer) {
            (Self::On(own), Self::On(outer)) => Self::On(Fields {
                ttl: own.ttl.or(outer.ttl),
                max_size: own.max_size.or(outer.max_size),
                max_entry: own.max_entry.or(outer.max_entry),
            }),
            (own, _) => own,
        }
    }
}

impl CacheSettings {
    pub(crate) fn resolve(&self) -> Option<Keeping> {
        let Self::On(fields) = self else { return None };
        Some(Keeping {
            ttl: fields.ttl.map(Period::get),
            max_size: fields.max_size.map_or(DEFAULT_MAX_SIZE, Size::bytes),
            max_entry: fields.max_entry.map_or(DEFAULT_MAX_ENTRY, Size::bytes),
        })
    }
}

impl Keeping {
    /// The policy as it could stand in the document, for `callgate config`.
    pub(crate) fn effective(&self) -> Value {
        let mut effective =
            json!({"max_size": Size::from_bytes(self.max_size), "max_entry": Size::from_bytes(self.max_entry)});
        if let Some(ttl) = self.ttl {
            effective["ttl"] = json!(Period::from(ttl));
        }
        effective
    }
}

/// HTTP counts the age of replies in seconds.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Period>, D::Error> {
    let period = Period::deserialize(deserializer)?;
    if period.is_zero() || period.subsec_nanos() > 0 {
        let message = format!("`{period}` is not one or more whole seconds{HELP}write `1s` at least");
        return Err(D::Error::custom(message));
    }
    Ok(Some(period))
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = CacheSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true`, `false`, or a mapping with `ttl`, `max_size` and `max_entry`")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<CacheSettings, E> {
        Ok(if on { CacheSettings::On(Fields::default()) } else { CacheSettings::Off })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CacheSettings, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(map)).map(CacheSettings::On)
    }
}

impl<'de> Deserialize<'de> for CacheSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for CacheSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(fields) => fields.serialize(serializer),
        }
    }
}

impl JsonSchema for CacheSettings {
    fn schema_name() -> Cow<'static, str> {
        "Cache".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "boolean"}, generator.subschema_for::<Fields>()]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_whole_seconds() {
        let read = |ttl: &str| serde_json::from_value::<CacheSettings>(json!({"ttl": ttl}));
        for ttl in ["0s", "999ms", "1.5s"] {
            let error = read(ttl).unwrap_err().to_string();
            assert!(error.contains("is not one or more whole seconds"), "{ttl}: {error}");
        }
        let read = |ttl| read(ttl).unwrap().resolve().unwrap().ttl;
        assert_eq!((read("1s"), read("1.5m")), (Some(Duration::from_secs(1)), Some(Duration::from_secs(90))));
    }
}
