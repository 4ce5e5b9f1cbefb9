//! `match`, as it stands in the document.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    document::{DocPath, Flaw, HELP, Node, Text},
    routing::{
        HeaderCondition, Match, Methods, PathMatch, PathPattern, PathRegex, QueryCondition, Shorthand, ValueTest,
        WholeRegex,
    },
};

/// What a request must be for a route: `POST /orders`, or the fields one by one.
#[derive(Debug, Clone)]
pub(crate) struct MatchSettings(pub(crate) Match);

/// The fields of a match. Each is checked where it is read, so that what is wrong is told at its place.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    /// The path: `/orders/{id}`; `{id}` takes one segment, `{*rest}` the remaining ones.
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "Option<String>")]
    path: Option<PathPattern>,
    /// The whole path as a regular expression; its named groups are captures.
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "Option<String>")]
    path_regex: Option<PathRegex>,
    /// The methods; without them any method matches.
    #[serde(deserialize_with = "methods")]
    #[schemars(with = "Vec<String>")]
    methods: Methods,
    /// Conditions on headers, by name.
    #[schemars(with = "BTreeMap<String, Condition>")]
    headers: BTreeMap<HeaderKey, Condition>,
    /// Conditions on query parameters, by name.
    query: BTreeMap<String, Condition>,
}

/// A condition: a text that the value has to be, `{present: true}`, `{absent: true}` or `{regex: '...'}`.
#[derive(Debug)]
pub(super) struct Condition(pub(super) ValueTest);

/// The name of a header, checked.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HeaderKey(String);

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Methods, D::Error> {
    struct Name(Methods);

    impl<'de> Deserialize<'de> for Name {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let name = String::deserialize(deserializer)?;
            Methods::parse([name.as_str()]).map(Self).map_err(D::Error::custom)
        }
    }

    let names = Vec::<Name>::deserialize(deserializer)?;
    if names.is_empty() {
        let message = format!("the list of methods is empty, and no request has none of them{HELP}");
        return Err(D::Error::custom(message + "leave `methods` out to take any method"));
    }
    Ok(names.iter().flat_map(|Name(methods)| methods.iter().cloned()).collect())
}

impl<'de> Deserialize<'de> for HeaderKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let checked = HeaderCondition::new(&name, ValueTest::Present);
        checked.map(|_| Self(name)).map_err(D::Error::custom)
    }
}

impl Fields {
    fn build<E: Error>(self) -> Result<Match, E> {
        let path: PathMatch = match (self.path, self.path_regex) {
            (Some(path), None) => path.into(),
            (None, Some(regex)) => regex.into(),
            (None, None) => return Err(E::custom("a match needs `path` or `path_regex`")),
            (Some(_), Some(_)) => {
                return Err(E::custom("a match has either `path` or `path_regex`, not both"));
            }
        };
        let headers = self.headers.into_iter();
        let query = self.query.into_iter();
        Ok(Match {
            path,
            methods: self.methods,
            headers: headers
                .map(|(HeaderKey(name), Condition(test))| HeaderCondition::new(&name, test).map_err(E::custom))
                .collect::<Result<_, _>>()?,
            query: query.map(|(name, Condition(test))| QueryCondition::new(name, test)).collect(),
        })
    }
}

/// What other gateways and frameworks write in a path, and what is plain text here.
pub(super) fn foreign(matcher: &Match, route: &Node, path: &DocPath) -> Option<Flaw> {
    let given = route.get("match")?;
    let given = given.get("path").or(given.get("path_regex")).unwrap_or(given);
    let path = path.key("match");
    let (message, hint) = match &matcher.path {
        PathMatch::Pattern(pattern) => {
            let pattern = pattern.to_string();
            let (segment, meant) = pattern.split('/').find_map(|segment| match segment {
                "*" | "**" if pattern.ends_with(segment) => Some((segment, "{*rest}".to_owned())),
                "*" | "**" => Some((segment, "{name}".to_owned())),
                _ => Some((segment, format!("{{{}}}", segment.strip_prefix(':').filter(|name| !name.is_empty())?))),
            })?;
            let right = pattern.replacen(&format!("/{segment}"), &format!("/{meant}"), 1);
            (format!("`{segment}` is plain text in a path, and no capture"), format!("a capture is written `{right}`"))
        }
        PathMatch::Regex(regex) => {
            let regex = regex.to_string();
            let mut begin = regex.trim_start_matches('^').chars();
            let plain =
                begin.next().is_some_and(char::is_alphanumeric) && !begin.next().is_some_and(|c| "?*{".contains(c));
            if !plain || regex.contains('|') {
                return None;
            }
            (
                "the expression matches no path: the whole path has to match, and a path begins with `/`".to_owned(),
                "begin it with `/`".to_owned(),
            )
        }
    };
    Some(Flaw::warning(given.at, &path, message).with_hint(hint))
}

