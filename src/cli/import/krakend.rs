//! KrakenD's configuration (version 3): endpoints with one backend each.

mod guard;

use serde_json::{Map, Value, json};

use super::draft::{CorsNames, Draft, Matching, cors, duration, first_label, matches, templated, texts};

pub(super) fn import(document: &Value, draft: &mut Draft) {
    let taken = [
        "$schema",
        "$id",
        "version",
        "name",
        "endpoints",
        "timeout",
        "host",
        "port",
        "extra_config",
        "output_encoding",
    ];
    draft.left_fields("the document", document, &taken);
    for (name, config) in extra(document) {
        match cors(config, CORS).filter(|_| name == "security/cors") {
            Some(cors) => {
                draft.left_of_cors(&format!("the document: `{name}`"), &cors);
                draft.policy("cors", cors);
                let ([origins, methods, headers, expose], credentials, age) = CORS;
                let taken = [origins, methods, headers, expose, credentials, age];
                draft.left_unusual(&format!("the document: `{name}`"), config, &taken, &[("debug", json!(false))]);
            }
            None if guard::document_may_refuse(name) => {
                draft.close_all(&format!("the document's `{name}`, which may decide who is let in"));
            }
            None => draft.left(format!("the document: `{name}`")),
        }
    }
    if let Some(port) = document["port"].as_u64() {
        draft.left(format!("the port {port}: `listeners: {{public: {{address: \"0.0.0.0:{port}\"}}}}`"));
    }
    if document["timeout"].is_string() && duration(&document["timeout"]).is_none() {
        draft.left(format!("the document: the timeout {}", document["timeout"]));
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
        "extra_config",
    ];
    draft.left_fields(&of, endpoint, &taken);
    if endpoint["output_encoding"].as_str().or(document["output_encoding"].as_str()) != Some("no-op") {
        draft.left(
            "`output_encoding` other than `no-op`: replies pass as they are, with the status and the headers that the backend gives them",
        );
    }
    if endpoint["concurrent_calls"].as_u64().is_some_and(|calls| calls > 1) {
        draft.left(format!("{of}: `concurrent_calls`; one call is made of a request"));
    }
    let backends = endpoint["backend"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [backend] = backends else {
        return draft.left(format!("{of}: {} backends whose replies are merged", backends.len()));
    };
    draft.left_fields(
        &format!("{of}, its backend"),
        backend,
        &["url_pattern", "host", "method", "encoding", "disable_host_sanitize", "extra_config"],
    );
    if backend["encoding"].as_str().is_some_and(|encoding| !["no-op", "json", "safejson"].contains(&encoding)) {
        draft.left(format!("{of}, its backend: `encoding`; replies pass as they are"));
    }
    if pattern(backend, path).contains("{JWT.") {
        return draft.left(format!("{of} is left out: its backend's path has a claim; write `{{{{ claims.NAME }}}}`"));
    }
    let called = &backend["extra_config"]["backend/lambda"];
    if called["function_param_name"].is_string() {
        // The host beside it is a dummy.
        return draft.left(format!(
            "{of} is left out: a client names its function; write `function` as a template with what it may be"
        ));
    }
    let own = Some(texts(&backend["host"])).filter(|hosts| !hosts.is_empty());
    let hosts = own.unwrap_or_else(|| texts(&document["host"]));
    let hosts: Vec<_> = hosts.iter().map(|host| with_scheme(host.trim_end_matches('/'))).collect();
    let rest = match &hosts[..] {
        [] if lambda(backend).is_some() => Value::Null,
        [] => return draft.left(format!("{of}: its backend has no host")),
        [url] => json!({"url": url}),
        several => json!({"endpoints": several}),
    };
    let to = match lambda(backend) {
        Some((upstream, function)) => {
            let called_of = format!("{of}: its `backend/lambda`");
            draft.left_unusual(
                &called_of,
                called,
                &["function_name", "region", "endpoint"],
                &[("max_retries", json!(0))],
            );
            if method == "GET" {
                draft.left(format!(
                    "{of}: the event of its function was its parameters; write them with `request: {{body: {{json: ...}}}}`"
                ));
            }
            json!({"upstream": draft.upstream("functions", upstream), "function": function, "payload": "raw"})
        }
        None => draft.upstream(first_label(&hosts[0]), json!({"rest": rest})).into(),
    };
    let mut route = Map::new();
    let (matching, matched) = match path.strip_suffix("/*") {
        Some(prefix) => (Matching::Prefix, prefix),
        None => (Matching::Exact, path),
    };
    route.insert("match".to_owned(), matches(matching, matched, &[method.to_owned()], Map::new()));
    route.insert("to".to_owned(), to);
    policies(&of, endpoint, &mut route, draft);
    let called = extra(backend).filter(|(name, _)| *name != "backend/lambda");
    for (name, _) in called {
        if guard::backend_may_refuse(name) {
            draft.close(&of, &format!("its backend's `{name}`, which may decide who is let in"), &mut route);
        } else {
            draft.left(format!("{of}, its backend: `{name}`"));
        }
    }
    let mut request = Map::new();
    let pattern = pattern(backend, path);
    if pattern != path && lambda(backend).is_none() {
        let sent = pattern.strip_suffix("/*").map_or_else(|| pattern.to_owned(), |prefix| format!("{prefix}/{{rest}}"));
        let (sent, query) = sent.split_once('?').map_or((sent.as_str(), None), |(path, query)| (path, Some(query)));
        request.insert("path".to_owned(), templated(sent).into());
        if let Some(query) = query {
            let pairs = form_urlencoded::parse(query.as_bytes());
            let set: Map<_, _> = pairs.map(|(name, value)| (name.into_owned(), templated(&value).into())).collect();
            request.insert("query".to_owned(), json!({"set": set}));
        }
    }
    if let Some(other) = backend["method"].as_str().filter(|other| *other != method) {
        request.insert("method".to_owned(), other.into());
    }
    if !request.is_empty() {
        route.insert("request".to_owned(), Value::Object(request));
    }
    if endpoint["timeout"].is_string() && duration(&endpoint["timeout"]).is_none() {
        draft.left(format!("{of}: the timeout {}", endpoint["timeout"]));
    }
    let timeout = duration(&endpoint["timeout"]).or_else(|| duration(&document["timeout"]));
    route.extend(timeout.map(|timeout| ("timeout".to_owned(), timeout.into())));
    draft.route(None, Value::Object(route));
}

/// What is asked of the backend.
fn pattern<'a>(backend: &'a Value, path: &'a str) -> &'a str {
    backend["url_pattern"].as_str().unwrap_or(path)
}

/// A host may be written without a scheme.
fn with_scheme(host: &str) -> String {
    if host.contains("://") { host.to_owned() } else { format!("http://{host}") }
}

/// The `extra_config` of something, part by part.
fn extra(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let parts = of["extra_config"].as_object().into_iter().flatten();
    parts.map(|(name, config)| (name.as_str(), config)).filter(|(name, _)| !name.starts_with("documentation/"))
}

/// The upstream and the function of a backend that is a Lambda function.
fn lambda(backend: &Value) -> Option<(Value, String)> {
    let config = &backend["extra_config"]["backend/lambda"];
    let mut upstream = Map::new();
    upstream.extend(config["region"].as_str().map(|region| ("region".to_owned(), region.into())));
    upstream.extend(config["endpoint"].as_str().map(|endpoint| ("endpoint".to_owned(), endpoint.into())));
    let name = config["function_name"].as_str()?;
    Some((json!({"lambda": upstream}), name.to_owned()))
}

/// Takes over what has a counterpart.
fn policies(of: &str, endpoint: &Value, route: &mut Map<String, Value>, draft: &mut Draft) {
    let (mut auth, mut closed) = (None, Vec::new());
    for (name, config) in extra(endpoint) {
        match name {
            "qos/ratelimit/router" => {
                let unit = match config["every"].as_str() {
                    None | Some("1s") => "s",
                    Some("1m") => "m",
                    Some("1h") => "h",
                    Some(_) => {
                        draft.left(format!("{of}: `{name}`"));
                        continue;
                    }
                };
                let limit = |field: &str, by: &str| {
                    let rate = config[field].as_u64().filter(|rate| *rate > 0)?;
                    Some(json!({"limit": format!("{rate}/{unit}"), "by": by}))
                };
                let limits: Vec<_> =
                    [limit("max_rate", "route"), limit("client_max_rate", "client")].into_iter().flatten().collect();
                let named: Vec<_> = ["max_rate", "client_max_rate"]
                    .into_iter()
                    .filter(|field| config[*field].as_u64().is_some() || config[*field] == 0.0)
                    .collect();
                let taken: Vec<_> = named.into_iter().chain(["every"]).collect();
                draft.left_unusual(&format!("{of}: `{name}`"), config, &taken, &[("strategy", json!("ip"))]);
                if !limits.is_empty() {
                    route.insert("rate_limit".to_owned(), json!({"limits": limits}));
                }
            }
            "auth/validator" => match guard::validator(of, config, draft) {
                Ok(made) => auth = Some(made),
                Err(why) => closed.push(format!("`{name}`: {why}")),
            },
            _ if guard::may_refuse(name) => closed.push(format!("`{name}`, which may decide who is let in")),
            _ => draft.left(format!("{of}: `{name}`")),
        }
    }
    route.extend(auth.map(|auth| ("auth".to_owned(), auth)));
    closed.iter().for_each(|because| draft.close(of, because, route));
}

/// What `security/cors` says, and how.
const CORS: CorsNames<'_> =
    (["allow_origins", "allow_methods", "allow_headers", "expose_headers"], "allow_credentials", "max_age");
