//! `tests`, as they stand in the document.

use std::{borrow::Cow, collections::BTreeMap, fmt, net::IpAddr, num::NonZeroUsize};

use bytes::Bytes;
use callgate_transform::OneOrMany;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::{
    document::Text,
    plan::{
        matcher::Condition,
        outcome::{CODES, Outcome},
    },
};

/// A test: a request, what the function does, and what has to come of it. `callgate test` runs it; nothing is called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Test")]
pub(crate) struct TestSettings {
    /// What the test shows. Default: the request's method and path.
    #[serde(default)]
    pub(super) name: Option<Text>,
    /// The client's request: `GET /orders/7`, or its parts.
    pub(super) given: Given,
    /// What the function answers.
    #[serde(default)]
    pub(super) reply: Option<Reply>,
    /// How the call fails, in place of a reply.
    #[serde(default)]
    pub(super) error: Option<ErrorCode>,
    /// Which destination of a weighted route, counted from 1. Default 1.
    #[serde(default)]
    pub(super) destination: Option<NonZeroUsize>,
    /// What has to come of it.
    pub(super) expect: Expect,
}

/// A client's request.
#[derive(Debug)]
pub(super) struct Given(pub(super) GivenFields);

/// A client's request, part by part.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenFields {
    /// The method. Default GET.
    #[serde(default)]
    pub(super) method: Verb,
    /// The path, with a query if there is one.
    pub(super) path: Target,
    /// The headers; a list is a repeated header. `host` is the route's own unless it is given.
    #[serde(default)]
    pub(super) headers: Headers,
    /// The body. Default: none.
    #[serde(default)]
    pub(super) body: Option<Content>,
    /// The client's address.
    #[serde(default)]
    pub(super) client: Option<IpAddr>,
}

/// What a function answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    /// The status. Default 200.
    #[serde(default)]
    pub(super) status: Status,
    /// The headers; a list is a repeated header.
    #[serde(default)]
    pub(super) headers: Headers,
    /// The body. Default: none.
    #[serde(default)]
    pub(super) body: Option<Content>,
}

/// What has to come of a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// The name of the route that serves it.
    #[serde(default)]
    pub(super) route: Option<Text>,
    /// What the upstream receives. What is not named may be anything.
    #[serde(default)]
    pub(super) request: Option<ExpectedRequest>,
    /// What the client gets. What is not named may be anything.
    #[serde(default)]
    pub(super) response: Option<ExpectedResponse>,
}

/// What an upstream has to receive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedRequest {
    /// The method.
    #[serde(default)]
    pub(super) method: Option<Verb>,
    /// The path; with `?`, path and query.
    #[serde(default)]
    pub(super) path: Option<Text>,
    /// Some of the query: a value, a list of all values, or a condition.
    #[serde(default)]
    pub(super) query: Expected,
    /// Some of the headers: a value, a list of all values, or a condition.
    #[serde(default)]
    pub(super) headers: ExpectedHeaders,
    /// The whole body.
    #[serde(default)]
    pub(super) body: Option<Content>,
}

/// What a client has to get.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedResponse {
    /// The status.
    #[serde(default)]
    pub(super) status: Option<Status>,
    /// Some of the headers: a value, a list of all values, or a condition.
    #[serde(default)]
    pub(super) headers: ExpectedHeaders,
    /// The whole body.
    #[serde(default)]
    pub(super) body: Option<Content>,
}

/// What named values have to be.
pub(super) type Expected = BTreeMap<String, OneOrMany<Condition>>;

/// What named headers have to be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(try_from = "Expected")]
#[schemars(with = "Expected", inline)]
pub(super) struct ExpectedHeaders(pub(super) Vec<(HeaderName, OneOrMany<Condition>)>);

/// A name that no header can have would make `absent` true for ever.
impl TryFrom<Expected> for ExpectedHeaders {
    type Error = String;

    fn try_from(given: Expected) -> Result<Self, String> {
        let named = given.into_iter().map(|(name, expected)| Ok((header_name(&name)?, expected)));
        named.collect::<Result<_, String>>().map(Self)
    }
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| format!("`{text}` is no header name"))
}

/// A body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    /// JSON; it is compared as such.
    Json(Value),
    /// Text as it is.
    Text(Text),
    /// No body.
    None,
}

impl Content {
    /// The bytes. A message that names no `content-type` gets the body's own, as in a step.
    pub(super) fn write(&self, headers: &mut HeaderMap) -> Bytes {
        let (bytes, kind) = match self {
            Self::Json(tree) => (Bytes::from(tree.to_string()), "application/json"),
            Self::Text(text) => (Bytes::from(text.to_string()), "text/plain; charset=utf-8"),
            Self::None => return Bytes::new(),
        };
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        bytes
    }
}

/// Headers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, OneOrMany<Text>>")]
#[schemars(with = "BTreeMap<String, OneOrMany<Text>>", inline)]
pub(super) struct Headers(pub(super) HeaderMap);

impl TryFrom<BTreeMap<String, OneOrMany<Text>>> for Headers {
    type Error = String;

    fn try_from(given: BTreeMap<String, OneOrMany<Text>>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, values) in given {
            let parsed = header_name(&name)?;
            for value in &values {
                let value = HeaderValue::from_str(value)
                    .map_err(|_| format!("the value of `{name}` has a character that no header may have"))?;
                headers.append(&parsed, value);
            }
        }
        Ok(Self(headers))
    }
}

/// A request method.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub(super) struct Verb(pub(super) Method);

impl TryFrom<String> for Verb {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is no request method: write GET, POST, ..."))
    }
}

/// Path and query.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub(super) struct Target(pub(super) Uri);

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("`{text}` is no path: write `/orders/7?page=2`"));
        }
        text.parse().map(Self).map_err(|error| format!("`{text}` is no path: {error}"))
    }
}

/// A final status.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(try_from = "u16")]
#[schemars(with = "u16", inline)]
pub(super) struct Status(pub(super) StatusCode);

impl TryFrom<u16> for Status {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        let status = StatusCode::from_u16(number).ok().filter(|_| (100..=599).contains(&number));
        status.map(Self).ok_or_else(|| format!("{number} is no status: write one from 100 to 599"))
    }
}

/// The failure of a call, by its code.
#[derive(Debug)]
pub(super) struct ErrorCode(pub(super) Outcome);

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Outcome::error(&code).map(Self).ok_or_else(|| D::Error::unknown_variant(&code, &CODES))
    }
}

impl JsonSchema for ErrorCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": CODES})
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = GivenFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a method and a path like `GET /orders/7`, or a mapping with `path`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<GivenFields, E> {
                let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
                let method = Verb::try_from(method.to_owned()).map_err(E::custom)?;
                let path = Target::try_from(path.trim().to_owned()).map_err(E::custom)?;
                Ok(GivenFields { method, path, ..GivenFields::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<GivenFields, A::Error> {
                GivenFields::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Either).map(Self)
    }
}

impl JsonSchema for Given {
    fn schema_name() -> Cow<'static, str> {
        "GivenRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<GivenFields>();
        json_schema!({
            "description": "A client's request: `GET /orders/7`, or its parts",
            "anyOf": [{"type": "string", "examples": ["GET /orders/7"]}, fields],
        })
    }
}
