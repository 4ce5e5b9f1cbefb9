//! `cors`: which pages of other origins may call a route (the Fetch standard's CORS protocol).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{origin::OriginPattern, vary};
use crate::{
    body::Body,
    document::Period,
    invocation::Response,
    policy::settings::Inherit,
    routing::{MethodError, Methods},
};

/// Which pages of other origins may call a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CorsSettings {
    /// The origins: `https://app.example.com`, `https://*.example.com` for all below, or `*` for any. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<Vec<OriginPattern>>,
    /// The methods that pages may use. Default: those that the path has routes for.
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<MethodName>>,
    /// The request headers that pages may set. Default: those that they ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<Name>>,
    /// The reply's headers that pages may read beside the simple ones. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    expose: Option<Vec<Name>>,
    /// Whether pages may send cookies and logins. Not granted to origins that only `*` lets in. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<bool>,
    /// How long a browser may remember the answer to a preflight. Default: what browsers do, 5 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<Period>,
}

/// The name of a method, or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
struct MethodName(String);

impl TryFrom<String> for MethodName {
    type Error = MethodError;

    fn try_from(text: String) -> Result<Self, MethodError> {
        if text != "*" {
            Methods::parse([text.as_str()])?;
        }
        Ok(Self(text))
    }
}

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match HeaderName::try_from(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!("`{text}` is not the name of a header")),
        }
    }
}

impl Inherit for CorsSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            origins: self.origins.or_else(|| outer.origins.clone()),
            methods: self.methods.or_else(|| outer.methods.clone()),
            headers: self.headers.or_else(|| outer.headers.clone()),
            expose: self.expose.or_else(|| outer.expose.clone()),
            credentials: self.credentials.or(outer.credentials),
            max_age: self.max_age.or(outer.max_age),
        }
    }
}

impl CorsSettings {
    pub(super) fn resolve(&self) -> Cors {
        // The names are tokens, of which any list is a header's value.
        let joined = |names: Vec<&str>| HeaderValue::try_from(names.join(", ")).ok();
        let list = |names: &Option<Vec<Name>>| joined(names.as_ref()?.iter().map(|name| name.0.as_str()).collect());
        let methods = self.methods.as_ref().map(|names| names.iter().map(|name| name.0.as_str()).collect());
        Cors {
            origins: self.origins.clone().unwrap_or_default(),
            methods: methods.and_then(joined),
            headers: list(&self.headers),
            expose: list(&self.expose).filter(|names| !names.is_empty()),
            credentials: self.credentials.unwrap_or(false),
            max_age: self.max_age.map(|age| HeaderValue::from(age.as_secs())),
        }
    }
}

/// `cors` of a route, ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cors {
    origins: Vec<OriginPattern>,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

