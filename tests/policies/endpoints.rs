use callgate_testkit::peers::{http::Server, until};

use crate::{
    gateway::{Gateway, LIMIT},
    service::{listener, send, status},
};

#[tokio::test]
async fn endpoints_come_and_go_and_no_client_notices() {
    let (one, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let (first, second) = (one.address(), other.address());
    let endpoints = format!("['http://{first}', 'http://{second}']");
    let rest = format!("{{endpoints: {endpoints}, ejection: {{initial: 50ms, max: 50ms}}}}");
    let yaml = format!(
        "upstreams: {{s: {{rest: {rest}, retry: {{attempts: 3}}}}}}\nroutes: [{{match: '/{{*rest}}', to: s}}]\n"
    );
    let mut gateway = Gateway::start(&yaml, "0s").await;
    let address = listener(&mut gateway).await;
    let served = async || {
        for _ in 0..20 {
            let answer = send(address, "GET", "/echo", "").await;
            assert_eq!(status(&answer), 200, "{answer}");
        }
    };
    served().await;
    one.stop().await;
    served().await;
    let one = Server::start_at(first).await.unwrap();
    let back = until(LIMIT, async || {
        served().await;
        one.requests() > 0
    });
    assert!(back.await, "an endpoint that is back gets no requests");
    other.stop().await;
    served().await;
}