impl<'de> Deserialize<'de> for MatchSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Match;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a method and a path like `GET /orders`, or a mapping with `path`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Match, E> {
                Shorthand::parse(text).map(Match::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Match, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map))?.build()
            }
        }

        deserializer.deserialize_any(Either).map(Self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Test {
            present: bool,
            absent: bool,
            #[serde(deserialize_with = "parsed")]
            regex: Option<WholeRegex>,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ValueTest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, `{present: true}`, `{absent: true}` or `{regex: '...'}`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ValueTest, E> {
                Ok(ValueTest::Equals(text.into()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<ValueTest, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<ValueTest, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<ValueTest, E> {
                self.visit_str(if value { "true" } else { "false" })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ValueTest, A::Error> {
                let test = Test::deserialize(MapAccessDeserializer::new(map))?;
                match (test.present, test.absent, test.regex) {
                    (true, false, None) => Ok(ValueTest::Present),
                    (false, true, None) => Ok(ValueTest::Absent),
                    (false, false, Some(regex)) => Ok(ValueTest::Regex(regex)),
                    _ => Err(A::Error::custom(
                        "a condition is exactly one of a text, `{present: true}`, `{absent: true}` and `{regex: '...'}`",
                    )),
                }
            }
        }

        deserializer.deserialize_any(Either).map(Self)
    }
}

impl Serialize for MatchSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Full<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            path: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            path_regex: Option<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            methods: Vec<&'a str>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            headers: BTreeMap<&'a str, serde_json::Value>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            query: BTreeMap<&'a str, serde_json::Value>,
        }

        let matcher = &self.0;
        let (path, path_regex) = match &matcher.path {
            PathMatch::Pattern(pattern) => (Some(pattern.to_string()), None),
            PathMatch::Regex(regex) => (None, Some(regex.as_str())),
        };
        if path.is_some() && matcher.condition_count() == 0 {
            return serializer.collect_str(matcher);
        }
        let headers = matcher.headers.iter().map(|header| (header.name().as_str(), effective(header.test())));
        let query = matcher.query.iter().map(|query| (query.name(), effective(query.test())));
        Full {
            path,
            path_regex,
            methods: matcher.methods.iter().map(http::Method::as_str).collect(),
            headers: headers.collect(),
            query: query.collect(),
        }
        .serialize(serializer)
    }
}

fn effective(test: &ValueTest) -> serde_json::Value {
    match test {
        ValueTest::Equals(text) => serde_json::Value::from(&**text),
        ValueTest::Present => serde_json::json!({"present": true}),
        ValueTest::Absent => serde_json::json!({"absent": true}),
        ValueTest::Regex(regex) => serde_json::json!({"regex": regex.as_str()}),
    }
}

impl JsonSchema for MatchSettings {
    fn schema_name() -> Cow<'static, str> {
        "Match".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<Fields>();
        json_schema!({
            "description": "What a request must be: `POST /orders`, `/orders` for any method, or the fields one by one",
            "anyOf": [{"type": "string", "examples": ["POST /orders", "GET /orders/{id}"]}, fields],
        })
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        let test = |name: &str, value: serde_json::Value| {
            serde_json::json!({
                "type": "object", "properties": {name: value}, "required": [name], "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "A text that the value has to be, or a test of it",
            "anyOf": [
                text,
                test("present", serde_json::json!({"const": true, "description": "Whether it has to be there, with whatever value."})),
                test("absent", serde_json::json!({"const": true, "description": "Whether it must not be there."})),
                test("regex", serde_json::json!({"type": "string", "description": "A regular expression that the whole value has to match."})),
            ],
        })
    }
}