/// Whether a browser asks what a page may do, and not for a page itself.
pub(crate) fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(header::ORIGIN)
        && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    /// The answer to a preflight request. An origin or a method that is not let in is not named, and the browser refuses.
    pub(super) fn preflight(&self, request: &Parts) -> Option<Response> {
        if !is_preflight(request) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if self.grant(request.headers.get(header::ORIGIN), headers) {
            let asked = |name: HeaderName| request.headers.get(name).cloned();
            let methods = self.methods.clone().or_else(|| asked(header::ACCESS_CONTROL_REQUEST_METHOD));
            let allowed = self.headers.clone().or_else(|| asked(header::ACCESS_CONTROL_REQUEST_HEADERS));
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, allowed),
                (header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone()),
            ] {
                value.map(|value| headers.insert(name, value));
            }
        }
        vary(headers, "origin, access-control-request-method, access-control-request-headers");
        Some(response)
    }

    /// Puts on an answer what lets the page read it, in the place of what the function said of it.
    pub(super) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if self.grant(origin, headers)
            && let Some(expose) = &self.expose
        {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        if self.origins.as_slice() != [OriginPattern::Any] {
            vary(headers, "origin");
        }
    }

    /// Names the origin, if it is let in.
    fn grant(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        let Some(origin) = origin else { return false };
        let text = origin.to_str().unwrap_or_default();
        let matches = |pattern: &&OriginPattern| pattern.matches(text);
        // One that is named comes before `*`, which grants less.
        let named = self.origins.iter().filter(|pattern| **pattern != OriginPattern::Any).any(|own| matches(&own));
        if named {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if self.credentials {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            return true;
        }
        if self.origins.contains(&OriginPattern::Any) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use serde_json::{Value, from_value, json};

    fn cors(settings: Value) -> Cors {
        from_value::<CorsSettings>(settings).unwrap().resolve()
    }

    fn preflight(cors: &Cors, headers: &[(&str, &str)]) -> Option<HeaderMap> {
        let mut request = Request::options("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = cors.preflight(&request.body(()).unwrap().into_parts().0)?;
        assert_eq!(response.status(), 204);
        Some(response.headers().clone())
    }

    fn marked(cors: &Cors, origin: Option<&'static str>, before: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.append(*name, HeaderValue::from_static(value));
        }
        cors.mark(origin.map(HeaderValue::from_static).as_ref(), &mut headers);
        headers
    }

    const APP: &str = "https://app.test";
    const ASKED: [(&str, &str); 3] = [
        ("origin", APP),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-a, content-type"),
    ];

    #[test]
    fn a_preflight_is_granted_what_it_asks_for_unless_the_settings_name_it() {
        let open = preflight(&cors(json!({"origins": [APP]})), &ASKED).unwrap();
        assert_eq!(open["access-control-allow-origin"], APP);
        assert_eq!(open["access-control-allow-methods"], "PUT");
        assert_eq!(open["access-control-allow-headers"], "x-a, content-type");
        assert!(!open.contains_key("access-control-max-age"));
        let strict = json!({
            "origins": ["https://*.test"], "methods": ["GET"], "headers": ["x-b"], "max_age": "10m", "credentials": true,
        });
        let strict = preflight(&cors(strict), &ASKED).unwrap();
        assert_eq!(strict["access-control-allow-methods"], "GET");
        assert_eq!(strict["access-control-allow-headers"], "x-b");
        assert_eq!(strict["access-control-max-age"], "600");
        assert_eq!(strict["access-control-allow-credentials"], "true");
    }

    #[test]
    fn another_origin_is_not_named() {
        let refused = preflight(&cors(json!({"origins": ["https://other.test"]})), &ASKED).unwrap();
        assert!(!refused.keys().any(|name| name.as_str().starts_with("access-control-allow")), "{refused:?}");
        assert!(refused["vary"].to_str().unwrap().contains("origin"));
        assert!(preflight(&cors(json!({"origins": ["*"]})), &ASKED[..1]).is_none());
    }

    #[test]
    fn answers_name_the_origin_and_what_may_be_read() {
        let named = cors(json!({"origins": [APP], "expose": ["x-total"], "credentials": true}));
        let headers = marked(&named, Some(APP), &[("access-control-allow-origin", "*"), ("vary", "accept")]);
        assert_eq!(headers.get_all("access-control-allow-origin").iter().collect::<Vec<_>>(), [APP]);
        assert_eq!(headers["access-control-expose-headers"], "x-total");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["accept", "origin"]);
        let without = marked(&named, None, &[]);
        assert_eq!(without.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["vary"]);
    }

    #[test]
    fn a_star_grants_no_credentials() {
        let any = cors(json!({"origins": ["*"], "credentials": true}));
        let headers = marked(&any, Some(APP), &[]);
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert!(!headers.contains_key("access-control-allow-credentials") && !headers.contains_key("vary"));
        let both = cors(json!({"origins": ["*", APP], "credentials": true}));
        assert_eq!(marked(&both, Some(APP), &[])["access-control-allow-credentials"], "true");
    }

    #[test]
    fn levels_are_merged_field_by_field() {
        let outer: CorsSettings = from_value(json!({"origins": [APP], "credentials": true})).unwrap();
        let inner: CorsSettings = from_value(json!({"credentials": false, "expose": ["x"]})).unwrap();
        let expected = json!({"origins": [APP], "credentials": false, "expose": ["x"]});
        assert_eq!(serde_json::to_value(inner.inherit(&outer)).unwrap(), expected);
        assert!(from_value::<CorsSettings>(json!({"methods": ["GET,POST"]})).is_err());
        let lower = from_value::<CorsSettings>(json!({"methods": ["put"]})).unwrap_err().to_string();
        assert!(lower.contains("methods are upper case: write `PUT`"), "{lower}");
        assert!(from_value::<CorsSettings>(json!({"methods": ["*", "PURGE"]})).is_ok());
    }
}
