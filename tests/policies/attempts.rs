use callgate_testkit::peers::http::Server;
use futures_util::future::join_all;

use crate::{
    gateway::Gateway,
    service::{Act, Service, listener, send, status},
};

/// A gateway before one service, with these policies.
async fn before(service: impl std::fmt::Display, policies: &str) -> Gateway {
    let yaml = format!(
        "upstreams: {{s: {{rest: {{url: 'http://{service}'}}, {policies}}}}}\nroutes: [{{match: '/{{*rest}}', to: s}}]\n"
    );
    Gateway::start(&yaml, "0s").await
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_unless_the_call_must_not_be_made_twice() {
    let service =
        Service::start(&[Act::Break, Act::Answer("503 Service Unavailable"), Act::Answer("200 OK"), Act::Break]).await;
    let mut gateway = before(service.address, "retry: {attempts: 3}").await;
    let address = listener(&mut gateway).await;
    let answer = send(address, "PUT", "/", "the whole body").await;
    assert!(status(&answer) == 200 && answer.ends_with("the whole body"), "{answer}");
    assert_eq!(service.requests(), 3);
    let answer = send(address, "POST", "/", "once").await;
    assert!(status(&answer) == 502 && answer.contains("callgate-error: bad_upstream_reply"), "{answer}");
    assert_eq!(service.requests(), 4);
}

#[tokio::test]
async fn a_failures_line_in_the_log_names_every_attempt() {
    let service = Service::start(&[Act::Answer("503 Service Unavailable"), Act::Break]).await;
    let mut gateway = before(service.address, "retry: {attempts: 2}").await;
    let answer = send(listener(&mut gateway).await, "GET", "/", "").await;
    assert_eq!(status(&answer), 502, "{answer}");
    let line = gateway.says("An upstream failed.").await;
    assert!(line["error"].as_str().unwrap().contains("attempt 2, after status 503"), "{line}");
}

#[tokio::test]
async fn an_attempt_that_hangs_gives_way_to_the_next() {
    let service = Server::start().await.unwrap();
    let mut gateway = before(service.address(), "timeout: {total: 40s, attempt: 200ms}, retry: {attempts: 2}").await;
    let answer = send(listener(&mut gateway).await, "GET", "/hang", "").await;
    assert!(status(&answer) == 504 && answer.contains("callgate-error: upstream_timeout"), "{answer}");
    assert_eq!(service.requests(), 2);
}

#[tokio::test]
async fn an_open_circuit_keeps_calls_from_the_service() {
    let service = Server::start().await.unwrap();
    let mut gateway = before(service.address(), "circuit_breaker: {failures: 3, open: 1h}").await;
    let address = listener(&mut gateway).await;
    for _ in 0..3 {
        assert!(!send(address, "GET", "/status/503", "").await.contains("callgate-error"));
    }
    let answer = send(address, "GET", "/echo", "").await;
    assert!(status(&answer) == 503 && answer.contains("callgate-error: upstream_unavailable"), "{answer}");
    let wait = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((3000..=3600).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    assert_eq!(service.requests(), 3);
    gateway.says("The circuit of an upstream opens: it is not called for a while.").await;
}

#[tokio::test]
async fn no_more_calls_than_are_allowed_are_at_the_service() {
    let service = Server::start().await.unwrap();
    let mut gateway = before(service.address(), "concurrency: {limit: 1, queue: 2, wait: 40s}").await;
    let address = listener(&mut gateway).await;
    let answers = join_all((0..6).map(|_| send(address, "GET", "/slow?ms=500", ""))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| status(answer)).collect();
    // Those beyond come while the first one is still there, unless the machine stood still.
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((3..=4).contains(&served) && served == service.requests(), "{statuses:?}");
    assert!(answers.iter().filter(|answer| status(answer) != 200).all(|answer| answer.contains("retry-after: 1\r\n")));
}
