//! What becomes of replies that no echo gives: without a body, stalled, with trailers, failed.

use super::*;

pub(super) async fn canned(yaml: &str) -> Gateway {
    let document = Document::parse("test.yaml", yaml, &Nothing).unwrap_or_else(|report| panic!("{report}"));
    let registry = Registry::new().with::<super::canned::Canned>();
    let plan = Plan::read(&document, &registry).unwrap_or_else(|report| panic!("{report}"));
    Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap())
}

#[tokio::test]
async fn a_reply_without_a_body_gets_header_edits_and_keeps_its_status() {
    let gateway = canned(
        r#"
upstreams: {c: {canned: {}}}
routes:
  - match: /
    to: {upstream: c, status: 304}
    response:
      - {headers: {set: {x-a: "1"}}}
      - {body: {json: {total: "{{ body.total }}"}}}
  - match: /mapped
    to: {upstream: c, status: 204}
    response: {when: status == 204, status: 200, headers: {set: {x-a: mapped}}}
"#,
    )
    .await;
    let answer = get(&gateway, "/").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-a"), &*answer.text), (304, "1", ""));
    assert_eq!(answer.header("callgate-error"), "", "a function cannot make up a failure");
    let answer = get(&gateway, "/mapped").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-a")), (200, "mapped"));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_buffered_has_to_end_in_time() {
    let gateway = canned(
        r#"
upstreams: {c: {canned: {}}}
routes: [{match: /, to: {upstream: c, status: 200, stalls: true}, response: {body: {json: "{{ body }}"}}}]
"#,
    )
    .await;
    let answer = get(&gateway, "/").await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (504, "upstream_timeout"));
}

/// A body of which the client sends a part, and then nothing.
fn stalled() -> Body {
    use futures_util::{StreamExt, stream};
    let part = stream::iter([Ok::<_, crate::BodyError>(http_body::Frame::data(bytes::Bytes::from_static(b"{")))]);
    Body::new(http_body_util::StreamBody::new(part.chain(stream::pending())))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_too_slow_is_no_slow_upstream() {
    let gateway = canned(
        r#"
upstreams: {e: {echo: {}}, c: {canned: {}}}
routes:
  - {match: /step, to: e, request: {body: {json: "{{ body }}"}}}
  - {match: /kind, to: e}
  - {match: /delayed, to: {upstream: e, delay: 40s}}
  - {match: /stalls, to: {upstream: c, status: 200, stalls: true}, timeout: 5s, response: {body: {json: "{{ body }}"}}}
"#,
    )
    .await;
    for path in ["/step", "/kind"] {
        let answer = send(&gateway, Request::post(path).body(stalled()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (400, "bad_request"), "{path}");
        assert!(
            answer.json()["detail"].as_str().unwrap().contains("did not arrive within the time"),
            "{}",
            answer.text
        );
    }
    for (path, body) in [("/delayed", Body::from("{}")), ("/stalls", stalled())] {
        let answer = send(&gateway, Request::post(path).body(body).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (504, "upstream_timeout"), "{path}");
    }
}

#[tokio::test]
async fn trailers_stay_with_the_body_that_they_came_with() {
    let gateway = canned(
        r#"
upstreams: {c: {canned: {}}}
routes:
  - {match: /streamed, to: {upstream: c, status: 200, trailers: true}}
  - match: /read
    to: {upstream: c, status: 200, trailers: true}
    response: {headers: {set: {x-body: "{{ text }}"}}}
  - {match: /written, to: {upstream: c, status: 200, trailers: true}, response: {body: {json: "{{ body }}"}}}
"#,
    )
    .await;
    for (path, trailer) in [("/streamed", Some("7")), ("/read", Some("7")), ("/written", None)] {
        let request = Request::get(path).header("host", "a.test").body(Body::empty()).unwrap();
        let body = gateway.clone().oneshot(request).await.unwrap().into_body();
        let (bytes, trailers) = body.collect_whole(1 << 20).await.unwrap();
        let found = trailers.as_ref().and_then(|trailers| trailers.get("x-sum")).map(|value| value.to_str().unwrap());
        assert_eq!((&bytes[..], found), (&b"{}"[..], trailer), "{path}");
    }
}

#[tokio::test]
async fn a_step_on_a_failure_may_look_at_the_request_and_never_hides_the_failure() {
    let gateway = gateway(
        r#"
defaults: {limits: {max_body: 4B}}
upstreams: {e: {echo: {}}}
routes:
  - match: /
    to: e
    request: {body: {json: "{{ body }}"}}
    response: {when: error == "body_too_large", headers: {set: {x-path: "{{ request.path }}"}}}
  - match: /wrong
    to: e
    request: {body: {json: "{{ body }}"}}
    response: {when: error == "body_too_large", body: {text: "{{ request.headers.missing }}"}}
"#,
    )
    .await;
    for (path, seen) in [("/", "/"), ("/wrong", "")] {
        let answer = send(&gateway, Request::post(path).body(Body::from("12345")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (413, "body_too_large"), "{path}");
        assert_eq!(answer.header("x-path"), seen);
    }
}

#[tokio::test]
async fn a_grpc_web_client_gets_the_status_in_the_last_frame_of_the_body() {
    let gateway = gateway("routes: []").await;
    let lines = "grpc-status: 12\r\ngrpc-message: No route matches this request.\r\n";
    let frame = [&[0x80, 0, 0, 0, u8::try_from(lines.len()).unwrap()], lines.as_bytes()].concat();
    let call = async |kind: &str| {
        let request = Request::post("/a.B/C").header("host", "any.test").header("content-type", kind);
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = gateway.clone().oneshot(request).await.unwrap().into_parts();
        assert_eq!((parts.status.as_u16(), parts.headers["callgate-error"].to_str().unwrap()), (200, "no_route"));
        let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
        (kind, body.collect(1 << 10).await.unwrap().to_vec())
    };
    assert_eq!(call("application/grpc-web").await, ("application/grpc-web+proto".to_owned(), frame.clone()));
    let (kind, text) = call("application/grpc-web-text").await;
    assert_eq!((kind.as_str(), STANDARD.decode(text).unwrap()), ("application/grpc-web-text+proto", frame));
}

#[tokio::test]
async fn a_body_that_no_step_reads_is_never_held() {
    let gateway = canned(
        r#"
defaults: {limits: {max_body: 1KiB}}
upstreams: {c: {canned: {}}}
routes:
  - match: /streamed
    to: {upstream: c, status: 200, megabytes: 65536}
    response: {headers: {set: {x-route: "{{ route }}"}}}
  - match: /read
    to: {upstream: c, status: 200, megabytes: 65536}
    response: {body: {text: "{{ text }}"}}
"#,
    )
    .await;
    let get = |path: &str| Request::get(path).header("host", "any.test").body(Body::empty()).unwrap();
    let mut body = gateway.clone().oneshot(get("/streamed")).await.unwrap().into_body();
    let mut length = 0;
    // 64 GiB would not fit into memory; that they come one frame at a time is what is shown.
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        length += frame.unwrap().data_ref().map_or(0, bytes::Bytes::len) as u64;
    }
    assert_eq!(length, 65536 << 20);
    let answer = gateway.oneshot(get("/read")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["callgate-error"]),
        (502, &"bad_upstream_reply".parse().unwrap())
    );
}
