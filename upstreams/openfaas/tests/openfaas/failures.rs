//! Every failure of the table, by making the peer fail.

use callgate_core::Body;
use callgate_testkit::peers::{Fault, FaultProxy, OpenFaas};
use http::Request;

use crate::stage::{Answer, Raw, Stage, credentials, refusing};

const ROUTES: &str = r#"
  - {match: "/fn/{name}", to: {upstream: faas, name: "{{ params.name }}", allow: ["*"]}}
  - {match: "/short/{name}", to: {upstream: faas, name: "{{ params.name }}", allow: ["*"]}, timeout: 300ms}
  - {match: "/small", to: faas/mirror, limits: {max_body: 10B}}
  - {match: "/queued", to: {upstream: faas, name: mirror, mode: async}}
  - {match: "/read", to: faas/large, limits: {max_body: 10B}, response: {body: {json: {length: "{{ text | length }}"}}}}
"#;

async fn of(url: &str, path: &str) -> Answer {
    Stage::new(url, "", ROUTES).await.get(path).await
}

#[tokio::test]
async fn no_connection_is_unreachable() {
    for url in [refusing().await, "http://no-such-host.invalid:8080".to_owned()] {
        for path in ["/fn/mirror", "/queued"] {
            let answer = of(&url, path).await;
            assert_eq!(answer.failure(), (502, "upstream_unreachable"), "{url}{path}");
            assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains("invalid"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_function_that_is_too_slow_is_a_time_out() {
    let faas = OpenFaas::start().await.unwrap();
    assert_eq!(of(&faas.url(), "/short/slow?ms=60000").await.failure(), (504, "upstream_timeout"));
    assert_eq!(of(&faas.url(), "/fn/expired").await.failure(), (504, "upstream_timeout"));
}

#[tokio::test]
async fn an_empty_200_after_the_gateways_time_is_a_time_out() {
    let faas = OpenFaas::start().await.unwrap();
    faas.set_write_timeout(std::time::Duration::from_millis(150));
    let patient = Stage::before(&faas, ", gateway_timeout: 150ms", ROUTES).await;
    assert_eq!(patient.get("/fn/slow?ms=60000").await.failure(), (504, "upstream_timeout"));
    // With the time of 60s it can't be told from a reply.
    let unaware = Stage::before(&faas, "", ROUTES).await;
    assert_eq!(unaware.get("/fn/status?status=200").await.failure(), (200, "none"));
    assert_eq!(unaware.get("/fn/slow?ms=60000").await.failure(), (200, "none"));
}

#[tokio::test]
async fn a_watchdog_that_takes_no_more_calls_throttles() {
    let faas = OpenFaas::start().await.unwrap();
    let answer = of(&faas.url(), "/fn/busy").await;
    assert_eq!(answer.failure(), (503, "upstream_throttled"));
    assert_eq!(answer.headers["retry-after"], "7");
    let queue = Raw::saying("HTTP/1.1 429 Too Many Requests\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n").await;
    let answer = of(&queue.url(), "/queued").await;
    assert_eq!(
        (answer.failure(), &answer.headers["retry-after"]),
        ((503, "upstream_throttled"), &"9".parse().unwrap())
    );
}

#[tokio::test]
async fn a_function_that_is_not_there_is_denied_with_or_without_a_list() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    let answer = stage.get("/fn/no-such-function").await;
    assert_eq!(answer.failure(), (502, "upstream_denied"));
    assert!(!answer.body.contains("no-such-function"), "{answer:?}");
    assert_eq!(of(&faas.url(), "/fn/no-such-function").await.failure(), (502, "upstream_denied"));
    // A gateway that words it differently is found out by its list.
    let listing = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
    let other = Raw::with(move |mut stream| async move {
        while let Some(head) = crate::stage::head(&mut stream).await {
            let reply = if head.starts_with("GET /system/functions ") {
                listing
            } else {
                "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope"
            };
            tokio::io::AsyncWriteExt::write_all(&mut stream, reply.as_bytes()).await.unwrap();
        }
    })
    .await;
    assert_eq!(of(&other.url(), "/fn/mirror").await.failure(), (502, "upstream_denied"));
}

#[tokio::test]
async fn what_the_function_itself_answers_passes() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    for (path, status, body) in [
        ("/fn/lost", 404, "no such order"),
        ("/fn/bare", 404, "no such page"),
        ("/fn/fail", 500, "exit status 1"),
        ("/fn/status?status=401", 401, ""),
        ("/fn/status?status=429", 429, ""),
        ("/fn/status?status=502", 502, ""),
    ] {
        let answer = stage.get(path).await;
        assert_eq!((answer.failure(), answer.body.as_str()), ((status, "none"), body), "{path}");
    }
    assert_eq!(faas.lists(), 1, "only what no watchdog signed is looked up");
}

#[tokio::test]
async fn a_function_without_a_replica_is_unavailable() {
    let faas = OpenFaas::start().await.unwrap();
    let answer = of(&faas.url(), "/fn/dead").await;
    assert_eq!(answer.failure(), (503, "upstream_unavailable"));
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

#[tokio::test]
async fn bodies_over_a_limit_are_refused() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    assert_eq!(stage.post("/small", "more than ten bytes").await.failure(), (413, "body_too_large"));
    assert_eq!(stage.get("/read?bytes=11").await.failure(), (502, "bad_upstream_reply"));
    let queue = Raw::saying("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(of(&queue.url(), "/queued").await.failure(), (413, "body_too_large"));
}

#[tokio::test]
async fn a_broken_reply_is_told() {
    for reply in
        ["", "HTTP/1.1 200 OK\r\nconte", "no HTTP\r\n\r\n", "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nerr"]
    {
        let raw = Raw::saying(reply).await;
        assert_eq!(of(&raw.url(), "/fn/mirror").await.failure(), (502, "bad_upstream_reply"), "{reply}");
    }
    for reply in ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"] {
        let raw = Raw::saying(reply).await;
        assert_eq!(of(&raw.url(), "/queued").await.failure(), (502, "bad_upstream_reply"), "{reply}");
    }
}

#[tokio::test]
async fn a_reply_that_is_cut_off_in_its_middle_breaks_the_clients_too() {
    let faas = OpenFaas::start().await.unwrap();
    let proxy = FaultProxy::start(faas.address()).await.unwrap();
    let stage = Stage::new(&format!("http://{}", proxy.address()), "", ROUTES).await;
    proxy.set(Fault::CutAfter(5000));
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let answer = stage.begin(request("/fn/large?bytes=100000")).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.into_body().collect(1 << 20).await.is_err());
    proxy.set(Fault::None);
    let answer = stage.begin(request("/fn/broken?bytes=100")).await;
    assert!(answer.status() == 200 && answer.into_body().collect(1 << 20).await.is_err());
}

#[tokio::test]
async fn a_wrong_password_lists_nothing_and_is_not_shown() {
    let faas = OpenFaas::start().await.unwrap();
    let wrong = credentials().replace(OpenFaas::PASSWORD, "hunter2-wrong");
    let stage = Stage::new(&faas.url(), &format!(", {wrong}"), ROUTES).await;
    // It is needed for lists alone.
    assert_eq!(stage.get("/fn/describe").await.status, 200);
    let plan = crate::stage::plan(&faas.url(), &format!(", {wrong}"), "  []\n").unwrap();
    let failed = plan.discover("faas", &tokio::runtime::Handle::current()).await.unwrap_err().to_string();
    assert!(failed.contains("answered 401") && failed.contains("invalid credentials"), "{failed}");
    assert!(!failed.contains("hunter2"), "{failed}");
}
