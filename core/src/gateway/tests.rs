//! The gateway as a whole, in process, with the kind `echo`.

mod answers;
mod canned;
mod replies;

use std::{io, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::runtime::Handle;
use tower::ServiceExt;

use self::replies::canned;
use super::*;
use crate::{
    document::{Document, References},
    plan::Plan,
    registry::Registry,
    respond::Code,
};

struct Nothing;

impl References for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

async fn gateway(yaml: &str) -> Gateway {
    let document = Document::parse("test.yaml", yaml, &Nothing).unwrap_or_else(|report| panic!("{report}"));
    let plan = Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"));
    Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap())
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The values of a header that the echo saw.
    fn seen(&self, name: &str) -> Vec<String> {
        let echo = self.json();
        let pairs = echo["headers"].as_array().unwrap().iter();
        pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
    }
}

async fn send(gateway: &Gateway, mut request: Request<Body>) -> Answer {
    let host = request.uri().authority().map_or("any.test", |authority| authority.as_str()).parse().unwrap();
    request.headers_mut().entry("host").or_insert(host);
    let response = gateway.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect(1 << 24).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

async fn get(gateway: &Gateway, target: &str) -> Answer {
    send(gateway, Request::get(target).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_function_gets_what_was_matched() {
    let gateway = gateway("upstreams: {e: {echo: {}}}\nroutes: [{match: '/a/{x}', to: e}]").await;
    let answer = get(&gateway, "http://shop.test/a/../a/%7ex%2fy?q=%zz").await;
    assert_eq!(answer.status, 200);
    let echo = answer.json();
    assert_eq!((&echo["path"], &echo["query"]), (&"/a/~x%2Fy".into(), &"q=%zz".into()));
    assert_eq!(answer.seen("x-forwarded-host"), ["shop.test"]);
    assert_eq!(answer.seen("host"), [""; 0]);
    assert_eq!(answer.seen("x-request-id"), [answer.header("x-request-id")]);
    assert_eq!(answer.seen("traceparent").len(), 1);
}

#[tokio::test]
async fn failures_are_problem_documents() {
    let gateway =
        gateway("upstreams: {e: {echo: {}}}\nroutes: [{match: 'POST /a', to: e}, {match: '/{x}/b', to: e}]").await;
    let answer = get(&gateway, "/nowhere").await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (404, "no_route"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:callgate:error:no_route");
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    let answer = get(&gateway, "/a").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    for target in ["/%zz", "/%00", "/%ff/b"] {
        let answer = get(&gateway, target).await;
        assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (400, "bad_request"), "{target}");
    }
}

#[tokio::test]
async fn a_grpc_client_gets_a_grpc_status() {
    let gateway = gateway("routes: []").await;
    let request = Request::post("/a.B/C").header("content-type", "application/grpc").body(Body::empty()).unwrap();
    let answer = send(&gateway, request).await;
    assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, "12"));
    assert_eq!(answer.header("callgate-error"), "no_route");
}

#[tokio::test]
async fn every_failure_of_an_upstream_has_its_status() {
    for (fail, status) in [
        ("upstream_unreachable", 502),
        ("upstream_timeout", 504),
        ("upstream_throttled", 503),
        ("upstream_unavailable", 503),
        ("upstream_denied", 502),
        ("function_error", 502),
        ("bad_upstream_reply", 502),
    ] {
        let yaml =
            format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, to: {{upstream: e, fail: {fail}}}}}]");
        let answer = get(&gateway(&yaml).await, "/").await;
        assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (status, fail));
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{fail}");
        assert!(!answer.text.contains("told to fail"), "the log's message is not the client's: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_an_answer() {
    let gateway = gateway(
        "upstreams: {e: {echo: {}, timeout: 3s}}\nroutes: [{match: /, to: {upstream: e, delay: 10s}}, {match: /b, to: {upstream: e, delay: 2s}}]",
    )
    .await;
    let answer = get(&gateway, "/").await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (504, "upstream_timeout"));
    assert_eq!(get(&gateway, "/b").await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_the_call() {
    let gateway = gateway(
        "defaults: {limits: {max_body: 8B}}\nupstreams: {e: {echo: {}}}\nroutes: [{match: /, to: e}, {match: /big, to: e, limits: {max_body: 1KiB}}]",
    )
    .await;
    let post = |path: &str| Request::post(path).body(Body::from("123456789")).unwrap();
    let answer = send(&gateway, post("/")).await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (413, "body_too_large"));
    assert_eq!(send(&gateway, post("/big")).await.status, 200);
}

