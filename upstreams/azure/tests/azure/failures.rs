//! Every failure of the table, by an app that really fails so.

use std::net::SocketAddr;

use callgate_core::Body;
use callgate_testkit::peers::{AzureHost, Fault, FaultProxy, http::Server, present, until};
use http::Request;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::bed::{Bed, LONG};

/// A gateway whose upstream has these options; functions are open, below `/NAME`.
async fn bed(azure: &str) -> Bed {
    Bed::start(&document(azure)).await
}

fn document(azure: &str) -> String {
    let mut yaml = format!("upstreams:\n  fns: {{azure: {azure}}}\nroutes:\n");
    for function in ["open", "slow", "status", "broken"] {
        yaml.push_str(&format!(
            "  - {{match: \"/{function}/{{*rest}}\", to: {{upstream: fns, function: {function}, auth_level: anonymous}}}}\n"
        ));
    }
    yaml
}

/// Answers the first request of each connection with these bytes, and closes.
async fn raw(answer: &'static str) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {}
            // The gateway may have left already.
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn an_app_that_is_not_there_is_unreachable() {
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [format!("http://{refusing}"), "http://no-such-app.invalid".to_owned()] {
        let bed = bed(&format!("{{url: \"{url}\"}}")).await;
        let answer = bed.get("/open/x").await;
        answer.is_problem(502, "upstream_unreachable");
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!told.contains("127.0.0.1") && !told.contains("no-such-app"), "{told}");
        assert!(bed.ready("fns").await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_unreachable_and_the_right_one_serves() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let tls = host.serve_tls(&["functions.test"]).await.unwrap();
    let ca = tls.ca.display();
    let url = &tls.url;
    for options in [
        format!("{{url: \"{url}\"}}"),
        format!("{{url: \"{url}\", tls: {{ca: \"{ca}\"}}}}"),
        format!("{{url: \"{url}\", tls: {{ca: \"{ca}\", server_name: other.test}}}}"),
    ] {
        bed(&options).await.get("/open/x").await.is_problem(502, "upstream_unreachable");
    }
    let right = format!("{{url: \"{url}\", tls: {{ca: \"{ca}\", server_name: functions.test}}}}");
    bed(&right).await.get("/open/x").await.is_reply(200);
}

#[tokio::test]
async fn a_slow_function_is_a_timeout() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let document =
        document(&format!("{{url: \"{}\"}}", host.url)).replace("anonymous}}", "anonymous}, timeout: 300ms}");
    let bed = Bed::start(&document).await;
    bed.get("/slow/?ms=1").await.is_reply(200);
    bed.get("/slow/?ms=20000").await.is_problem(504, "upstream_timeout");
}

#[tokio::test]
async fn a_host_with_too_many_requests_throttles_and_keeps_its_wait() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let bed = bed(&format!("{{url: \"{}\"}}", host.url)).await;
    bed.get("/open/x").await.is_reply(200);
    // It takes none, so that no request has to race another.
    host.behave(json!({"outstanding": 0, "retry_after": 7})).await.unwrap();
    let refused = bed.get("/open/x").await;
    refused.is_problem(503, "upstream_throttled");
    assert_eq!(refused.header("retry-after"), Some("7"));
    host.behave(json!({"retry_after": null})).await.unwrap();
    bed.get("/open/x").await.is_problem(503, "upstream_throttled");
}

#[tokio::test]
async fn a_status_of_the_function_itself_passes() {
    let server = Server::start().await.unwrap();
    let bed = bed(&format!("{{url: \"{}\", route_prefix: \"\"}}", server.url())).await;
    for status in [401, 403, 404, 429, 500, 502, 503] {
        bed.get(&format!("/status/{status}")).await.is_reply(status);
    }
}

#[tokio::test]
async fn what_is_no_http_or_ends_within_its_head_is_a_bad_reply() {
    for reply in
        ["no HTTP\r\n\r\n", "HTTP/1.1 200 OK\r\nconte", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", ""]
    {
        let (address, _server) = raw(reply).await;
        let bed = bed(&format!("{{url: \"http://{address}\"}}")).await;
        bed.get("/open/x").await.is_problem(502, "bad_upstream_reply");
    }
}

#[tokio::test]
async fn a_reply_cut_off_in_its_body_never_looks_whole() {
    let server = Server::start().await.unwrap();
    let bed = bed(&format!("{{url: \"{}\", route_prefix: \"\"}}", server.url())).await;
    let reply = bed.open(Request::get("/broken/?bytes=100000").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status(), 200);
    assert!(reply.into_body().collect(1 << 20).await.is_err());
}

#[tokio::test]
async fn an_app_that_is_cut_off_and_comes_back_serves_again() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let remote = host.url.trim_start_matches("http://").parse().unwrap();
    let proxy = FaultProxy::start(remote).await.unwrap();
    let bed = bed(&format!("{{url: \"http://{}\"}}", proxy.address())).await;
    bed.get("/open/x").await.is_reply(200);
    proxy.set(Fault::Refuse);
    let gone = async || bed.get("/open/x").await.header("callgate-error") == Some("upstream_unreachable");
    assert!(until(LONG, gone).await);
    proxy.set(Fault::None);
    assert!(until(LONG, async || bed.get("/open/x").await.status == 200).await);
}

#[tokio::test]
async fn a_body_over_the_limit_is_the_clients_fault() {
    let server = Server::start().await.unwrap();
    let azure = format!("{{url: \"{}\", route_prefix: \"\"}}", server.url());
    let limited = document(&azure).replace("anonymous}}", "anonymous}, limits: {max_body: 1KiB}}");
    let bed = Bed::start(&limited).await;
    let frames = (0..64)
        .map(|_| Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from_static(&[b'x'; 64]))));
    let body = Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)));
    let answer = bed.send(Request::post("/status/200").body(body).unwrap()).await;
    answer.is_problem(413, "body_too_large");
    assert!(server.requests() <= 1, "{}", server.requests());
}
