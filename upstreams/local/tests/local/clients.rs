//! Bootstraps that were made for AWS Lambda.

use std::path::Path;

use callgate_testkit::peers::{Python, absent};
use serde_json::json;

use crate::site::Site;

const SHELL: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D headers "$api/next") || exit 1
  id=$(grep -i '^lambda-runtime-aws-request-id:' headers | tr -d '\r' | cut -d' ' -f2)
  path=$(printf '%s' "$event" | sed 's/.*"rawPath":"\([^"]*\)".*/\1/')
  curl -sS -o /dev/null "$api/$id/response" -d "{\"statusCode\": 200, \"body\": \"$_HANDLER saw $path\"}"
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_bootstrap_is_served() {
    let options = "command: sh './boot strap', handler: run.sh";
    let site = Site::start(&[("sh", options)], &[("boot strap", SHELL)]).await;
    for path in ["/sh/a", "/sh/b"] {
        assert_eq!(site.get(path).await.body, format!("run.sh saw {path}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn awslambdaric_is_served() {
    let python = match Python::find().and_then(|python| python.program("python")) {
        Ok(python) => python,
        Err(missing) => return absent(missing),
    };
    let source = "import time\n\
                  def hello(event, context):\n    \
                  if event['rawPath'].endswith('fail'):\n        raise KeyError('lost')\n    \
                  return {'statusCode': 200, 'body': context.function_name + ' ' + context.aws_request_id}\n";
    let command = format!("command: [{python:?}, -m, awslambdaric, app.hello]");
    let broken = format!("command: [{python:?}, -m, awslambdaric, app.nothing]");
    let site = Site::start(&[("ric", &command), ("broken", &broken)], &[("app.py", source)]).await;
    for _ in 0..3 {
        let answer = site.get("/ric/x").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.starts_with("ric ") && answer.body.len() == 36, "{answer:?}");
    }
    site.fails("/ric/fail", 502, "function_error").await;
    site.fails("/broken/x", 502, "function_error").await;
    assert_eq!(site.get("/ric/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    let site = Site::load(&folder.join("callgate.yaml")).await;
    assert_eq!(site.get("/hello/ada").await.json(), json!({"message": "Hello, ada!"}));
}