#[tokio::test]
async fn weights_share_the_requests() {
    let gateway = gateway(
        "upstreams: {e: {echo: {}}}\nroutes: [{match: /, to: [{upstream: e, status: 201, weight: 0}, {upstream: e, status: 202, weight: 3}, {upstream: e, status: 203}]}]",
    )
    .await;
    let mut counts = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..400 {
        *counts.entry(get(&gateway, "/").await.status.as_u16()).or_default() += 1;
    }
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [202, 203]);
    // 300 are expected; 8 standard deviations of sqrt(400 * 0.75 * 0.25) are 69.
    assert!((231..370).contains(&counts[&202]), "{counts:?}");
}

#[tokio::test]
async fn steps_run_from_host_to_function_and_back() {
    let gateway = gateway(
        r#"
upstreams:
  e:
    echo: {}
    request: {headers: {append: {x-order: upstream}}}
    response: {headers: {append: {x-order: upstream}}}
    functions: {f: {request: {headers: {append: {x-order: function}}}, response: {headers: {append: {x-order: function}}}}}
hosts:
  a.test:
    request: {headers: {append: {x-order: host}}}
    response: {headers: {append: {x-order: host}}}
    routes:
      - match: /
        to: e/f
        request: {headers: {append: {x-order: route}}}
        response: {headers: {append: {x-order: route}}}
"#,
    )
    .await;
    let answer = get(&gateway, "http://a.test/").await;
    assert_eq!(answer.seen("x-order"), ["host", "route", "upstream", "function"]);
    let back: Vec<_> = answer.headers.get_all("x-order").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(back, ["function", "upstream", "route", "host"]);
}

#[tokio::test]
async fn a_route_can_answer_and_redirect_by_itself() {
    let gateway = gateway(
        r#"routes:
  - {match: GET /ping, respond: {status: 203, headers: {set: {x-a: "1"}}, body: {text: pong}}}
  - {match: "/old/{*rest}", redirect: {path: "/new/{{ params.rest }}", status: 308}}
  - {match: /away, redirect: {url: "https://example.com/"}}
"#,
    )
    .await;
    let answer = get(&gateway, "/ping").await;
    assert_eq!((answer.status.as_u16(), &*answer.text, answer.header("x-a")), (203, "pong", "1"));
    let answer = get(&gateway, "/old/a%20b/c").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (308, "/new/a%20b/c"));
    let answer = get(&gateway, "/away").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "https://example.com/"));
}

#[tokio::test]
async fn a_response_step_reshapes_a_failure_only_when_it_asks_for_one() {
    let gateway = gateway(
        r#"
upstreams: {e: {echo: {}}}
routes:
  - match: /
    to: {upstream: e, fail: upstream_timeout}
    response:
      - {headers: {set: {x-always: "{{ body.method }}"}}}
      - {when: error == "upstream_timeout", status: 503, body: {json: {message: later}}}
"#,
    )
    .await;
    let answer = get(&gateway, "/").await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (503, r#"{"message":"later"}"#));
    assert_eq!((answer.header("x-always"), answer.header("callgate-error")), ("", "upstream_timeout"));
}

#[tokio::test]
async fn a_missing_value_is_the_clients_mistake_in_a_request_and_ours_in_a_response() {
    let gateway = gateway(
        r#"
upstreams: {e: {echo: {}}}
routes:
  - {match: /in, to: e, request: {headers: {set: {x-user: "{{ query.user }}"}}}}
  - {match: /out, to: e, response: {headers: {set: {x-user: "{{ body.nothing.here }}"}}}}
"#,
    )
    .await;
    let answer = get(&gateway, "/in").await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (400, "bad_template_input"));
    assert_eq!(get(&gateway, "/in?user=a").await.seen("x-user"), ["a"]);
    let answer = get(&gateway, "/out").await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (502, "bad_upstream_reply"));
}

