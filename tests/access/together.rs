//! Gateways that count together in Redis.

use std::time::Instant;

use callgate_testkit::peers::{RedisServer, present, until};

use crate::gateway::{Gateway, LIMIT};

fn document(redis: &RedisServer, limit: &str) -> String {
    format!(
        "defaults: {{rate_limit: {{shared: \"{}\", timeout: 500ms}}}}\n\
         routes: [{{name: one, match: GET /a, respond: {{body: {{text: ok}}}}, rate_limit: {{{limit}}}}}]",
        redis.url()
    )
}

async fn statuses(gateways: &[&Gateway], count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for gateway in gateways.iter().cycle().take(count) {
        statuses.push(gateway.get("/a", &[]).await.status);
    }
    statuses
}

fn allowed(statuses: &[u16]) -> usize {
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test]
async fn two_gateways_hold_one_limit() {
    let Some(redis) = present(RedisServer::start().await) else { return };
    let document = document(&redis, "limit: 6/h");
    let (one, other) = (Gateway::start(&document).await, Gateway::start(&document).await);
    let first = one.get("/a", &[]).await;
    assert_eq!((first.status, first.header("x-ratelimit-remaining")), (200, "5"));
    let second = other.get("/a", &[]).await;
    assert_eq!((second.status, second.header("x-ratelimit-remaining")), (200, "4"));
    assert_eq!(allowed(&statuses(&[&one, &other], 10).await), 4);
    let refused = one.get("/a", &[]).await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 429 && (1..=600).contains(&wait), "{refused:?}");
}

#[tokio::test]
async fn what_many_ask_at_once_is_counted_once() {
    let Some(redis) = present(RedisServer::start().await) else { return };
    let document = document(&redis, "limit: 20/h");
    let (one, other) = (Gateway::start(&document).await, Gateway::start(&document).await);
    let ask = |gateway| async move { Gateway::get(gateway, "/a", &[]).await.status };
    let asked = (0..60).map(|number| ask(if number % 2 == 0 { &one } else { &other }));
    assert_eq!(allowed(&futures_util::future::join_all(asked).await), 20);
}

#[tokio::test]
async fn several_limits_are_taken_together() {
    let Some(redis) = present(RedisServer::start().await) else { return };
    let document = document(&redis, "limits: [{limit: 3/h}, {limit: 1/h, by: {header: x-tenant}}]");
    let gateway = Gateway::start(&document).await;
    let mut statuses = Vec::new();
    for tenant in ["a", "a", "a", "b", "c", "d"] {
        statuses.push(gateway.get("/a", &[("x-tenant", tenant)]).await.status);
    }
    assert_eq!(statuses, [200, 429, 429, 200, 200, 429]);
}

#[tokio::test]
async fn a_dead_redis_leaves_what_on_failure_says() {
    let Some(mut redis) = present(RedisServer::start().await) else { return };
    let mut gateways = Vec::new();
    for on_failure in ["allow", "deny", "local"] {
        gateways.push(Gateway::start(&document(&redis, &format!("limit: 2/h, on_failure: {on_failure}"))).await);
    }
    let [allow, deny, local] = &gateways[..] else { unreachable!() };
    assert_eq!(statuses(&[allow, deny, local], 3).await, [200, 200, 429], "they count together");
    redis.kill();
    let started = Instant::now();
    assert_eq!(statuses(&[allow], 5).await, [200; 5]);
    assert_eq!(statuses(&[local], 3).await, [200, 200, 429]);
    let denied = deny.get("/a", &[]).await;
    assert_eq!((denied.status, denied.header("callgate-error")), (503, "upstream_unavailable"));
    assert_eq!(denied.header("retry-after"), "1");
    assert!(started.elapsed() < LIMIT / 2, "nobody waits for what is down");
    redis.restart().await.unwrap();
    let again = until(LIMIT, async || deny.get("/a", &[]).await.status == 200);
    assert!(again.await, "{}", deny.log());
    let again = until(LIMIT, async || statuses(&[allow], 4).await.last() == Some(&429));
    assert!(again.await, "{}", allow.log());
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_not_waited_for() {
    let Some(redis) = present(RedisServer::start().await) else { return };
    let mut gateway =
        Gateway::start(&document(&redis, "limit: 2/h, on_failure: allow").replace("500ms", "100ms")).await;
    assert_eq!(statuses(&[&gateway], 3).await, [200, 200, 429]);
    redis.pause();
    assert_eq!(statuses(&[&gateway], 3).await, [200; 3]);
    gateway.says("The shared counters of rate limits can't be asked: `on_failure` holds until they answer.").await;
    redis.resume();
    let again = until(LIMIT, async || gateway.get("/a", &[]).await.status == 429);
    assert!(again.await, "{}", gateway.log());
}
