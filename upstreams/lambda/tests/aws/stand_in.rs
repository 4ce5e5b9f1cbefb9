//! What the emulators don't do, against a stand-in.

use std::io;

use bytes::Bytes;
use callgate_core::{Body, Snapshot};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Handle,
    task::JoinSet,
};

use crate::{
    gateway::{Bed, plan},
    wire::StandIn,
};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

async fn gateway(endpoint: &str, options: &str) -> Bed {
    let upstream = json!({
        "lambda": {
            "region": "eu-west-1",
            "endpoint": endpoint,
            "credentials": {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": "the-token"},
        }
    });
    let route = format!("{{match: '/{{*rest}}', to: {{upstream: aws, function: f{options}}}}}");
    Bed::start(&format!("upstreams: {{aws: {upstream}}}\nroutes: [{route}]")).await
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_clients_broken_body_invokes_nothing_and_is_its_own_fault() {
    let service = StandIn::start(|_, _| answer(200, &[], "{}")).await;
    let bed = gateway(&service.endpoint, "").await;
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(io::Error::from(io::ErrorKind::UnexpectedEof))];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    bed.send(Request::post("/x").body(body).unwrap()).await.is_problem(400, "bad_request");
    assert!(service.asked().is_empty());
}

#[test]
fn what_a_reference_gives_is_text_of_a_name_and_never_a_template() {
    let named = |name: &str| {
        plan(&format!(
            "upstreams: {{f: {{lambda: {{region: eu-west-1}}, functions: {{x: {{name: \"{name}\"}}}}}}}}\n\
             routes: [{{match: \"/{{k}}\", to: f/x}}]"
        ))
    };
    assert!(named("a-{%-{{ params.k }}").is_err(), "as it is written it is a broken template");
    assert!(named("a-${CALLGATE_NO_SUCH_VARIABLE:-{%}-{{ params.k }}").is_ok());
    for to in ["{upstream: f, function: \"NAME\"}", "\"f/NAME\""] {
        let named = |name: &str| {
            let to = to.replace("NAME", name);
            let upstreams = "upstreams: {f: {lambda: {region: eu-west-1}}}";
            plan(&format!("{upstreams}\nroutes: [{{match: \"/{{k}}\", to: {to}}}]"))
        };
        assert!(named("a-{%-{{ params.k }}").is_err(), "as it is written it is a broken template");
        assert!(named("a-${CALLGATE_NO_SUCH_VARIABLE:-{%}-{{ params.k }}").is_ok(), "{to}");
    }
}

#[tokio::test]
async fn only_the_gateways_own_headers_are_sent() {
    let service = StandIn::start(|_, _| answer(200, &[("x-amzn-requestid", "r-1")], "{\"ok\":true}")).await;
    let options = ", payload: raw, qualifier: live, client_context: {custom: {path: \"{{ path }}\"}}";
    let bed = gateway(&service.endpoint, options).await;
    let request = Request::post("/any?query")
        .header("authorization", "Bearer of-the-client")
        .header("x-amz-date", "19700101T000000Z")
        .header("x-amz-client-context", "Zm9yZ2Vk")
        .header("x-custom", "1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(Body::from("{\"a\":1}"))
        .unwrap();
    let reply = bed.send(request).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "{\"ok\":true}".to_owned()));
    assert_eq!(reply.header("x-amzn-requestid"), None);

    let asked = &service.asked()[0];
    assert_eq!(asked.uri(), "/2015-03-31/functions/f/invocations?Qualifier=live");
    assert_eq!(asked.body(), &Bytes::from("{\"a\":1}"));
    let mut names: Vec<_> = asked.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "authorization",
            "content-length",
            "content-type",
            "host",
            "x-amz-client-context",
            "x-amz-date",
            "x-amz-security-token",
            "x-amzn-trace-id",
        ]
    );
    // {"custom":{"path":"/any"}}
    assert_eq!(asked.headers()["x-amz-client-context"], "eyJjdXN0b20iOnsicGF0aCI6Ii9hbnkifX0=");
    assert!(asked.headers()["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert!(
        asked.headers()["x-amzn-trace-id"].to_str().unwrap().starts_with("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736")
    );
}

