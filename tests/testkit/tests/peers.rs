//! Shows that the launchers start their peers, and that these behave as the tests of the kinds rely on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, process::Stdio};

use callgate_testkit::peers::{AwsPeer, LocalStack, MiniStack, Python, present};

const GREETING: &str = "def handler(event, context):\n    return {'hello': event.get('name', 'you')}\n";

/// Invokes through boto3, an independent client, and answers `status payload` or the name of the error.
fn invoke(peer: &AwsPeer, secret: &str, function: &str, qualifier: &str) -> String {
    const SCRIPT: &str = r#"
import boto3, os, sys
from botocore.config import Config
from botocore.exceptions import ClientError
endpoint, region, key, secret, function, qualifier = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint, region_name=region, aws_access_key_id=key,
    aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}))
try:
    extra = {"Qualifier": qualifier} if qualifier else {}
    answer = client.invoke(FunctionName=function, Payload=b'{"name": "Ada"}', **extra)
    print(answer["StatusCode"], answer["Payload"].read().decode())
except ClientError as error:
    print(error.response["Error"]["Code"])
"#;
    let output = Python::find()
        .unwrap()
        .command()
        .args(["-c", SCRIPT, &peer.endpoint, &peer.region, &peer.access_key_id, secret, function, qualifier])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().replace(": ", ":")
}

fn greeted(answer: &str) -> bool {
    answer == r#"200 {"hello":"Ada"}"#
}

#[tokio::test]
async fn ministack_runs_functions_and_checks_who_calls() {
    let Some(peer) = present(MiniStack::start().await) else { return };
    let arn = peer.create_function("greet", GREETING, "python3.11").await.unwrap();
    assert!(arn.ends_with(":function:greet"), "{arn}");
    let version = peer.create_alias("greet", "live").await.unwrap();

    let secret = peer.secret_access_key.as_str();
    for qualifier in ["", "live", &version] {
        let answer = invoke(&peer, secret, "greet", qualifier);
        assert!(greeted(&answer), "{answer}");
    }
    assert_eq!(invoke(&peer, "wrong", "greet", ""), "InvalidSignatureException");
    assert_eq!(invoke(&peer, secret, "nobody", ""), "ResourceNotFoundException");
    peer.set_reserved_concurrency("greet", 0).await.unwrap();
    assert_eq!(invoke(&peer, secret, "greet", ""), "TooManyRequestsException");
}

#[tokio::test]
async fn ministack_refuses_a_user_without_a_policy() {
    let Some(mut peer) = present(MiniStack::start().await) else { return };
    peer.create_function("greet", GREETING, "python3.11").await.unwrap();
    let nobody = peer.create_user("nobody", None).await.unwrap();
    peer.access_key_id = nobody.access_key_id;
    let answer = invoke(&peer, &nobody.secret_access_key, "greet", "");
    assert!(answer.starts_with("AccessDenied"), "{answer}");
}

#[tokio::test]
async fn ministack_runs_node_and_bootstraps() {
    let Some(peer) = present(MiniStack::start().await) else { return };
    let secret = peer.secret_access_key.as_str();
    let node = "exports.handler = async (event) => ({ hello: event.name });\n";
    peer.create_function("node", node, "nodejs20.x").await.unwrap();
    assert!(greeted(&invoke(&peer, secret, "node", "")));
    let shell = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while id=$(curl -sD - -o /dev/null "$api/next" | tr -d '\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip'); do
    [ -n "$id" ] || exit 1
    curl -s -d '{"hello":"Ada"}' "$api/$id/response" >/dev/null
done
"#;
    peer.create_function("shell", shell, "provided.al2023").await.unwrap();
    assert!(greeted(&invoke(&peer, secret, "shell", "")));
}

#[tokio::test]
async fn localstack_runs_functions_without_containers() {
    let Some(peer) = present(LocalStack::start().await) else { return };
    peer.create_function("greet", GREETING, "python3.11").await.unwrap();
    peer.create_alias("greet", "live").await.unwrap();
    let secret = peer.secret_access_key.as_str();
    for qualifier in ["", "live"] {
        let answer = invoke(&peer, secret, "greet", qualifier);
        assert!(greeted(&answer), "{answer}");
    }
    assert_eq!(invoke(&peer, secret, "nobody", ""), "ResourceNotFoundException");
}

#[tokio::test]
async fn localstack_is_filled_by_the_seed_script() {
    let Some(peer) = present(LocalStack::start().await) else { return };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../localstack/seed.py");
    let mut seed = Python::find().unwrap().command();
    let output = seed.arg(script).args(["--endpoint", &peer.endpoint]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = invoke(&peer, &peer.secret_access_key, "echo", "live");
    assert!(answer.starts_with("200") && answer.contains("Ada"), "{answer}");
}
