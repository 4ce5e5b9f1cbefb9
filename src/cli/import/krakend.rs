//! KrakenD's configuration (version 3): endpoints with one backend each.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Matching, duration, matches, texts};

pub(super) fn import(document: &Value, draft: &mut Draft) {
    let taken = ["$schema", "version", "name", "endpoints", "timeout", "host", "port"];
    draft.left_fields("the document", document, &taken);
    if let Some(port) = document["port"].as_u64() {
        draft.left(format!("the port {port}: `listeners: {{public: {{address: \"0.0.0.0:{port}\"}}}}`"));
    }
    draft.left("`input_headers` and `input_query_strings`: everything passes here; take out what must not by `request: {headers: {remove: [...]}}`");
    for endpoint in document["endpoints"].as_array().into_iter().flatten() {
        self::endpoint(endpoint, document, draft);
    }
}

fn endpoint(endpoint: &Value, document: &Value, draft: &mut Draft) {
    let path = endpoint["endpoint"].as_str().unwrap_or("/");
    let method = endpoint["method"].as_str().unwrap_or("GET");
    let of = format!("{method} {path}");
    let taken = [
        "endpoint",
        "method",
        "backend",
        "timeout",
        "input_headers",
        "input_query_strings",
        "output_encoding",
        "concurrent_calls",
    ];
    draft.left_fields(&of, endpoint, &taken);
    let backends = endpoint["backend"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [backend] = backends else {
        return draft.left(format!("{of}: {} backends whose replies are merged", backends.len()));
    };
    draft.left_fields(
        &format!("{of}, its backend"),
        backend,
        &["url_pattern", "host", "method", "encoding", "disable_host_sanitize"],
    );
    if backend["encoding"].as_str().is_some_and(|encoding| !["no-op", "json", "safejson"].contains(&encoding)) {
        draft.left(format!("{of}, its backend: `encoding`; replies pass as they are"));
    }
    let hosts =
        Some(texts(&backend["host"])).filter(|hosts| !hosts.is_empty()).unwrap_or_else(|| texts(&document["host"]));
    let rest = match &hosts[..] {
        [] => return draft.left(format!("{of}: its backend has no host")),
        [url] => json!({"url": url}),
        several => json!({"endpoints": several}),
    };
    let name = hosts[0].split("://").last().unwrap_or_default().split([':', '/', '.']).next().unwrap_or_default();
    let upstream = draft.upstream(name, json!({"rest": rest}));
    let mut route = Map::new();
    let (matching, matched) = match path.strip_suffix("/*") {
        Some(prefix) => (Matching::Prefix, prefix),
        None => (Matching::Exact, path),
    };
    route.insert("match".to_owned(), matches(matching, matched, &[method.to_owned()], Map::new()));
    route.insert("to".to_owned(), upstream.into());
    let mut request = Map::new();
    let pattern = backend["url_pattern"].as_str().unwrap_or(path);
    if pattern != path {
        let sent = pattern.strip_suffix("/*").map_or_else(|| pattern.to_owned(), |prefix| format!("{prefix}/{{rest}}"));
        let (sent, query) = sent.split_once('?').map_or((sent.as_str(), None), |(path, query)| (path, Some(query)));
        request.insert("path".to_owned(), templated(sent).into());
        if let Some(query) = query {
            draft.left(format!("{of}: the query `{query}` of its backend; write `request: {{query: {{set: ...}}}}`"));
        }
    }
    if let Some(other) = backend["method"].as_str().filter(|other| *other != method) {
        request.insert("method".to_owned(), other.into());
    }
    if !request.is_empty() {
        route.insert("request".to_owned(), Value::Object(request));
    }
    let timeout = duration(&endpoint["timeout"]).or_else(|| duration(&document["timeout"]));
    route.extend(timeout.map(|timeout| ("timeout".to_owned(), timeout.into())));
    draft.route(None, Value::Object(route));
}

/// `/users/{id}` as a template. The tail keeps its slashes.
fn templated(path: &str) -> String {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(&format!("{before}{{{{ params.{name} }}}}"));
        rest = behind;
    }
    text + rest
}