#[tokio::test]
async fn the_answers_of_the_service_become_the_codes_of_the_contract() {
    for (status, kind, code, own) in [
        (429, "TooManyRequestsException", "upstream_throttled", 503),
        (500, "ServiceException", "upstream_unavailable", 503),
        (502, "EC2UnexpectedException", "upstream_unavailable", 503),
        (409, "ResourceConflictException", "upstream_unavailable", 503),
        (413, "RequestTooLargeException", "body_too_large", 413),
        (400, "InvalidRequestContentException", "bad_upstream_reply", 502),
        (403, "AccessDeniedException", "upstream_denied", 502),
        (404, "ResourceNotFoundException", "upstream_denied", 502),
        (301, "", "bad_upstream_reply", 502),
    ] {
        let service = StandIn::start(move |_, _| {
            answer(status, &[("x-amzn-errortype", kind), ("retry-after", "7")], "{\"Message\":\"inner arn:aws:x\"}")
        })
        .await;
        let reply = gateway(&service.endpoint, "").await.get("/").await;
        reply.is_problem(own, code);
        assert!(!reply.text().contains("inner") && !reply.text().contains(kind) || kind.is_empty(), "{reply:?}");
        if status == 429 {
            assert_eq!(reply.header("retry-after"), Some("7"));
        }
        assert_eq!(service.asked().len(), 1, "{code} is no business of this kind to repeat");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_services_and_stays_so() {
    let service = StandIn::start(|_, request| {
        let date = request.headers()["x-amz-date"].to_str().unwrap();
        if date.starts_with("2099") {
            return answer(200, &[], "{\"statusCode\":204}");
        }
        let message = "{\"message\":\"Signature expired: is now earlier than 20990101T000000Z\"}";
        let headers = [("x-amzn-errortype", "InvalidSignatureException"), ("date", "Thu, 01 Jan 2099 12:00:00 GMT")];
        answer(403, &headers, message)
    })
    .await;
    let bed = gateway(&service.endpoint, "").await;
    assert_eq!(bed.get("/").await.status, 204);
    assert_eq!(service.asked().len(), 2);
    assert_eq!(bed.get("/").await.status, 204);
    assert_eq!(service.asked().len(), 3, "the next call is signed by the right clock at once");
}

#[tokio::test]
async fn a_signature_that_stays_refused_is_tried_once_more_only() {
    let service = StandIn::start(|_, _| {
        let headers = [("x-amzn-errortype", "InvalidSignatureException"), ("date", "Thu, 01 Jan 2099 12:00:00 GMT")];
        answer(403, &headers, "{\"message\":\"Signature expired: whatever\"}")
    })
    .await;
    gateway(&service.endpoint, "").await.get("/").await.is_problem(502, "upstream_denied");
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn a_failed_function_is_told_from_a_reply() {
    let service = StandIn::start(|_, _| {
        let body = "{\"errorType\":\"E\",\"errorMessage\":\"inner\",\"statusCode\":200}";
        answer(200, &[("x-amz-function-error", "Unhandled")], body)
    })
    .await;
    let reply = gateway(&service.endpoint, "").await.get("/").await;
    reply.is_problem(502, "function_error");
    assert!(!reply.text().contains("inner"), "{reply:?}");
}

#[tokio::test]
async fn a_reply_over_the_limit_is_refused() {
    let service = StandIn::start(|_, _| answer(200, &[], &format!("\"{}\"", "x".repeat(2000)))).await;
    let upstream = json!({"lambda": {"region": "eu-west-1", "endpoint": service.endpoint,
        "credentials": {"access_key_id": KEY, "secret_access_key": SECRET}}});
    let route = "{match: /, to: aws/f, limits: {max_body: 1KiB}}";
    let bed = Bed::start(&format!("upstreams: {{aws: {upstream}}}\nroutes: [{route}]")).await;
    bed.get("/").await.is_problem(502, "bad_upstream_reply");
    let request = Request::post("/").body(Body::from("x".repeat(2000))).unwrap();
    bed.send(request).await.is_problem(413, "body_too_large");
    assert_eq!(service.asked().len(), 1, "the body that is too large was not sent");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_a_bad_reply_and_never_looks_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut service = JoinSet::new();
    service.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        stream.read_exact(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":").await.unwrap();
        // Reading on until the gateway lets go: a close with unread bytes would be a reset.
        stream.shutdown().await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let bed = gateway(&endpoint, "").await;
    bed.get("/").await.is_problem(502, "bad_upstream_reply");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unreachable_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bed = gateway(&format!("http://{address}"), "").await;
    bed.get("/").await.is_problem(502, "upstream_unreachable");
    assert!(bed.ready("aws").await.is_err());
}

#[tokio::test]
async fn without_credentials_calls_are_denied_and_the_reason_is_known_to_the_operator_alone() {
    let lambda = "{region: eu-west-1, endpoint: 'http://127.0.0.1:9', credentials: {profile: no-such-profile}}";
    let bed = Bed::start(&format!("upstreams: {{aws: {{lambda: {lambda}}}}}\nroutes: [{{match: /, to: aws/f}}]")).await;
    let reply = bed.get("/").await;
    reply.is_problem(502, "upstream_denied");
    assert!(!reply.text().contains("no-such-profile"), "{reply:?}");
    let reason = bed.ready("aws").await.unwrap_err();
    assert!(reason.contains("no AWS credentials") && reason.contains("no-such-profile"), "{reason}");
}

#[tokio::test]
async fn mistakes_in_a_document_are_found_without_a_network() {
    let error = |lambda: &str, to: &str| {
        let yaml = format!("upstreams: {{aws: {{lambda: {lambda}}}}}\nroutes: [{{match: /, to: {to}}}]");
        plan(&yaml).unwrap_err()
    };
    let report = error("{regoin: eu-west-1}", "aws/f");
    assert!(report.contains("regoin") && report.contains("region"), "{report}");
    let report = error("{region: eu-west-1, credentials: {access_key_id: a}}", "aws/f");
    assert!(report.contains("secret_access_key"), "{report}");
    let report = error("{region: eu-west-1}", "aws/a*b");
    assert!(report.contains("letters, digits"), "{report}");
    let report = error("{region: eu-west-1}", "{upstream: aws, function: f, invocation: later}");
    assert!(report.contains("request_response"), "{report}");
}

#[tokio::test]
async fn functions_are_listed_page_by_page_with_their_aliases() {
    let service = StandIn::start(|number, request| {
        let page = match request.uri().to_string().strip_prefix("/2015-03-31/functions/").unwrap() {
            // The first question is throttled.
            _ if number == 0 => return answer(429, &[("retry-after", "0")], "{}"),
            "?MaxItems=50" => r#"{"Functions": [{"FunctionName": "a", "Runtime": "nodejs22.x"}], "NextMarker": "m/2"}"#,
            "?Marker=m%2F2&MaxItems=50" => r#"{"Functions": [{"FunctionName": "b"}], "NextMarker": null}"#,
            "a/aliases?MaxItems=50" => r#"{"Aliases": [{"Name": "live", "FunctionVersion": "7"}]}"#,
            "b/aliases?MaxItems=50" => r#"{"Aliases": []}"#,
            other => panic!("{other}"),
        };
        answer(200, &[], page)
    })
    .await;
    let lambda = json!({"region": "eu-west-1", "endpoint": service.endpoint,
        "credentials": {"access_key_id": KEY, "secret_access_key": SECRET}});
    let routes = "[{match: /1, to: 'aws/a:live'}, {match: /2, to: 'aws/a:gone'}, {match: /3, to: aws/b}, {match: /4, to: aws/c}]";
    let document = format!("upstreams: {{aws: {{lambda: {lambda}, discover: true}}}}\nroutes: {routes}");
    let snapshot = Snapshot::load(plan(&document).unwrap(), &Handle::current()).await.unwrap();
    let found = snapshot.discovered().await.remove("aws").unwrap().unwrap();
    let listed: Vec<_> = found.functions.iter().map(|one| (one.name(), one.note().unwrap())).collect();
    assert_eq!(listed, [("a", "nodejs22.x"), ("a:live", "alias of version 7"), ("b", "container image")]);
    let missing = found.missing.to_string();
    assert!(missing.contains("`a:gone`") && missing.contains("`c`"), "{missing}");
    assert!(!missing.contains("function `a:live`") && !missing.contains("function `b`"), "{missing}");
}

#[tokio::test]
async fn the_event_can_be_seen_without_a_call() {
    let yaml = "upstreams: {aws: {lambda: {region: eu-west-1}}}\nroutes: [{match: 'POST /o/{id}', to: aws/f}]";
    let request = Request::post("/o/7?x=1").header("host", "api.example.com").header("content-type", "text/plain");
    let explained = plan(yaml).unwrap().explain(request.body(Body::empty()).unwrap());
    let shown = explained.results.join("\n");
    for part in ["\"version\": \"2.0\"", "\"rawPath\": \"/o/7\"", "\"id\": \"7\""] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[tokio::test]
async fn a_function_of_another_region_is_a_mistake_of_the_document() {
    let yaml = "upstreams: {aws: {lambda: {region: eu-west-1, credentials: {access_key_id: a, secret_access_key: b}}}}\n\
                routes: [{match: /, to: 'aws/arn:aws:lambda:us-east-1:123456789012:function:f'}]";
    let error = Snapshot::load(plan(yaml).unwrap(), &Handle::current()).await.unwrap_err().to_string();
    assert!(error.contains("`us-east-1`") && error.contains("`eu-west-1`"), "{error}");
}