#[tokio::test]
async fn a_trusted_proxys_request_id_goes_on_and_a_strangers_does_not() {
    let gateway = gateway("upstreams: {e: {echo: {}}}\nroutes: [{match: /, to: e}]").await;
    for (trusted, kept) in [("192.0.2.0/24", true), ("10.0.0.0/8", false)] {
        let peer = "192.0.2.1:1".parse().ok();
        let connection = Connection::new("l".into(), peer, false, Arc::from([trusted.parse().unwrap()]));
        let mut request = Request::get("/").header("x-request-id", "given-1").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Arc::new(connection));
        let answer = send(&gateway, request).await;
        assert_eq!(answer.header("x-request-id") == "given-1", kept);
    }
}

#[tokio::test]
async fn the_certificate_of_a_connection_is_in_reach_of_templates() {
    use crate::edge::ClientCertificate;

    let gateway = gateway(
        "upstreams: {e: {echo: {}}}\nroutes: [{match: /, to: e, request: {headers: {set: {x-client: \"{{ client.certificate.subject | default('none') }}\"}}}}]",
    )
    .await;
    let certificate = ClientCertificate { subject: "CN=billing".to_owned(), ..ClientCertificate::default() };
    let plain = Connection::new("l".into(), None, true, Arc::from([]));
    let known = Connection::new("l".into(), None, true, Arc::from([])).with_certificate(certificate);
    for (connection, seen) in [(plain, "none"), (known, "CN=billing")] {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Arc::new(connection));
        assert_eq!(send(&gateway, request).await.seen("x-client"), [seen]);
    }
}

