//! Against MiniStack, which checks signatures and policies.

use std::time::Duration;

use callgate_core::Discovered;
use callgate_testkit::peers::{AwsPeer, MiniStack, PeerError, absent, until};
use serde_json::json;
use tokio::runtime::Handle;

use crate::{
    functions,
    gateway::{Bed, plan},
    suite,
};

async fn start() -> Option<AwsPeer> {
    match MiniStack::start().await {
        Ok(peer) => Some(peer),
        Err(missing @ PeerError::Missing { .. }) => {
            absent(missing);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// One test, because each instance takes a second and all cases can share one.
#[tokio::test(flavor = "multi_thread")]
async fn functions_are_invoked_with_checked_signatures() {
    let Some(peer) = start().await else { return };
    let bed = suite::start(&peer).await;
    bed.ready("aws").await.unwrap();
    suite::run(&bed).await;
    a_streaming_call_is_signed_and_answered(&bed).await;
    refused_credentials_are_not_the_clients_business(&peer).await;
    a_role_is_assumed(&peer).await;
    queued_events_really_run(&peer).await;
    the_guides_example_works_as_written(&peer).await;
    functions_and_aliases_are_listed(&peer).await;
}

async fn functions_and_aliases_are_listed(peer: &AwsPeer) {
    let upstream = suite::lambda(peer, &peer.access_key_id, &peer.secret_access_key);
    let document = format!("upstreams: {{aws: {upstream}}}\nroutes: []");
    let listing = plan(&document).unwrap().discover("aws", &Handle::current()).await.unwrap();
    let names: Vec<_> = listing.functions().iter().map(Discovered::name).collect();
    for name in ["fails", "http", "raw", "raw:live"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let nobody = peer.create_user("lists-nothing", None).await.unwrap();
    let upstream = suite::lambda(peer, &nobody.access_key_id, &nobody.secret_access_key);
    let document = format!("upstreams: {{aws: {upstream}}}\nroutes: []");
    let error = plan(&document).unwrap().discover("aws", &Handle::current()).await.unwrap_err().to_string();
    assert!(error.contains("AccessDenied"), "{error}");
}

async fn the_guides_example_works_as_written(peer: &AwsPeer) {
    peer.create_function("echo", functions::HTTP, "python3.11").await.unwrap();
    let guide = include_str!("../../../../docs/upstreams/lambda.md");
    let examples = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let address = "http://127.0.0.1:4566";
    let example = examples.into_iter().find(|example| example.contains(address)).unwrap();
    let bed = Bed::start(&example.replace(address, &peer.endpoint)).await;
    let answer = bed.get("/any/path").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["event"]["rawPath"]), (201, &json!("/any/path")));
}

/// MiniStack sends a reply in one chunk, and a failure as if it were one; the rest is shown with the runtime of Rust.
async fn a_streaming_call_is_signed_and_answered(bed: &Bed) {
    let answer = bed.get("/stream").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-from")), (201, Some("function")), "{answer:?}");
}

async fn refused_credentials_are_not_the_clients_business(peer: &AwsPeer) {
    let nobody = peer.create_user("nobody", None).await.unwrap();
    for (key, secret) in [
        (&*peer.access_key_id, "not-the-secret"),
        ("AKIAUNKNOWN000000000", "x"),
        (&nobody.access_key_id, &nobody.secret_access_key),
    ] {
        let upstream = suite::lambda(peer, key, secret);
        let bed = Bed::start(&format!("upstreams: {{aws: {upstream}}}\nroutes: [{{match: /, to: aws/http}}]")).await;
        let answer = bed.get("/").await;
        answer.is_problem(502, "upstream_denied");
        for hidden in [key, secret, "arn:", "Signature"] {
            assert!(!answer.text().contains(hidden), "{answer:?}");
        }
    }
}

async fn a_role_is_assumed(peer: &AwsPeer) {
    let invoke = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"},
    ]});
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}},
    }]});
    let role = peer.create_role("invoker", Some(&invoke), Some(&trust)).await.unwrap();
    for (id, status) in [("agreed", 201), ("guessed", 502)] {
        let upstream = json!({"lambda": {
            "region": peer.region,
            "endpoint": peer.endpoint,
            "credentials": {"access_key_id": peer.access_key_id, "secret_access_key": peer.secret_access_key},
            "assume_role": {"arn": role, "external_id": id, "endpoint": peer.endpoint},
        }});
        let bed = Bed::start(&format!("upstreams: {{aws: {upstream}}}\nroutes: [{{match: /, to: aws/http}}]")).await;
        let answer = bed.get("/").await;
        if status == 201 {
            assert_eq!(answer.status, 201, "{answer:?}");
            bed.ready("aws").await.unwrap();
        } else {
            assert!(answer.header("callgate-error").is_some_and(|code| code.starts_with("upstream_")), "{answer:?}");
            let reason = bed.ready("aws").await.unwrap_err();
            assert!(reason.contains("no AWS credentials") && reason.contains("AccessDenied"), "{reason}");
        }
    }
}

async fn queued_events_really_run(peer: &AwsPeer) {
    peer.create_function("marks", functions::MARKS, "python3.11").await.unwrap();
    let upstream = suite::lambda(peer, &peer.access_key_id, &peer.secret_access_key);
    let route = "{match: POST /, to: {upstream: aws, function: marks, payload: raw, invocation: event}}";
    let bed = Bed::start(&format!("upstreams: {{aws: {upstream}}}\nroutes: [{route}]")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marks");
    assert_eq!(bed.post("/", &json!({"file": file, "mark": "x"})).await.status, 202);
    let marked = until(Duration::from_secs(30), async || std::fs::read_to_string(&file).is_ok_and(|text| text == "x"));
    assert!(marked.await, "the function left no mark");
}
