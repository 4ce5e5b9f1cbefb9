//! What becomes of Kong's targets and of its CORS.

use serde_json::{Value, json};

use super::{callgate, left, ran};

#[test]
fn weights_and_cors_of_kong() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = json!({
        "_format_version": "3.0",
        "upstreams": [{"name": "pool", "targets": [
            {"target": "a:1", "weight": 900}, {"target": "b:1"}, {"target": "off:1", "weight": 0},
        ]}],
        "services": [{"name": "s", "host": "pool", "routes": [{"name": "r", "paths": ["/s"]}]}],
        "plugins": [{"name": "cors", "config": {"origins": ["*"], "credentials": true}}],
    });
    std::fs::write(folder.path().join("kong.yaml"), document.to_string()).expect("written");
    let run = ran(callgate(&["import", "kong", "kong.yaml", "--output", "json"]).current_dir(folder.path()));
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    let endpoints = json!([{"url": "http://a:1", "weight": 900}, {"url": "http://b:1", "weight": 100}]);
    assert_eq!(told["configuration"]["upstreams"]["s"]["rest"]["endpoints"], endpoints, "{told}");
    let left = left(&told);
    assert!(left.contains("every route: `credentials` for any origin") && !left.contains("weight"), "{left}");
}