#[tokio::test]
async fn head_is_answered_by_the_head_alone() {
    let gateway = gateway("routes: [{match: GET /a, respond: {body: {text: pong}}}]").await;
    let answer = send(&gateway, Request::head("/a").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length"), &*answer.text), (200, "4", ""));
}

#[tokio::test]
async fn a_function_cannot_make_up_a_failure_of_the_gateway() {
    let gateway = gateway(
        r#"
upstreams: {e: {echo: {}}}
routes: [{match: /, to: e, response: {headers: {set: {callgate-error: fake}}}}, {match: /x, to: {upstream: e, fail: function_error}}]
"#,
    )
    .await;
    // Written by the route's own step, it is the operator's word.
    assert_eq!(get(&gateway, "/").await.header("callgate-error"), "fake");
    assert_eq!(get(&gateway, "/x").await.header("callgate-error"), "function_error");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_whatever_the_kind() {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    let gateway = gateway("upstreams: {e: {echo: {}}}\nroutes: [{match: /, to: e}]").await;
    let broken = StreamBody::new(stream::iter([Ok(Frame::data("half".into())), Err(io::Error::other("cut"))]));
    let answer = send(&gateway, Request::post("/").body(Body::new(broken)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("callgate-error")), (400, "bad_request"));
}

#[test]
fn a_host_spelled_twice_is_one_host() {
    let yaml = "hosts:\n  a.test: {routes: []}\n  A.test.: {routes: []}\n";
    let document = Document::parse("test.yaml", yaml, &Nothing).unwrap();
    let report = Plan::read(&document, &Registry::new()).unwrap_err().to_string();
    assert!(report.contains("the host `a.test` is there twice") && report.contains("test.yaml:2:3"), "{report}");
}

/// What was counted of a route.
fn counted(gateway: &Gateway, route: &str) -> crate::metrics::Totals {
    let measured = gateway.measured().into_iter().find(|measured| &*measured.labels.route == route);
    measured.unwrap_or_else(|| panic!("nothing was counted of {route}")).totals
}

#[tokio::test]
async fn requests_are_counted_by_route_with_their_outcome_and_time() {
    let gateway = gateway(
        "upstreams: {e: {echo: {}}}\nroutes: [{name: fine, match: /a, to: e}, {name: bad, match: /b, to: {upstream: e, fail: upstream_timeout}}, {name: own, match: /c, respond: {status: 302}}]",
    )
    .await;
    for target in ["/a", "/a", "/b", "/c", "/nowhere"] {
        get(&gateway, target).await;
    }
    let fine = counted(&gateway, "fine");
    assert_eq!((fine.begun, fine.in_flight(), fine.statuses), (2, 0, [0, 0, 2, 0, 0, 0]));
    assert_eq!((fine.replies, fine.whole.count(), fine.gateway.count(), fine.upstream.count()), (2, 2, 2, 2));
    let bad = counted(&gateway, "bad");
    assert_eq!((bad.statuses, bad.errors[Code::UpstreamTimeout as usize]), ([0, 0, 0, 0, 0, 1], 1));
    assert_eq!((bad.replies, bad.failed_calls[Code::UpstreamTimeout as usize]), (0, 1));
    assert_eq!(counted(&gateway, "own").statuses, [0, 0, 0, 1, 0, 0]);
    let unmatched = counted(&gateway, "");
    assert_eq!((unmatched.statuses, unmatched.errors[Code::NoRoute as usize]), ([0, 0, 0, 0, 1, 0], 1));
    let failures = gateway.recent_failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!((failures[0].code, &*failures[0].labels.as_ref().unwrap().route), (Code::UpstreamTimeout, "bad"));
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_reply_was_read_or_nobody_wants_it() {
    let gateway = canned(
        "upstreams: {c: {canned: {}}}\nroutes: [{name: streams, match: /, to: {upstream: c, status: 200, stalls: true}}]",
    )
    .await;
    let request = Request::get("/").header("host", "a.test").body(Body::empty()).unwrap();
    let response = gateway.clone().oneshot(request).await.unwrap();
    let streaming = counted(&gateway, "streams");
    assert_eq!((streaming.in_flight(), streaming.replies, streaming.upstream.count()), (1, 1, 0));
    drop(response);
    let ended = counted(&gateway, "streams");
    assert_eq!((ended.in_flight(), ended.upstream.count(), ended.whole.count()), (0, 1, 1));
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_counted_without_an_answer() {
    let gateway =
        gateway("upstreams: {e: {echo: {}}}\nroutes: [{name: slow, match: /, to: {upstream: e, delay: 30s}}]").await;
    let request = Request::get("/").header("host", "a.test").body(Body::empty()).unwrap();
    let mut answer = Box::pin(gateway.clone().oneshot(request));
    assert!(futures_util::FutureExt::now_or_never(&mut answer).is_none());
    assert_eq!(counted(&gateway, "slow").in_flight(), 1);
    drop(answer);
    let slow = counted(&gateway, "slow");
    assert_eq!((slow.in_flight(), slow.statuses, slow.given_up), (0, [1, 0, 0, 0, 0, 0], 1));
}

#[tokio::test]
async fn a_trial_tells_every_step() {
    let gateway = gateway(
        "upstreams: {e: {echo: {}}}\nroutes:\n- {name: other, match: POST /a/b, to: e}\n- name: tried\n  match: '/a/{x}'\n  to: e\n  \
         request: {headers: {set: {x-x: '{{ params.x }}'}}}\n  response: {status: 201}",
    )
    .await;
    let request = Request::get("/a/b").body(bytes::Bytes::new()).unwrap();
    let trial = gateway.try_out(request, Some([192, 0, 2, 1].into())).await;
    assert_eq!((trial.route.as_deref(), &*trial.captures), (Some("tried"), &[["x".to_owned(), "b".to_owned()]][..]));
    assert_eq!(trial.candidates[0][0], "other");
    let [call] = &trial.calls[..] else { panic!("{:?}", trial.calls) };
    assert_eq!((&*call.upstream, call.kind, &*call.sent.line), ("e", "echo", "GET /a/b"));
    assert!(call.sent.headers.contains(&["x-x".to_owned(), "b".to_owned()]), "{:?}", call.sent);
    assert!(call.sent.headers.contains(&["x-forwarded-for".to_owned(), "192.0.2.1".to_owned()]), "{:?}", call.sent);
    assert_eq!(call.reply.as_ref().unwrap().line, "200 OK");
    assert_eq!(trial.response.line, "201 Created");
    assert!(trial.response.text.as_ref().unwrap().contains("/a/b"), "{:?}", trial.response);
}
