//! `discover`: which of a remote's functions are looked for, and how often.

use std::{borrow::Cow, fmt, time::Duration};

use callgate_transform::{Glob, OneOrMany};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::document::Period;

/// How often the remote is asked when `every` is not given.
const DEFAULT_EVERY: Period = Period::from_secs(60);

/// The least time between two questions.
const LEAST_EVERY: Period = Period::from_secs(1);

/// `true`, or how functions are looked for; off unless it is given.
#[derive(Debug, Default)]
pub(crate) struct Discover(Option<DiscoverSettings>);

/// Which functions are looked for, and how often.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DiscoverSettings {
    /// Globs of the functions that are looked for. Default: all of them.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    include: OneOrMany<String>,
    /// Globs of functions that are passed over, whatever `include` says.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    exclude: OneOrMany<String>,
    /// How often the remote is asked again; 1s at least. Default: 60s.
    every: Every,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Period", into = "Period")]
#[schemars(with = "Period", inline)]
struct Every(Period);

impl Default for Every {
    fn default() -> Self {
        Self(DEFAULT_EVERY)
    }
}

impl TryFrom<Period> for Every {
    type Error = String;

    fn try_from(period: Period) -> Result<Self, String> {
        if period < LEAST_EVERY {
            return Err(format!("a remote is asked for its functions every {LEAST_EVERY} at most, not every {period}"));
        }
        Ok(Self(period))
    }
}

impl From<Every> for Period {
    fn from(every: Every) -> Self {
        every.0
    }
}

/// The functions that are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    pub(crate) every: Duration,
}

impl Selection {
    /// All functions.
    pub(crate) fn everything() -> Self {
        Self { include: Vec::new(), exclude: Vec::new(), every: DEFAULT_EVERY.into() }
    }

    /// Whether a function of this name is one of them.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(name));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl Discover {
    pub(super) const fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// What is looked for, with the globs compiled.
    pub(super) fn selection(&self) -> Option<Selection> {
        let settings = self.0.as_ref()?;
        let globs = |globs: &OneOrMany<String>| globs.iter().map(|glob| Glob::new(glob)).collect();
        Some(Selection {
            include: globs(&settings.include),
            exclude: globs(&settings.exclude),
            every: settings.every.0.into(),
        })
    }
}

impl Serialize for Discover {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(settings) => settings.serialize(serializer),
            None => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Discover {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Discover;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, or a mapping of `include`, `exclude` and `every`")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Discover, E> {
                Ok(Discover(on.then(DiscoverSettings::default)))
            }

            fn visit_unit<E: Error>(self) -> Result<Discover, E> {
                Ok(Discover::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Discover, A::Error> {
                DiscoverSettings::deserialize(MapAccessDeserializer::new(map)).map(Some).map(Discover)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Discover {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Discover".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let settings = generator.subschema_for::<DiscoverSettings>();
        json_schema!({"anyOf": [{"type": "boolean"}, settings]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{DocPath, Document, System, from_node};

    fn read(yaml: &str) -> Result<Discover, String> {
        let document = Document::parse("t", &format!("discover: {yaml}"), &System).unwrap();
        from_node(document.root().get("discover").unwrap(), &DocPath::root()).map_err(|flaws| format!("{flaws:?}"))
    }

    #[test]
    fn true_looks_for_everything_every_minute() {
        let selection = read("true").unwrap().selection().unwrap();
        assert!(selection.takes("anything") && selection.every == Duration::from_secs(60));
        assert!(read("false").unwrap().selection().is_none());
    }

    #[test]
    fn exclude_takes_out_of_what_include_names() {
        let selection =
            read("{include: [orders-*, audit], exclude: '*-test', every: 5m}").unwrap().selection().unwrap();
        let taken = ["orders-create", "audit", "orders-create-test", "users"].map(|name| selection.takes(name));
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!(selection.every, Duration::from_secs(300));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (yaml, says) in [
            ("{inclde: [a]}", "unknown field `inclde`"),
            ("{every: 10ms}", "every 1s at most, not every 10ms"),
            ("{every: 5}", "write `5s` for seconds"),
            ("sometimes", "true, or a mapping of `include`"),
        ] {
            let flaws = read(yaml).unwrap_err();
            assert!(flaws.contains(says), "{yaml}: {flaws}");
        }
    }

    #[test]
    fn its_effective_form_reads_back() {
        let shown = serde_json::to_value(read("{exclude: [a, b]}").unwrap()).unwrap();
        assert_eq!(shown, json!({"exclude": ["a", "b"], "every": "1m"}));
        assert_eq!(serde_json::to_value(read("true").unwrap()).unwrap(), json!({"every": "1m"}));
    }
}
