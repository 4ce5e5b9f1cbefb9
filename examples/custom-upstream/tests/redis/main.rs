//! What the suite does not show: the binary, the schema, and the configurations of the documentation.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod triggers;

use std::{path::Path, process::Command};

use callgate_testkit::peers::{RedisServer, present};
use serde_json::Value;

/// The binary of this crate: Callgate with one kind more.
fn callgate(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate-redis"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_kind_is_one_of_the_binary() {
    let (code, out, _) = callgate(&["kinds"]);
    assert_eq!(code, Some(0));
    for kind in ["redis ", "lambda ", "echo "] {
        assert!(out.lines().any(|line| line.starts_with(kind)), "{out}");
    }
    assert!(out.contains("entries of a Redis stream, at least once"), "{out}");
}

#[test]
fn the_schema_has_the_kinds_own_options() {
    let (_, out, _) = callgate(&["schema"]);
    let schema: Value = serde_json::from_str(&out).expect("JSON");
    let kinds = schema["$defs"]["Upstream"]["oneOf"].as_array().expect("one shape for each kind");
    let redis = kinds.iter().find(|shape| shape["required"][0] == "redis").expect("the kind");
    assert!(redis["properties"]["discover"].is_object() || redis.to_string().contains("discover"), "{redis}");
    assert!(out.contains("max_payload") && out.contains("max_length"), "its options");
}

#[test]
fn a_wrong_option_is_told_at_its_line_like_any_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("callgate.yaml");
    for (settings, stream, expected) in [
        ("ulr: 'redis://a'", "a", ["did you mean `url`?", ":2:15"]),
        ("url: 'redis://a'", "a b", ["has no white space", ":4:43"]),
    ] {
        let yaml = format!(
            "upstreams:\n  e: {{redis: {{{settings}}}}}\nroutes:\n  - {{match: /a, to: {{upstream: e, stream: '{stream}'}}}}\n"
        );
        std::fs::write(&file, yaml).expect("written");
        let (code, _, err) = callgate(&["check", file.to_str().expect("a path")]);
        assert_eq!(code, Some(1));
        assert!(expected.iter().all(|expected| err.contains(expected)), "{expected:?}: {err}");
    }
}

#[test]
fn the_configurations_are_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README");
    let blocks = readme.split("```yml\n").skip(1).map(|rest| rest.split("```").next().expect("an end"));
    let mut files = vec!["redis.yaml".to_owned()];
    for (number, block) in blocks.enumerate() {
        let file = folder.path().join(format!("{number}.yaml"));
        std::fs::write(&file, block).expect("written");
        files.push(file.to_str().expect("a path").to_owned());
    }
    assert_eq!(files.len(), 3, "the two blocks of the README");
    for file in files {
        let (code, _, err) = callgate(&["check", &file]);
        assert_eq!(code, Some(0), "{file}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_discovered_with_their_lengths_and_told_when_they_are_missing() {
    let Some(server) = present(RedisServer::start().await) else { return };
    let client = redis::Client::open(server.url()).expect("a client");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    for stream in ["orders", "orders", "quotes"] {
        let mut add = redis::cmd("XADD");
        add.arg(stream).arg("*").arg("payload").arg("x").query_async::<String>(&mut connection).await.expect("added");
    }
    redis::cmd("SET").arg("counter").arg("1").query_async::<()>(&mut connection).await.expect("set");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("callgate.yaml");
    let yaml = format!(
        "upstreams:\n  e: {{redis: {{url: '{}'}}, discover: true}}\nroutes:\n  - {{match: /a, to: e/orders}}\n  - {{match: /b, to: e/ordres}}\n",
        server.url()
    );
    std::fs::write(&file, yaml).expect("written");
    let file = file.to_str().expect("a path");
    let (code, out, err) = callgate(&["discover", file, "e"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, "functions:\n  orders: {stream: orders}  # 2 entries\n  quotes: {stream: quotes}  # 1 entry\n");
    let (code, _, err) = callgate(&["check", file, "--connect"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("ordres") && err.contains("orders"), "{err}");
}
