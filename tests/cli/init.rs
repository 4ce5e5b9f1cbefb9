//! `callgate init`: what it writes is valid, runs as it is, and replaces nothing.

use std::path::Path;

use super::{
    Ran, callgate, on, ran,
    serving::{Running, request},
};

const KINDS: [&str; 11] =
    ["echo", "rest", "lambda", "local", "gcf", "azure", "openfaas", "nats", "amqp", "grpc", "soap"];

fn init(folder: &Path, arguments: &[&str]) -> Ran {
    ran(callgate(&[&["init"], arguments].concat()).current_dir(folder))
}

#[test]
fn there_is_a_valid_beginning_for_every_kind() {
    for kind in KINDS {
        let folder = tempfile::tempdir().expect("a folder");
        let written = init(folder.path(), &["--kind", kind]);
        assert_eq!(written.code, Some(0), "{kind}: {}", written.err);
        let checked = on(folder.path(), &["check"], &[]);
        assert_eq!(checked.code, Some(0), "{kind}: {}", checked.err);
        assert!(!checked.out.contains("warning"), "{kind}: {}", checked.out);
        let tested = on(folder.path(), &["test"], &[]);
        assert_eq!(tested.code, Some(0), "{kind}: {}", tested.out);
        let text = std::fs::read_to_string(folder.path().join("callgate.yaml")).expect("written");
        assert!(text.contains(&format!("{kind}: {{")), "{text}");
    }
}

#[test]
fn the_kinds_that_need_nothing_answer_at_once() {
    for (kind, expected) in [("echo", r#""path":"/hello/ada""#), ("local", r#"{"message": "Hello, ada!"}"#)] {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(init(folder.path(), &["--kind", kind]).code, Some(0));
        let file = folder.path().join("callgate.yaml");
        let text = std::fs::read_to_string(&file).expect("written");
        // The only change: ports of its own, as other tests run beside it.
        let text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:9901", "127.0.0.1:0");
        std::fs::write(&file, format!("shutdown: {{lame_duck: 0s}}\n{text}")).expect("written");
        let mut running = Running::start(folder.path(), &[]);
        let address = running.address("Listening.");
        let (head, body) = request(address, "GET /hello/ada");
        assert!(head.starts_with("HTTP/1.1 200 ") && body.contains(expected), "{kind}: {head}\n{body}");
        assert_eq!(request(address, "GET /ping").1, "pong");
        running.signal("-TERM");
        assert_eq!(running.ended(), Some(0));
    }
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    for taken in ["mine.yaml", "hello.py"] {
        std::fs::write(folder.path().join(taken), "precious").expect("written");
        let refused = init(folder.path(), &["mine.yaml", "--kind", "local"]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
        assert!(refused.err.contains(taken) && refused.err.contains("not overwritten"), "{}", refused.err);
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(files.len(), 1, "all or nothing: {files:?}");
        assert_eq!(std::fs::read_to_string(folder.path().join(taken)).expect("there"), "precious");
        std::fs::remove_file(folder.path().join(taken)).expect("removed");
    }
}

#[test]
fn an_unknown_kind_is_a_usage_error_that_names_the_nearest() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = init(folder.path(), &["--kind", "lamda"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("did you mean `lambda`?"), "{}", refused.err);
}

#[test]
fn it_says_what_to_do_next_with_the_file_that_was_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = init(folder.path(), &["gateway.yaml"]);
    assert!(written.out.contains("callgate run gateway.yaml"), "{}", written.out);
    let text = std::fs::read_to_string(folder.path().join("gateway.yaml")).expect("written");
    assert!(text.contains("callgate check gateway.yaml"), "{text}");
}
