//! `callgate run`, through sockets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{callgate, configured, ran};

/// How long anything may take on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs, with its log as it comes.
pub(super) struct Running {
    child: Child,
    lines: mpsc::Receiver<Value>,
    seen: Vec<Value>,
}

impl Running {
    pub(super) fn start(folder: &Path, more: &[&str]) -> Self {
        let mut arguments = vec!["run", "callgate.yaml", "--workers", "2"];
        arguments.extend_from_slice(more);
        let mut child =
            callgate(&arguments).current_dir(folder).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line of the log for which the condition holds.
    pub(super) fn line(&mut self, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        if let Some(line) = self.seen.iter().find(|line| holds(line)) {
            return line.clone();
        }
        let end = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push(line.clone());
            if holds(&line) {
                return line;
            }
        }
        panic!("no line {wanted} in {:#?}", self.seen);
    }

    /// The address that a listener, or the admin, really has.
    pub(super) fn address(&mut self, message: &str) -> SocketAddr {
        let line = self.line(message, |line| line["message"] == message);
        line["address"].as_str().and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    }

    pub(super) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end; gives the exit code.
    pub(super) fn ended(mut self) -> Option<i32> {
        self.line("Ended.", |line| line["message"] == "Ended." || line["level"] == "ERROR");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends one request and reads to the end of the connection; gives head and body.
pub(super) fn request(address: SocketAddr, line: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "{line} HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    (head.to_owned(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default()
}

#[test]
fn the_quickstart_prints_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("examples/quickstart");
    let yaml = std::fs::read_to_string(example.join("callgate.yaml")).expect("the example");
    let folder =
        configured(&format!("listeners: {{public: {{address: '127.0.0.1:0'}}}}\nshutdown: {{lame_duck: 0s}}\n{yaml}"));
    std::fs::copy(example.join("hello.py"), folder.path().join("hello.py")).expect("the function");
    let mut running = Running::start(folder.path(), &[]);
    let address = running.address("Listening.");

    let (head, body) = request(address, "GET /hello/ada");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, r#"{"message": "Hello, ada!"}"#);
    let printed = running.line("of the function", |line| line["message"] == "greeting ada");
    assert_eq!(printed["request_id"], header(&head, "x-request-id"));
    let (head, _) = request(address, "POST /hello/ada");
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");

    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    assert!(readme.contains(&format!("$ curl -s http://127.0.0.1:8080/hello/ada\n{body}\n")));

    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
}

#[test]
fn a_failure_is_told_to_the_client_and_its_reason_to_the_log() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nupstreams: {gone: {rest: {url: 'http://127.0.0.1:1'}}}\nroutes: [{match: /a, to: gone, name: lost}]\n",
    );
    let mut running = Running::start(folder.path(), &[]);
    let address = running.address("Listening.");
    let (head, body) = request(address, "GET /a");
    assert_eq!(header(&head, "callgate-error"), "upstream_unreachable");
    assert!(!body.contains("127.0.0.1"), "no internal address is told: {body}");
    let id = header(&head, "x-request-id").to_owned();
    let line = running.line("of the failure", |line| line["request_id"] == *id);
    assert_eq!((&line["route"], &line["code"]), (&"lost".into(), &"upstream_unreachable".into()));
    assert!(line["error"].as_str().is_some_and(|error| error.contains("127.0.0.1:1")), "{line}");
}

#[test]
fn the_access_log_has_a_line_for_each_request_when_it_is_on() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nroutes: [{match: /a, respond: {body: {text: hello}}, name: greeting}]\n",
    );
    let mut running = Running::start(folder.path(), &["--log", "info,callgate::access=info"]);
    let address = running.address("Listening.");
    request(address, "GET /a?secret=1");
    let line = running.line("of the access log", |line| line["target"] == "callgate::access");
    for (field, expected) in [
        ("method", Value::from("GET")),
        ("path", "/a".into()),
        ("status", 200.into()),
        ("route", "greeting".into()),
        ("bytes", 5.into()),
        ("complete", true.into()),
        ("client", "127.0.0.1".into()),
        ("listener", "public".into()),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
}

#[test]
fn the_admin_tells_readiness_routes_and_the_masked_configuration() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nadmin: {address: '127.0.0.1:0'}\nshutdown: {lame_duck: 60s}\nroutes: [{match: /a, respond: {headers: {set: {x-key: '${KEY:-}${SECRET_KEY}'}}}}]\n",
    );
    let folder_path = folder.path();
    let missing = ran(callgate(&["check", "callgate.yaml"]).current_dir(folder_path));
    assert_eq!(missing.code, Some(1), "SECRET_KEY is not set");
    std::fs::write(
        folder_path.join("callgate.yaml"),
        std::fs::read_to_string(folder_path.join("callgate.yaml"))
            .expect("read")
            .replace("${SECRET_KEY}", "${file:key}"),
    )
    .expect("written");
    std::fs::write(folder_path.join("key"), "hush-hush\n").expect("written");
    let mut running = Running::start(folder_path, &[]);
    let public = running.address("Listening.");
    let admin = running.address("The admin listens.");
    let (head, _) = request(public, "GET /a");
    assert_eq!(header(&head, "x-key"), "hush-hush");
    assert!(request(admin, "GET /live").0.starts_with("HTTP/1.1 200 "));
    assert!(request(admin, "GET /ready").0.starts_with("HTTP/1.1 200 "));
    let (_, routes) = request(admin, "GET /routes");
    assert!(routes.contains("/a"), "{routes}");
    let (_, config) = request(admin, "GET /config");
    assert!(config.contains("${file:key}") && !config.contains("hush"), "{config}");

    running.signal("-TERM");
    running.line("Draining.", |line| line["message"] == "Draining.");
    let end = Instant::now() + PATIENCE;
    while !request(admin, "GET /ready").0.starts_with("HTTP/1.1 503 ") {
        assert!(Instant::now() < end, "it never said that it drains");
    }
    assert!(request(public, "GET /a").0.starts_with("HTTP/1.1 200 "), "a lame duck serves on");
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
}

#[test]
fn an_interrupt_ends_without_a_lame_duck() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nshutdown: {lame_duck: 600s}\nroutes: [{match: /a, respond: {status: 204}}]\n",
    );
    let mut running = Running::start(folder.path(), &[]);
    let address = running.address("Listening.");
    assert!(request(address, "GET /a").0.starts_with("HTTP/1.1 204 "));
    running.signal("-INT");
    assert_eq!(running.ended(), Some(0));
}

#[test]
fn a_step_that_fails_is_logged_with_its_place() {
    let folder = configured(
        "listeners: {public: {address: '127.0.0.1:0'}}\nupstreams: {e: {echo: {}}}\nroutes:\n  - match: /a\n    to: e\n    response:\n      headers: {set: {x: \"a {{ headers.nothing }}\"}}\n",
    );
    let mut running = Running::start(folder.path(), &[]);
    let address = running.address("Listening.");
    let (head, _) = request(address, "GET /a");
    assert_eq!(header(&head, "callgate-error"), "bad_upstream_reply");
    let line = running.line("of the failure", |line| line["code"] == "bad_upstream_reply");
    assert!(line["error"].as_str().is_some_and(|error| error.contains("callgate.yaml:7:32")), "{line}");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let folder = configured(&format!("listeners: {{front: {{address: '{address}'}}}}\nroutes: []\n"));
    let failed = ran(callgate(&["run", "callgate.yaml"]).current_dir(folder.path()));
    assert_eq!(failed.code, Some(1));
    assert!(failed.err.contains("front") && failed.err.contains(&address.to_string()), "{}", failed.err);
}
