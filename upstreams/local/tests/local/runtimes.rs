//! The built-in bootstraps.

use serde_json::json;

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn python_functions_see_event_context_and_environment() {
    let source = "import os\ndef see(event, context):\n    return {'id': context.aws_request_id, 'event': event['requestContext']['requestId'], \
                  'name': context.function_name, 'arn': context.invoked_function_arn, 'left': context.get_remaining_time_in_millis(), \
                  'environment': sorted(os.environ), 'rest': event['pathParameters'], 'cwd': os.getcwd()}\n";
    let site = Site::start(
        &[
            ("see", "runtime: python3, handler: deep/see.see, timeout: 30s, environment: {OWN: mine}"),
            ("quick", "runtime: python3, handler: quick.go, payload: raw"),
        ],
        &[("quick.py", "def go(event, context):\n    return [event, 'Zo\\u00eb']\n"), ("deep/see.py", source)],
    )
    .await;
    let seen = site.get("/see/a%20b/c").await.json();
    assert_eq!(seen["id"], seen["event"]);
    assert_eq!(seen["name"], "see");
    assert_eq!(seen["arn"], "arn:aws:lambda:us-east-1:000000000000:function:see");
    assert_eq!(seen["rest"], json!({"rest": "a b/c"}));
    let left = seen["left"].as_u64().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
    let names: Vec<_> = seen["environment"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(
        names.contains(&"OWN") && names.contains(&"AWS_LAMBDA_RUNTIME_API") && names.contains(&"PATH"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");

    assert_eq!(site.get("/quick/").await.json(), json!([{}, "Zo\u{eb}"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_functions_are_async_callback_esm_or_commonjs() {
    let site = Site::start(
        &[
            ("esm", "runtime: node, handler: esm.hello"),
            ("cjs", "runtime: node, handler: cjs.hello"),
            ("fail", "runtime: node, handler: esm.fail"),
        ],
        &[
            (
                "esm.mjs",
                "export async function hello(event, context) { return { statusCode: 201, body: context.functionName + event.rawPath } }\n\
                 export async function fail() { throw new TypeError('no') }\n",
            ),
            ("cjs.js", "exports.hello = (event, context, done) => setTimeout(() => done(null, 'called back'), 1);\n"),
        ],
    )
    .await;
    let answer = site.get("/esm/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (201, "esm/esm/x"));
    assert_eq!(site.get("/cjs/x").await.body, "called back");
    site.fails("/fail/x", 502, "function_error").await;
    site.fails("/fail/x", 502, "function_error").await;
}
