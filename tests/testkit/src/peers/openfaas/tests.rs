//! The contract, as it was observed.

use std::time::Duration;

use super::{
    super::{Received, Wire},
    *,
};

const LIMIT: Duration = Duration::from_secs(30);
const ADMIN: &str = "authorization: Basic YWRtaW46czNjcmV0LW9mLW9wZW5mYWFz\r\n";

async fn exchange(gateway: &OpenFaas, line: &str, headers: &str) -> Received {
    let mut wire = Wire::connect(gateway.address()).await.unwrap();
    wire.send(format!("{line} HTTP/1.1\r\nhost: faas.test\r\n{headers}connection: close\r\n\r\n")).await.unwrap();
    wire.read_to_end(LIMIT).await
}

fn header(received: &Received, name: &str) -> Option<String> {
    let text = received.text();
    let head = text.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
}

#[tokio::test]
async fn a_function_gets_path_and_query_behind_its_name() {
    let gateway = OpenFaas::start().await.unwrap();
    let reply = exchange(&gateway, "PUT /function/describe.openfaas-fn/a/%2F?x=1", "").await;
    let text = reply.text();
    assert!(text.contains(r#""method":"PUT","path":"/a/%2F","query":"x=1""#), "{text}");
    for name in ["x-call-id", "x-start-time", "x-forwarded-for", "x-forwarded-host", "x-duration-seconds"] {
        assert!(header(&reply, name).is_some(), "{name} is not in {text}");
    }
    assert!(text.contains(r#"["x-forwarded-host","faas.test"]"#), "{text}");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let gateway = OpenFaas::start().await.unwrap();
    let page = exchange(&gateway, "GET /function/fig%20let", "").await;
    assert!(page.status() == Some(404) && page.text().contains("page not found"), "{page:?}");
    let missing = exchange(&gateway, "GET /function/figlet", "").await;
    assert_eq!((missing.status(), header(&missing, "x-duration-seconds")), (Some(404), None));
    gateway.deploy("staging", "figlet");
    assert_eq!(exchange(&gateway, "GET /function/figlet", "").await.status(), Some(404));
    assert_eq!(exchange(&gateway, "GET /function/figlet.staging", "").await.status(), Some(200));
}

#[tokio::test]
async fn failures_are_told_as_the_platform_tells_them() {
    let gateway = OpenFaas::start().await.unwrap();
    let dead = exchange(&gateway, "GET /function/dead", "").await;
    assert!(dead.status() == Some(502) && dead.text().ends_with("\r\n\r\n"), "{dead:?}");
    let expired = exchange(&gateway, "GET /function/expired", "").await;
    assert_eq!(
        (expired.status(), header(&expired, "x-openfaas-internal").as_deref()),
        (Some(504), Some("of-watchdog"))
    );
    gateway.set_write_timeout(Duration::from_millis(20));
    let late = exchange(&gateway, "GET /function/slow?ms=60000", "").await;
    assert_eq!((late.status(), header(&late, "content-type")), (Some(200), None));
    assert!(late.text().ends_with("\r\n\r\n"), "{late:?}");
}

#[tokio::test]
async fn functions_are_listed_to_the_admin_alone() {
    let gateway = OpenFaas::start().await.unwrap();
    let refused = exchange(&gateway, "GET /system/functions", "").await;
    assert_eq!(refused.status(), Some(401));
    assert!(refused.text().contains("invalid credentials"), "{refused:?}");
    assert_eq!(header(&refused, "www-authenticate").unwrap(), "Basic realm=\"Restricted\"");
    gateway.deploy("staging", "figlet");
    let listed = exchange(&gateway, "GET /system/functions", ADMIN).await.text();
    assert!(listed.contains(r#""name":"mirror""#) && !listed.contains("figlet"), "{listed}");
    let staging = exchange(&gateway, "GET /system/functions?namespace=staging", ADMIN).await.text();
    assert!(staging.contains(r#""name":"figlet""#) && !staging.contains("mirror"), "{staging}");
    assert_eq!(gateway.lists(), 2);
}

#[tokio::test]
async fn a_queued_call_is_accepted_before_it_runs() {
    let gateway = OpenFaas::start().await.unwrap();
    assert_eq!(exchange(&gateway, "GET /async-function/mirror", "").await.status(), Some(405));
    let accepted = exchange(&gateway, "POST /async-function/no-such-function/a", "content-length: 0\r\n").await;
    assert!(accepted.status() == Some(202) && header(&accepted, "x-call-id").is_some(), "{accepted:?}");
    let own = exchange(&gateway, "POST /async-function/mirror", "content-length: 0\r\nx-call-id: mine\r\n").await;
    assert_eq!((own.status(), header(&own, "x-call-id")), (Some(202), None));
}

#[tokio::test]
async fn the_callback_gets_what_the_function_answers() {
    let gateway = OpenFaas::start().await.unwrap();
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/done?a=1", receiver.local_addr().unwrap());
    for (name, status) in [("mirror", "200"), ("no-such-function", "404")] {
        let headers = format!("content-length: 0\r\nx-call-id: mine\r\nx-callback-url: {url}\r\n");
        exchange(&gateway, &format!("POST /async-function/{name}"), &headers).await;
        let (stream, _) = receiver.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            stream.readable().await.unwrap();
            // Not ready after all is no error.
            stream.try_read_buf(&mut request).ok();
        }
        stream.try_write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        let head = String::from_utf8(request).unwrap();
        assert!(head.starts_with("POST /done?a=1 HTTP/1.1\r\n"), "{head}");
        for line in [
            "x-call-id: mine".to_owned(),
            format!("x-function-name: {name}"),
            format!("x-function-status: {status}"),
            "user-agent: Go-http-client/1.1".to_owned(),
        ] {
            assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
        }
    }
}
