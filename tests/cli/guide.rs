//! What docs/custom-upstreams.md says fits what `callgate new upstream` writes. That the result compiles and passes its suite is
//! shown by `tests/skeleton`.

use std::path::Path;

use super::{callgate, ran};

fn guide() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/custom-upstreams.md")).expect("the guide")
}

/// The blocks of a language, in their order.
fn blocks<'a>(guide: &'a str, info: &str) -> Vec<&'a str> {
    let begin = format!("```{info}\n");
    guide.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_guide_names_the_files_that_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = ran(callgate(&["new", "upstream", "lines"]).current_dir(folder.path()));
    assert_eq!(written.code, Some(0), "{}", written.err);
    let made = folder.path().join("callgate-lines");
    let guide = guide();
    let named = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(file, _)| file));
    let files: Vec<_> = named.filter(|name| name.contains('/')).collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        assert!(made.join(file).is_file(), "{file}");
    }
}

#[test]
fn the_places_that_the_guide_changes_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(ran(callgate(&["new", "upstream", "lines"]).current_dir(folder.path())).code, Some(0));
    let read = |file: &str| {
        std::fs::read_to_string(folder.path().join("callgate-lines/src").join(file)).expect("what was written")
    };
    assert!(read("config.rs").contains("    pub token: Option<Secret>,\n}\n"), "below which an option is put");
    let lib = read("lib.rs");
    let exchange = lib.split("async fn exchange").nth(1).expect("the function that connects");
    assert!(exchange.contains("TcpStream::connect(&self.config.address).await"), "the line that is replaced");
    let guide = guide();
    let [connects] = blocks(&guide, "rust lib.rs")[..] else { panic!("one place") };
    assert!(connects.contains("LinesError::Unreachable") && lib.contains("LinesError::Unreachable"), "the name there");
    assert_eq!(blocks(&guide, "rust config.rs").len(), 2);
    let manifest = std::fs::read_to_string(folder.path().join("callgate-lines/Cargo.toml")).expect("the manifest");
    let [tokio] = blocks(&guide, "toml Cargo.toml")[..] else { panic!("one line") };
    let without = tokio.trim_end().replace(", \"time\"", "");
    assert_ne!(without, tokio.trim_end());
    assert!(manifest.contains(&without), "{manifest}");
}

#[test]
fn the_remote_of_the_guide_answers_what_the_guide_says() {
    let guide = guide();
    let [script] = blocks(&guide, "python lines.py")[..] else { panic!("one script") };
    // A port of the test's own, and the one line that a call is.
    let port = callgate_testkit::peers::free_port().expect("a port");
    let script = script.replace("7000", &port.to_string());
    let mut remote = std::process::Command::new("python3").args(["-c", &script]).spawn().expect("Python runs");
    let end = std::time::Instant::now() + super::serving::PATIENCE;
    let mut stream = loop {
        match std::net::TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(std::time::Instant::now() < end, "{error}"),
        }
        std::thread::yield_now();
    };
    let mut reply = String::new();
    let call = b"{\"function\": \"hello\", \"path\": \"/hello/ada\"}\n";
    std::io::Write::write_all(&mut stream, call).expect("sent");
    std::io::Read::read_to_string(&mut stream, &mut reply).expect("an answer");
    remote.kill().expect("killed");
    remote.wait().expect("ended");
    let told: serde_json::Value = serde_json::from_str(&reply).expect("JSON");
    let answer = format!("http://127.0.0.1:8080/hello/ada\n{}", told["body"].as_str().expect("text"));
    assert!(guide.contains(&answer), "{answer}");
}
