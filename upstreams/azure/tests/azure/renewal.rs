//! The life of a token: one question for all calls, ahead of its end, and what is answered when there is none.

use std::time::Duration;

use callgate_testkit::peers::until;
use futures_util::future::join_all;
use serde_json::json;
use tokio::{net::TcpListener, time};

use crate::{
    bed::{Bed, LONG},
    tokens::Site,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Moves the clock of the gateway, and lets it go on from there.
async fn pass(time: Duration) {
    time::pause();
    time::advance(time).await;
    time::resume();
}

async fn asked(site: &Site) -> usize {
    site.entra.asked().await.unwrap().len()
}

#[tokio::test]
async fn all_first_calls_share_one_question() {
    let Some(site) = Site::start().await else { return };
    let bed = site.bed(&site.secret()).await;
    for answer in join_all((0..50).map(|_| bed.get("/open/x"))).await {
        answer.is_reply(200);
    }
    assert_eq!(asked(&site).await, 1);
}

#[tokio::test]
async fn a_token_is_renewed_once_ahead_of_its_end_while_calls_go_on() {
    let Some(site) = Site::start().await else { return };
    let bed = site.bed(&site.secret()).await;
    let token = async || bed.get("/open/x").await.json()["headers"]["authorization"].as_str().unwrap().to_owned();
    let first = token().await;
    pass(HOUR - Duration::from_secs(700)).await;
    // The latest possible moment is five minutes before the end, the earliest a tenth sooner.
    assert_eq!((token().await, asked(&site).await), (first.clone(), 1));
    pass(Duration::from_secs(410)).await;
    for answer in join_all((0..20).map(|_| bed.get("/open/x"))).await {
        answer.is_reply(200);
    }
    assert!(until(LONG, async || asked(&site).await == 2).await);
    // Two tokens of one second are the same text; what counts is that the endpoint was asked again, once.
    assert!(until(LONG, async || bed.ready("fns").await.is_ok()).await);
    assert_eq!(asked(&site).await, 2);
}

#[tokio::test]
async fn while_the_endpoint_is_down_the_old_token_serves_until_its_end() {
    let Some(site) = Site::start().await else { return };
    let bed = site.bed(&site.secret()).await;
    bed.get("/open/x").await.is_reply(200);
    site.entra.behave(json!({"mode": "fail"})).await.unwrap();
    pass(HOUR - Duration::from_secs(200)).await;
    assert!(until(LONG, async || asked(&site).await >= 2).await, "it is asked ahead of the end");
    bed.get("/open/x").await.is_reply(200);
    pass(Duration::from_secs(200)).await;
    let answer = bed.get("/open/x").await;
    answer.is_problem(503, "upstream_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // The question that was under way when the clock moved had no answer in its time; the next one has.
    let told = async || bed.ready("fns").await.is_err_and(|why| why.contains("the token endpoint answered 500"));
    assert!(until(LONG, told).await);
    site.entra.behave(json!({"mode": "grant"})).await.unwrap();
    assert!(until(LONG, async || bed.get("/open/x").await.status == 200).await, "it heals by itself");
}

#[tokio::test]
async fn a_short_life_is_renewed_at_its_half() {
    let Some(site) = Site::start().await else { return };
    site.entra.behave(json!({"life": 400})).await.unwrap();
    let bed = site.bed(&site.secret()).await;
    bed.get("/open/x").await.is_reply(200);
    pass(Duration::from_secs(160)).await;
    bed.get("/open/x").await.is_reply(200);
    assert_eq!(asked(&site).await, 1);
    pass(Duration::from_secs(41)).await;
    assert!(until(LONG, async || asked(&site).await == 2).await);
}

#[tokio::test]
async fn what_an_endpoint_does_wrong_is_said_in_the_log_and_never_to_clients() {
    let Some(site) = Site::start().await else { return };
    for (mode, status, code, says) in [
        ("deny", 502, "upstream_denied", "AADSTS7000222"),
        ("throttle", 503, "upstream_unavailable", "429"),
        ("fail", 503, "upstream_unavailable", "500"),
        ("break", 503, "upstream_unavailable", "no JSON with an `access_token`"),
        ("cut", 503, "upstream_unavailable", "cut off"),
    ] {
        site.entra.behave(json!({"mode": mode})).await.unwrap();
        let bed = site.bed(&site.secret()).await;
        let answer = bed.get("/open/x").await;
        answer.is_problem(status, code);
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!told.contains(says) && !told.contains("token endpoint"), "{mode}: {told}");
        let message = bed.ready("fns").await.unwrap_err();
        assert!(message.contains(says), "{mode}: {message}");
    }
}

#[tokio::test]
async fn a_throttling_endpoint_is_left_alone_as_long_as_it_asks() {
    let Some(site) = Site::start().await else { return };
    site.entra.behave(json!({"mode": "throttle"})).await.unwrap();
    let bed = site.bed(&site.secret()).await;
    let answer = bed.get("/open/x").await;
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((40..=60).contains(&wait), "{answer:?}");
    pass(Duration::from_secs(15)).await;
    bed.get("/open/x").await.is_problem(503, "upstream_unavailable");
    assert_eq!(asked(&site).await, 1);
}

#[tokio::test]
async fn an_endpoint_that_never_answers_costs_the_calls_no_more_than_their_time() {
    let Some(site) = Site::start().await else { return };
    site.entra.behave(json!({"mode": "hang"})).await.unwrap();
    let document = site.document(&site.secret()).replace("to: fns/open}", "to: fns/open, timeout: 300ms}");
    let bed = Bed::start(&document).await;
    bed.get("/open/x").await.is_problem(504, "upstream_timeout");
    assert!(until(LONG, async || asked(&site).await == 1).await);
    pass(Duration::from_secs(16)).await;
    assert!(
        until(LONG, async || bed.get("/open/x").await.header("callgate-error") == Some("upstream_unavailable")).await
    );
    assert!(bed.ready("fns").await.unwrap_err().contains("no answer within"));
    site.entra.behave(json!({"mode": "grant"})).await.unwrap();
    assert!(until(LONG, async || bed.get("/open/x").await.status == 200).await);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_fails_no_load_and_is_unavailable() {
    let Some(site) = Site::start().await else { return };
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = [format!("http://{refusing}"), "https://no-such-authority.invalid".to_owned()];
    for authority in nowhere {
        let bed = site.bed(&site.secret_at(&authority)).await;
        bed.get("/open/x").await.is_problem(503, "upstream_unavailable");
        let message = bed.ready("fns").await.unwrap_err();
        assert!(message.contains("gave no answer"), "{message}");
    }
    // Its certificate is verified: without the authority's own certificate there is no secret for it.
    let bed = site.bed(&site.secret_at(&site.entra.https.url)).await;
    bed.get("/open/x").await.is_problem(503, "upstream_unavailable");
    assert!(bed.ready("fns").await.unwrap_err().contains("no TLS with"));
    assert_eq!(asked(&site).await, 0);
}

#[tokio::test]
async fn a_token_that_the_app_refuses_is_renewed_once_in_a_while() {
    let Some(site) = Site::start().await else { return };
    let mut sign_in = site.entra.sign_in().await.unwrap();
    sign_in["audience"] = json!("api://another");
    site.host.behave(json!({"sign_in": sign_in})).await.unwrap();
    let bed = site.bed(&site.secret()).await;
    for _ in 0..5 {
        bed.get("/open/x").await.is_reply(401);
    }
    assert_eq!(asked(&site).await, 1);
    pass(Duration::from_secs(31)).await;
    assert!(until(LONG, async || asked(&site).await == 2).await);
}
