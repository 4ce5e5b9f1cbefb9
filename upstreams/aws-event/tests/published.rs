//! Events and replies against the examples that AWS's documentation publishes.
//!
//! `published/` has them as they are in the developer guides of API Gateway and Elastic Load Balancing, by way of the
//! fixtures of the crate `aws_lambda_events`. Each event is made again from the request that it tells of; what differs
//! has to be just what a gateway outside AWS can't know, field by field.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it can't go on")]

use std::time::{Duration, SystemTime};

use aws_lambda_events::{
    alb::{AlbTargetGroupRequest, AlbTargetGroupResponse},
    apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
};
use bytes::Bytes;
use callgate_aws_event::{EventInput, Payload, Shape, decode, encode};
use http::{HeaderMap, HeaderName, Method, Version};
use serde_json::{Map, Value};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Names of HTTP headers are lower-case in events; the guides write them in any case.
fn lower_case(headers: &mut Value) {
    if let Some(fields) = headers.as_object_mut() {
        *fields = std::mem::take(fields).into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    }
}

/// What the gateway makes of the request that an event tells of.
fn again(payload: Payload, event: &Value, route_path: &str) -> Value {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        headers.append(HeaderName::try_from(name).unwrap(), value.as_str().unwrap().parse().unwrap());
    };
    let none = Map::new();
    let multiple = event["multiValueHeaders"].as_object().unwrap_or(&none);
    for (name, values) in multiple {
        values.as_array().unwrap().iter().for_each(|value| add(name, value));
    }
    for (name, value) in event["headers"].as_object().unwrap().iter().filter(|(name, _)| !multiple.contains_key(*name))
    {
        add(name, value);
    }
    for cookie in event["cookies"].as_array().into_iter().flatten() {
        add("cookie", cookie);
    }
    if event["body"].is_string() && !headers.contains_key("content-type") {
        headers.insert("content-type", "application/json".parse().unwrap());
    }
    let context = &event["requestContext"];
    let query = match &event["rawQueryString"] {
        Value::String(query) => query.clone(),
        _ => {
            let all =
                event["multiValueQueryStringParameters"].as_object().or(event["queryStringParameters"].as_object());
            let pairs = all.into_iter().flatten().flat_map(|(name, value)| {
                let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                values.into_iter().map(move |value| format!("{name}={}", value.as_str().unwrap()))
            });
            pairs.collect::<Vec<_>>().join("&")
        }
    };
    let captures: Vec<_> = event["pathParameters"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let epoch = context["timeEpoch"].as_u64().or(context["requestTimeEpoch"].as_u64()).unwrap_or_default();
    let method = event["httpMethod"].as_str().or(context["http"]["method"].as_str()).unwrap();
    let client = context["http"]["sourceIp"].as_str().or(context["identity"]["sourceIp"].as_str());
    let mut claims = context["authorizer"]["jwt"]["claims"].clone();
    if let Some(claims) = claims.as_object_mut() {
        let scopes: Vec<_> =
            context["authorizer"]["jwt"]["scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        claims.insert("scope".to_owned(), scopes.join(" ").into());
    }
    let made = encode(
        payload,
        &EventInput {
            method: &Method::from_bytes(method.as_bytes()).unwrap(),
            path: event["rawPath"].as_str().or(event["path"].as_str()).unwrap(),
            query: Some(&*query).filter(|query| !query.is_empty()),
            headers: &headers,
            body: &Bytes::copy_from_slice(text(event, "body").as_bytes()),
            route_path,
            path_parameters: &captures,
            host: context["domainName"].as_str(),
            client_ip: client.and_then(|client| client.parse().ok()),
            version: Version::HTTP_11,
            request_id: text(context, "requestId"),
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(epoch),
            claims: Some(&claims).filter(|claims| claims.is_object()),
            account: context["accountId"].as_str(),
        },
    );
    serde_json::from_slice(&made).unwrap()
}

/// The paths of all fields that differ: `-` is in the published event alone, `+` in ours, `!` has another value.
fn differences(published: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (published, ours) {
        (Value::Object(published), Value::Object(ours)) => {
            let names: std::collections::BTreeSet<_> = published.keys().chain(ours.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match (published.get(name), ours.get(name)) {
                    (Some(published), Some(ours)) => differences(published, ours, &path, found),
                    (Some(_), None) => found.push(format!("-{path}")),
                    _ => found.push(format!("+{path}")),
                }
            }
        }
        (published, ours) if published != ours => found.push(format!("!{path}")),
        _ => {}
    }
}

#[track_caller]
fn differs_only_in(payload: Payload, published: &str, route_path: &str, expected: &[&str]) -> Value {
    let mut event = parsed(published);
    lower_case(&mut event["headers"]);
    if event["multiValueHeaders"].is_object() {
        lower_case(&mut event["multiValueHeaders"]);
    }
    let ours = again(payload, &event, route_path);
    let mut found = Vec::new();
    differences(&event, &ours, "", &mut found);
    assert_eq!(found, expected, "{ours:#}");
    ours
}

#[test]
fn a_request_to_an_http_api() {
    let ours = differs_only_in(
        Payload::ApiGatewayV2,
        include_str!("published/v2_plain.json"),
        "/",
        &[
            "!requestContext.apiId",
            // A client's certificate, which only AWS's own edge may vouch for.
            "-requestContext.authentication",
            // The gateway's route has a method and a path of its own.
            "!requestContext.routeKey",
            "!routeKey",
        ],
    );
    serde_json::from_value::<ApiGatewayV2httpRequest>(ours).unwrap();
}

#[test]
fn a_request_with_a_verified_token_to_an_http_api() {
    let ours = differs_only_in(
        Payload::ApiGatewayV2,
        include_str!("published/v2_jwt.json"),
        "/{*proxy}",
        &[
            // The example has no content-type, without which its body would be base64.
            "+headers.content-type",
            // Nor has it a host, which every request has.
            "+headers.host",
            "!requestContext.apiId",
            "-requestContext.authentication",
            // Scopes are claims of the token; the example leaves this one out.
            "+requestContext.authorizer.jwt.claims.scope",
            // The example's placeholders: "IP", "agent", and a time without its space.
            "!requestContext.http.sourceIp",
            "!requestContext.http.userAgent",
            "!requestContext.routeKey",
            "!requestContext.time",
            "!routeKey",
            "-stageVariables",
        ],
    );
    let read: ApiGatewayV2httpRequest = serde_json::from_value(ours).unwrap();
    assert_eq!(read.request_context.authorizer.unwrap().jwt.unwrap().scopes.unwrap(), ["scope1", "scope2"]);
}

#[test]
fn a_request_to_a_rest_api() {
    let ours = differs_only_in(
        Payload::ApiGatewayV1,
        include_str!("published/v1.json"),
        "/{*proxy}",
        &[
            // A header that only AWS may set.
            "-headers.x-amz-cf-id",
            "+isBase64Encoded",
            "-multiValueHeaders.x-amz-cf-id",
            // A single value is the last one, as in the example's headers; its query has the first.
            "!queryStringParameters.name",
            "!requestContext.apiId",
            // That of an authorizer of the user's own.
            "-requestContext.authorizer",
            // The example names another domain than its host.
            "!requestContext.domainName",
            "!requestContext.domainPrefix",
            "+requestContext.extendedRequestId",
            // Whom IAM, Cognito or a usage plan know; the fields of HTTP APIs in format 1.0, which has no API keys.
            "!requestContext.identity.accessKey",
            "!requestContext.identity.accountId",
            "-requestContext.identity.apiKey",
            "-requestContext.identity.apiKeyId",
            "!requestContext.identity.caller",
            "!requestContext.identity.cognitoAuthenticationProvider",
            "!requestContext.identity.cognitoAuthenticationType",
            "!requestContext.identity.cognitoIdentityId",
            "!requestContext.identity.cognitoIdentityPoolId",
            "+requestContext.identity.principalOrgId",
            "!requestContext.identity.user",
            "!requestContext.identity.userArn",
            "!requestContext.resourceId",
            "!requestContext.stage",
            "!stageVariables",
            "+version",
        ],
    );
    serde_json::from_value::<ApiGatewayProxyRequest>(ours).unwrap();
}

#[test]
fn a_request_to_a_load_balancer() {
    let ours = differs_only_in(
        Payload::Alb,
        include_str!("published/alb.json"),
        "/",
        // Empty where there is none, as in the guide of Lambda.
        &["+body", "!requestContext.elb.targetGroupArn"],
    );
    serde_json::from_value::<AlbTargetGroupRequest>(ours).unwrap();
}

/// Status, headers in order of their names, and body, as the gateway answers them.
fn answered(payload: Payload, published: &str) -> (u16, HeaderMap, Bytes) {
    let reply = Bytes::copy_from_slice(published.as_bytes());
    let (head, body) = decode(Shape::new(payload, None), &reply).unwrap().into_parts();
    (head.status.as_u16(), head.headers, Bytes::copy_from_slice(body.as_bytes().unwrap()))
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn the_reply_for_an_http_api() {
    let published = include_str!("published/reply_v2.json");
    let (status, headers, body) = answered(Payload::ApiGatewayV2, published);
    let read: ApiGatewayV2httpResponse = serde_json::from_str(published).unwrap();
    assert_eq!(i64::from(status), read.status_code);
    assert_eq!(headers["headername"], read.headers["headername"]);
    assert_eq!(all(&headers, "set-cookie"), read.cookies);
    assert_eq!(body, "Hello from Lambda!");
}

#[test]
fn the_reply_for_a_rest_api() {
    let published = include_str!("published/reply_v1.json");
    let (status, headers, body) = answered(Payload::ApiGatewayV1, published);
    let read: ApiGatewayProxyResponse = serde_json::from_str(published).unwrap();
    assert_eq!((i64::from(status), &body[..]), (read.status_code, &b"Hello World"[..]));
    for name in read.headers.keys() {
        assert_eq!(all(&headers, name.as_str()), [read.headers[name].to_str().unwrap()], "the pair counts once");
    }
    assert_eq!(headers.len(), read.headers.len());
}

#[test]
fn the_reply_for_a_load_balancer() {
    let published = include_str!("published/reply_alb.json");
    let (status, headers, body) = answered(Payload::Alb, published);
    let read: AlbTargetGroupResponse = serde_json::from_str(published).unwrap();
    assert_eq!((i64::from(status), &body[..]), (read.status_code, &b"Hello from Lambda"[..]));
    assert_eq!(all(&headers, "content-type"), ["application/json"]);
    let cookies = all(&headers, "set-cookie");
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    for cookie in read.multi_value_headers.get_all("set-cookie") {
        assert!(cookies.contains(&cookie.to_str().unwrap()));
    }
}
