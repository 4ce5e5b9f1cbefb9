//! The end of the process, through the real binary.

use callgate_testkit::peers::{Process, Wire};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::{gate::SOON, running::Running};

/// A service that takes a request and never answers, and a gateway in front of it with a request under way.
async fn busy(shutdown: &str) -> (TcpStream, Running, Wire) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut running = Running::start(&format!(
        "shutdown: {shutdown}\nupstreams: {{s: {{rest: {{url: 'http://{}'}}}}}}\nroutes: [{{match: /a, to: s, timeout: 10m}}]\n",
        silent.local_addr().unwrap()
    ))
    .await;
    let mut wire = Wire::connect(running.address("public").await).await.unwrap();
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let (asked, _) = silent.accept().await.unwrap();
    (asked, running, wire)
}

#[tokio::test]
async fn a_drain_that_had_to_force_says_so_by_the_exit_code() {
    let (_asked, mut running, mut wire) = busy("{lame_duck: 0s, grace: 300ms}").await;
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(1));
    let line = running.says("The time to drain was over; connections were cut.").await;
    assert_eq!(line["cut"], 1, "{line}");
    assert!(wire.read_to_end(SOON).await.bytes.is_empty(), "what is cut never looks complete");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (_asked, mut running, _wire) = busy("{lame_duck: 10m, grace: 10m}").await;
    running.signal("-TERM");
    running.says("Draining.").await;
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(1));
}

#[tokio::test]
async fn nothing_is_reloaded_any_more_while_the_gateway_ends() {
    let (_asked, mut running, _wire) = busy("{lame_duck: 10m, grace: 10m}").await;
    running.signal("-TERM");
    running.says("Draining.").await;
    running.configure("routes: [{match: /a, respond: {status: 204}}]\n");
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["report"]), (409, &json!("the gateway is shutting down")), "{told}");
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(1));
}

#[tokio::test]
async fn the_shutdown_of_the_configuration_in_force_holds() {
    let (_asked, mut running, _wire) = busy("{lame_duck: 10m, grace: 10m}").await;
    running.configure("shutdown: {lame_duck: 0s, grace: 100ms}\nroutes: [{match: /b, respond: {status: 204}}]\n");
    let (status, _) = running.reload().await;
    assert_eq!(status, 200);
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(1));
}

#[tokio::test]
async fn a_signal_that_comes_while_the_configuration_is_loaded_is_taken() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Process::folder("gateway").unwrap();
    let yaml = format!(
        "upstreams: {{s: {{rest: {{url: 'http://{0}', openapi: 'http://{0}/openapi.json'}}}}}}\nroutes: [{{match: /a, to: s}}]\n",
        silent.local_addr().unwrap()
    );
    std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
    let mut loading = Running::begin(folder, "callgate.yaml");
    // The description is asked for, which takes as long as the service likes.
    let (_asked, _) = silent.accept().await.unwrap();
    loading.signal("-HUP");
    loading.signal("-TERM");
    assert_eq!(loading.ended().await, Some(0));
    loading.says("Ended before anything was served.").await;
}
