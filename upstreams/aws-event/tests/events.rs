//! Events against golden files, and against the types that functions in Rust read them with.

#![allow(clippy::unwrap_used, reason = "a test fails where it can't go on")]

use std::time::{Duration, SystemTime};

use aws_lambda_events::{
    alb::AlbTargetGroupRequest,
    apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest},
};
use bytes::Bytes;
use callgate_aws_event::{EventInput, Payload, encode};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A request that owns what an [`EventInput`] borrows.
struct Request {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    route_path: &'static str,
    captures: Vec<(&'static str, &'static str)>,
    claims: Option<Value>,
}

impl Request {
    fn get(path: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("curl/8.5.0"));
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: None,
            headers,
            body: Bytes::new(),
            route_path: "/",
            captures: Vec::new(),
            claims: None,
        }
    }

    /// As much as a request can have.
    fn full() -> Self {
        let mut request = Self::get("/orders/a%20b/x");
        request.method = Method::POST;
        request.query = Some("tag=a&tag=b%2Cc&q=x+y".to_owned());
        request.route_path = "/orders/{id}/{*rest}";
        request.captures = vec![("id", "a b"), ("rest", "x")];
        request.body = Bytes::from_static(br#"{"name": "caf\u00e9"}"#);
        request.claims = Some(json!({"sub": "user-1", "scope": "read write", "exp": 1_700_000_000}));
        for (name, value) in [
            ("content-type", "application/json"),
            ("accept", "text/html"),
            ("accept", "application/json"),
            ("cookie", "a=1; b=2"),
            ("cookie", "c=3"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-amz-security-token", "forged"),
            ("x-amzn-oidc-identity", "forged"),
        ] {
            request.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        request
    }

    fn encode(&self, payload: Payload) -> Value {
        let bytes = self.bytes(payload);
        serde_json::from_slice(&bytes).unwrap()
    }

    fn bytes(&self, payload: Payload) -> Bytes {
        encode(
            payload,
            &EventInput {
                method: &self.method,
                path: &self.path,
                query: self.query.as_deref(),
                headers: &self.headers,
                body: &self.body,
                route_path: self.route_path,
                path_parameters: &self.captures,
                host: Some("api.example.com:8080"),
                client_ip: Some([203, 0, 113, 7].into()),
                version: Version::HTTP_11,
                request_id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_583_348_638_390),
                claims: self.claims.as_ref(),
                account: Some("123456789012"),
            },
        )
    }
}

fn is_golden(event: &Value, golden: &str) {
    let expected: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(event, &expected, "the event is\n{event:#}");
}

fn reads_as<T: DeserializeOwned>(event: &Value) -> T {
    serde_json::from_value(event.clone()).unwrap()
}

#[test]
fn format_2_is_that_of_an_http_api() {
    let event = Request::full().encode(Payload::ApiGatewayV2);
    is_golden(&event, include_str!("golden/v2_full.json"));
    let read: ApiGatewayV2httpRequest = reads_as(&event);
    assert_eq!(read.request_context.http.method, Method::POST);
    assert_eq!(read.cookies.unwrap(), ["a=1", "b=2", "c=3"]);
    assert_eq!(read.path_parameters["rest"], "x");
    assert_eq!(read.request_context.authorizer.unwrap().jwt.unwrap().scopes.unwrap(), ["read", "write"]);

    let event = Request::get("/").encode(Payload::ApiGatewayV2);
    is_golden(&event, include_str!("golden/v2_empty.json"));
    reads_as::<ApiGatewayV2httpRequest>(&event);
}

#[test]
fn format_1_is_that_of_a_rest_api() {
    let event = Request::full().encode(Payload::ApiGatewayV1);
    is_golden(&event, include_str!("golden/v1_full.json"));
    let read: ApiGatewayProxyRequest = reads_as(&event);
    assert_eq!(read.resource.unwrap(), "/orders/{id}/{rest+}");
    assert_eq!(read.multi_value_headers.get_all("accept").iter().count(), 2);
    assert_eq!(read.multi_value_query_string_parameters.all("tag").unwrap(), ["a", "b,c"]);

    let event = Request::get("/").encode(Payload::ApiGatewayV1);
    is_golden(&event, include_str!("golden/v1_empty.json"));
    reads_as::<ApiGatewayProxyRequest>(&event);
}

#[test]
fn alb_is_that_of_a_load_balancer() {
    let event = Request::full().encode(Payload::Alb);
    is_golden(&event, include_str!("golden/alb_full.json"));
    let read: AlbTargetGroupRequest = reads_as(&event);
    assert_eq!(read.query_string_parameters.first("tag").unwrap(), "b%2Cc");

    let event = Request::get("/").encode(Payload::Alb);
    is_golden(&event, include_str!("golden/alb_empty.json"));
    reads_as::<AlbTargetGroupRequest>(&event);
}

#[test]
fn raw_is_the_body() {
    assert_eq!(Request::get("/").bytes(Payload::Raw), "{}");
    let mut request = Request::get("/");
    request.body = Bytes::from_static(b"[1]");
    assert_eq!(request.bytes(Payload::Raw), "[1]");
}

#[test]
fn binary_and_compressed_bodies_are_base64() {
    let mut request = Request::get("/");
    request.body = Bytes::from_static(b"\x00\xff");
    let event = request.encode(Payload::ApiGatewayV2);
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8="), &json!(true)));

    request.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    let event = request.encode(Payload::Alb);
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8="), &json!(true)));

    request.body = Bytes::from_static(b"plain");
    request.headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(request.encode(Payload::ApiGatewayV1)["body"], "cGxhaW4=");
}

#[test]
fn a_host_that_a_header_sets_wins() {
    let mut request = Request::get("/");
    request.headers.insert("host", HeaderValue::from_static("inner.test"));
    let event = request.encode(Payload::ApiGatewayV2);
    assert_eq!(event["headers"]["host"], "inner.test");
    assert_eq!(event["requestContext"]["domainName"], "inner.test");
    assert_eq!(event["requestContext"]["domainPrefix"], "inner");
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    proptest::collection::vec(any::<u8>(), 0..20)
        .prop_filter_map("an invalid header", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

proptest! {
    #[test]
    fn any_request_gives_events_that_the_types_read(
        path in "/[!-~]{0,20}",
        query in proptest::option::of("[ -~]{0,30}"),
        values in proptest::collection::vec(("[a-z][a-z0-9-]{0,10}", header_value()), 0..6),
        body in any::<Vec<u8>>(),
        text in any::<bool>(),
    ) {
        let mut request = Request::get(&path);
        request.query = query;
        request.body = body.into();
        if text {
            request.headers.insert("content-type", HeaderValue::from_static("text/plain"));
        }
        for (name, value) in values {
            request.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        for payload in [Payload::ApiGatewayV2, Payload::ApiGatewayV1, Payload::Alb] {
            let event = request.encode(payload);
            prop_assert_eq!(event["isBase64Encoded"].is_boolean(), true);
        }
        prop_assert_eq!(&request.encode(Payload::ApiGatewayV2)["rawPath"], &path);
        prop_assert_eq!(&request.encode(Payload::Alb)["path"], &path);
    }
}
