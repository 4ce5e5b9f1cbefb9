//! The functions that the tests invoke, in Python.

/// Answers as an HTTP integration, with the event that it saw in the body.
pub(crate) const HTTP: &str = r#"
import json

def handler(event, context):
    return {
        "statusCode": 201,
        "headers": {"x-from": "function", "content-type": "application/json"},
        "cookies": ["a=1", "b=2"],
        "body": json.dumps({"event": event, "version": context.function_version}),
    }
"#;

/// Answers with the event and the version that ran.
pub(crate) const RAW: &str = r#"
def handler(event, context):
    print("hello from the function")
    return {"got": event, "version": context.function_version}
"#;

/// Fails.
pub(crate) const FAILS: &str = r#"
def handler(event, context):
    raise ValueError("the inner reason")
"#;

/// Answers outside the contract of an HTTP integration.
pub(crate) const GARBAGE: &str = r#"
def handler(event, context):
    return {"statusCode": "nope", "body": "x"}
"#;

/// Leaves a mark in the file that the event names.
pub(crate) const MARKS: &str = r#"
def handler(event, context):
    with open(event["file"], "a") as file:
        file.write(event["mark"])
"#;
