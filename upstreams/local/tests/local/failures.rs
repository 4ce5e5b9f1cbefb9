//! What goes wrong in a function, and that the next call is served.

use crate::site::{Site, gone};

const FAILING: &str = r#"
import os, sys, time

count = 0

def counting(event, context):
    global count
    count += 1
    return {"count": count, "pid": os.getpid()}

def do(event, context):
    what = event["pathParameters"]["rest"]
    if what == "raise":
        raise ValueError("no such value")
    if what == "exit":
        print("going down", file=sys.stderr)
        os._exit(3)
    if what == "sys-exit":
        sys.exit(4)
    if what == "kill":
        os.kill(os.getpid(), 9)
    if what == "hang":
        time.sleep(600)
    if what == "chatter":
        while True:
            print("x" * 200)
    if what == "eat":
        global eaten
        eaten = [bytearray(b"x" * 1_000_000) for _ in range(400)]
        time.sleep(600)
    if what == "nonsense":
        return {"statusCode": "none"}
    if what == "unserialisable":
        return {"a": {1, 2}}
    return counting(event, context)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_breaks_is_replaced() {
    let options = "runtime: python3, handler: failing.do, processes: {max: 1}";
    let site = Site::start(&[("do", options)], &[("failing.py", FAILING)]).await;
    let first = site.get("/do/count").await.json();
    assert_eq!(first["count"], 1);

    // What the function reports leaves its process alone.
    site.fails("/do/raise", 502, "function_error").await;
    site.fails("/do/unserialisable", 502, "function_error").await;
    site.fails("/do/nonsense", 502, "bad_upstream_reply").await;
    let same = site.get("/do/count").await.json();
    assert_eq!((&same["count"], &same["pid"]), (&2.into(), &first["pid"]));

    for end in ["exit", "sys-exit", "kill"] {
        site.fails(&format!("/do/{end}"), 502, "function_error").await;
        assert_eq!(site.get("/do/count").await.json()["count"], 1, "after {end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_is_killed() {
    let options = "runtime: python3, handler: failing.do, timeout: 700ms, processes: {max: 1}";
    let site = Site::start(&[("do", options)], &[("failing.py", FAILING)]).await;
    let process = site.get("/do/count").await.json()["pid"].to_string();
    site.fails("/do/hang", 504, "upstream_timeout").await;
    assert!(gone(&process).await);
    for _ in 0..2 {
        assert_eq!(site.get("/do/count").await.json()["count"], 1);
        site.fails("/do/chatter", 504, "upstream_timeout").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_needs_too_much_memory_is_killed() {
    let options = "runtime: python3, handler: failing.do, memory_limit: 120MiB";
    let site = Site::start(&[("do", options)], &[("failing.py", FAILING)]).await;
    let process = site.get("/do/count").await.json()["pid"].to_string();
    site.fails("/do/eat", 502, "function_error").await;
    assert!(gone(&process).await);
    assert_eq!(site.get("/do/count").await.json()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_start_is_an_error_of_the_function() {
    let site = Site::start(
        &[
            ("unnamed", "runtime: python3, handler: failing.unnamed"),
            ("broken", "runtime: node, handler: broken.run"),
            ("path", "command: no-such-bootstrap"),
            ("silent", "command: [sh, -c, 'echo no >&2; exit 7']"),
        ],
        &[("failing.py", FAILING), ("broken.mjs", "export const run = ;")],
    )
    .await;
    for function in ["unnamed", "broken", "path", "silent"] {
        site.fails(&format!("/{function}/x"), 502, "function_error").await;
        site.fails(&format!("/{function}/x"), 502, "function_error").await;
    }
    let ready = site.gateway.snapshot().ready().await;
    let error = ready["at"].as_ref().unwrap_err().to_string();
    assert!(error.contains("no-such-bootstrap"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_names_must_be_there_at_load() {
    for (options, says) in [
        ("runtime: python3, handler: nothing.here", "nothing.py"),
        ("command: ./no/bootstrap", "no/bootstrap"),
        ("command: x, directory: none", "there is no folder"),
    ] {
        let error = Site::refused(options).await;
        assert!(error.contains(says) && error.contains("callgate.yaml:"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_broken_body_is_no_failure_of_the_function() {
    let options = "runtime: python3, handler: failing.counting";
    let site = Site::start(&[("count", options)], &[("failing.py", FAILING)]).await;
    let answer = site.post_broken("/count/x").await;
    assert_eq!((answer.status, answer.code.as_deref()), (400, Some("bad_request")), "{answer:?}");
    assert_eq!(site.get("/count/x").await.json()["count"], 1, "the function saw a part of a body");
}

const LARGE: &str = r#"
def large(event, context):
    return {"statusCode": 200, "body": "x" * 3000}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_over_the_limit_is_not_taken_for_the_request() {
    let options = "runtime: python3, handler: large.large";
    let site =
        Site::with("limits: {max_body: 1KiB}, timeout: 60s", &[("large", options)], &[("large.py", LARGE)]).await;
    site.fails("/large/x", 502, "bad_upstream_reply").await;
}
