//! `access_log`.

use std::fs;

use callgate_testkit::peers::{Wire, until};
use serde_json::Value;

use crate::gateway::{Gateway, LIMIT};

const ROUTES: &str = "
upstreams: {e: {echo: {}}}
routes:
  - {name: fine, match: GET /fine, to: e}
  - {name: bad, match: GET /bad, to: {upstream: e, fail: upstream_timeout}}
";

#[tokio::test]
async fn json_lines_have_what_is_known_of_a_request() {
    let gateway = Gateway::start(&format!("access_log: {{}}\n{ROUTES}")).await;
    gateway.get("/fine?key=s3cr3t").await;
    gateway.get("/bad").await;
    let log = gateway.end().await;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lines: Vec<_> = lines.iter().filter(|line| line["path"].is_string()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    let fine = lines[0];
    assert_eq!((&fine["method"], &fine["path"], &fine["status"]), (&"GET".into(), &"/fine".into(), &200.into()));
    assert_eq!((&fine["route"], &fine["upstream"], &fine["kind"]), (&"fine".into(), &"e".into(), &"echo".into()));
    assert_eq!(
        (&fine["client"], &fine["protocol"], &fine["host"]),
        (&"127.0.0.1".into(), &"HTTP/1.1".into(), &"a".into())
    );
    assert_eq!((&fine["complete"], &fine["error"]), (&true.into(), &"".into()));
    assert!(fine["bytes"].as_u64() > Some(0) && fine["duration_ms"].as_f64() > Some(0.0), "{fine}");
    assert!(fine["time"].as_str().unwrap().ends_with('Z'), "{fine}");
    assert_eq!((&lines[1]["status"], &lines[1]["error"]), (&504.into(), &"upstream_timeout".into()));
    assert!(!log.contains("s3cr3t"), "a query may hold secrets");
}

#[tokio::test]
async fn lines_of_a_template_go_to_a_file_that_may_be_rotated() {
    let access_log = "access_log: {template: '{{ method }} {{ path }} {{ status }}', to: access.log, when: status >= 500 or path == '/fine'}";
    let gateway = Gateway::start(&format!("{access_log}\n{ROUTES}")).await;
    let (file, rotated) = (gateway.folder().join("access.log"), gateway.folder().join("access.log.1"));
    let lines = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
    for path in ["/fine", "/bad", "/nowhere"] {
        gateway.get(path).await;
    }
    assert!(until(LIMIT, async || lines(&file) == "GET /fine 200\nGET /bad 504\n").await, "{}", lines(&file));
    fs::rename(&file, &rotated).unwrap();
    let moved = until(LIMIT, async || {
        gateway.get("/fine").await;
        lines(&file).starts_with("GET /fine 200\n")
    });
    assert!(moved.await, "the file was not opened anew: {}", lines(&rotated));
}

#[tokio::test]
async fn a_client_that_goes_away_first_has_a_line_too() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = format!(
        "access_log: {{template: '{{{{ path }}}} {{{{ status }}}} {{{{ complete }}}} {{{{ upstream }}}}', to: access.log}}\n\
         upstreams: {{s: {{rest: {{url: 'http://{}'}}}}}}\nroutes: [{{match: GET /slow, to: s}}]\n",
        silent.local_addr().unwrap()
    );
    let gateway = Gateway::start(&yaml).await;
    let mut client = Wire::connect(gateway.public).await.unwrap();
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let (_asked, _) = silent.accept().await.unwrap();
    drop(client);
    let lines = || fs::read_to_string(gateway.folder().join("access.log")).unwrap_or_default();
    assert!(until(LIMIT, async || lines() == "/slow 499 false s\n").await, "{}", lines());
}
