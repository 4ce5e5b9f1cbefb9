use super::*;
use http::HeaderMap;
use proptest::prelude::*;

fn read_as(payload: Payload, text: &str) -> Result<(u16, HeaderMap, String), ReplyError> {
    let response = decode(Shape::new(payload, Some(Reply::Http)), &Bytes::copy_from_slice(text.as_bytes()))?;
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.as_bytes().unwrap().to_vec()).unwrap();
    Ok((parts.status.as_u16(), parts.headers, body))
}

fn v2(text: &str) -> (u16, HeaderMap, String) {
    read_as(Payload::ApiGatewayV2, text).unwrap()
}

fn refused(text: &str) -> String {
    for payload in [Payload::ApiGatewayV1, Payload::Alb] {
        read_as(payload, text).unwrap_err();
    }
    read_as(Payload::ApiGatewayV2, text).unwrap_err().to_string()
}

#[test]
fn a_whole_reply_becomes_a_response() {
    let (status, headers, body) = v2(
        r#"{"statusCode": 201, "statusDescription": "201 Created", "isBase64Encoded": false, "body": "h\u00e9 \"x\"",
            "headers": {"Content-Type": "text/plain", "x-number": 5, "x-flag": true, "x-fraction": 1.5, "x-none": null},
            "multiValueHeaders": {"x-many": ["a", "b", 3]}, "cookies": ["a=1; Path=/", "b=2"]}"#,
    );
    assert_eq!((status, body.as_str()), (201, "h\u{e9} \"x\""));
    let all = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("content-type"), ["text/plain"]);
    assert_eq!((all("x-number"), all("x-flag"), all("x-fraction")), (vec!["5"], vec!["true"], vec!["1.5"]));
    assert_eq!(all("x-none"), [""; 0]);
    assert_eq!(all("x-many"), ["a", "b", "3"]);
    assert_eq!(all("set-cookie"), ["a=1; Path=/", "b=2"]);
}

#[test]
fn a_status_is_an_integer_or_its_digits() {
    assert_eq!(v2(r#"{"statusCode": "404"}"#).0, 404);
    assert_eq!(v2(r#"{"statusCode": 599}"#).0, 599);
    for wrong in ["null", "200.0", "200.5", "199", "600", "99999999", "-1", "true", "[]", "{}"] {
        let message = refused(&format!(r#"{{"statusCode": {wrong}, "body": "x"}}"#));
        assert!(message.contains("statusCode"), "{message}");
    }
    for wrong in ["", "+20", "+200", " 200", "0200", "abc", "200.0", "100"] {
        refused(&format!(r#"{{"statusCode": "{wrong}"}}"#));
    }
}

#[test]
fn a_wrong_field_is_outside_the_contract() {
    for wrong in [
        r#""body": 5"#,
        r#""body": {"a": 1}"#,
        r#""headers": []"#,
        r#""headers": {"x": ["a"]}"#,
        r#""headers": {"x y": "a"}"#,
        r#""headers": {"x": "a\r\nset-cookie: b"}"#,
        r#""multiValueHeaders": {"x": "a"}"#,
        r#""cookies": "a=b""#,
        r#""isBase64Encoded": "true""#,
        r#""isBase64Encoded": true, "body": "%""#,
    ] {
        refused(&format!(r#"{{"statusCode": 200, {wrong}}}"#));
    }
}

#[test]
fn more_headers_than_anybody_takes_are_refused() {
    let names = |count: usize| (0..count).map(|name| format!("\"x-{name}\": \"1\"")).collect::<Vec<_>>().join(",");
    let reply = |count| format!(r#"{{"statusCode": 200, "headers": {{{}}}}}"#, names(count));
    assert_eq!(v2(&reply(1000)).1.len(), 1000);
    for count in [1001, 40_000] {
        refused(&reply(count));
    }
}

#[test]
fn null_counts_as_absent() {
    let (status, headers, body) =
        v2(r#"{"statusCode": 204, "headers": null, "multiValueHeaders": null, "cookies": null, "body": null}"#);
    assert_eq!((status, headers.len(), body.as_str()), (204, 0, ""));
}

#[test]
fn the_same_pair_counts_once() {
    let (_, headers, _) = v2(
        r#"{"statusCode": 200, "headers": {"X-A": "1", "x-b": "2"}, "multiValueHeaders": {"x-a": ["1", "3"], "x-b": ["4"]},
            "cookies": ["a=1"]}"#,
    );
    let all = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("x-a"), ["1", "3"]);
    assert_eq!(all("x-b"), ["4", "2"]);
}

#[test]
fn base64_is_decoded() {
    let reply = Bytes::from_static(br#"{"statusCode":200,"isBase64Encoded":true,"body":"AP8="}"#);
    let response = decode(Shape::default(), &reply).unwrap();
    assert_eq!(response.body().as_bytes(), Some(&[0, 255][..]));
}

#[test]
fn format_2_without_a_status_is_the_body_itself() {
    for text in [r#"{"message": "hi"}"#, r#"{"body": 5, "headers": []}"#, "[1, 2]", "17", "null", "true"] {
        let (status, headers, body) = v2(text);
        assert_eq!((status, body.as_str()), (200, text));
        assert_eq!(headers["content-type"], "application/json");
        read_as(Payload::ApiGatewayV1, text).unwrap_err();
    }
    assert_eq!(v2(r#""Hello\nyou""#).2, "Hello\nyou");
    for text in ["", "hello", "{", "\"a", "{\"a\": 1} x"] {
        refused(text);
    }
}

#[test]
fn a_raw_reply_is_passed_on() {
    let reply = Bytes::from_static(br#"{"statusCode": 500}"#);
    let response = decode(Shape::new(Payload::Raw, None), &reply).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.body().as_bytes(), Some(&reply[..]));
}

#[test]
fn framing_is_the_gateways_own() {
    let (_, headers, _) = v2(
        r#"{"statusCode": 200, "headers": {"Content-Length": 99, "Transfer-Encoding": "chunked", "Connection": "x-hop",
            "X-Hop": "1", "Upgrade": "h2c", "x-kept": "1"}}"#,
    );
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-kept"], "1");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        decode(Shape::default(), &Bytes::from(bytes)).ok();
    }

    #[test]
    fn any_fields_are_read_or_refused(
        status in prop_oneof![Just("200".to_owned()), any::<i64>().prop_map(|code| code.to_string()), any::<String>().prop_map(|text| serde_json::json!(text).to_string())],
        name in any::<String>(),
        value in any::<String>(),
        encoded in any::<bool>(),
    ) {
        let reply = format!(
            r#"{{"statusCode":{status},"headers":{{{name}:{value}}},"body":{value},"isBase64Encoded":{encoded}}}"#,
            name = serde_json::json!(name),
            value = serde_json::json!(value),
        );
        for payload in [Payload::ApiGatewayV2, Payload::ApiGatewayV1, Payload::Alb] {
            if let Ok(response) = decode(Shape::new(payload, None), &Bytes::from(reply.clone())) {
                prop_assert!((200..600).contains(&response.status().as_u16()));
            }
        }
    }
}
