//! Kong's declarative configuration (`deck`, `kong.yml`): services, routes, upstreams, and the plugins that have a counterpart.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Matching, duration, matches, texts};

pub(super) fn import(document: &Value, draft: &mut Draft) {
    draft.left_fields("the document", document, &["_format_version", "_transform", "services", "upstreams", "routes"]);
    let balanced: BTreeMap<_, _> =
        list(document, "upstreams").filter_map(|upstream| Some((upstream["name"].as_str()?, upstream))).collect();
    for upstream in balanced.values() {
        draft.left_fields(&format!("upstream {}", name(upstream)), upstream, &["name", "targets", "id", "tags"]);
    }
    for service in list(document, "services") {
        self::service(service, &balanced, draft);
    }
    if list(document, "routes").next().is_some() {
        draft.left("routes at the top level: put them below their services");
    }
}

fn service(service: &Value, balanced: &BTreeMap<&str, &Value>, draft: &mut Draft) {
    let name = name(service);
    let taken = [
        "name",
        "id",
        "tags",
        "url",
        "protocol",
        "host",
        "port",
        "path",
        "connect_timeout",
        "read_timeout",
        "retries",
        "routes",
        "plugins",
        "enabled",
    ];
    draft.left_fields(&format!("service {name}"), service, &taken);
    let (base, path) = address(service);
    let mut rest = Map::new();
    match base.as_deref().and_then(|base| Some((base, balanced.get(base.split("://").nth(1)?.split(':').next()?)?))) {
        Some((base, upstream)) => {
            let scheme = base.split("://").next().unwrap_or("http");
            let targets = list(upstream, "targets").filter_map(|target| target["target"].as_str());
            let endpoints: Vec<_> = targets.map(|target| format!("{scheme}://{target}")).collect();
            if list(upstream, "targets").any(|target| target["weight"].as_u64().is_some_and(|weight| weight != 100)) {
                draft.left(format!("upstream {}: the weights of its targets", self::name(upstream)));
            }
            rest.insert("endpoints".to_owned(), json!(endpoints));
        }
        None => {
            rest.insert("url".to_owned(), base.clone().unwrap_or_else(|| "http://localhost".to_owned()).into());
        }
    }
    rest.extend(duration(&service["connect_timeout"]).map(|time| ("connect_timeout".to_owned(), time.into())));
    let mut upstream = Map::from_iter([("rest".to_owned(), Value::Object(rest))]);
    upstream.extend(duration(&service["read_timeout"]).map(|time| ("timeout".to_owned(), json!({"idle": time}))));
    if let Some(retries) = service["retries"].as_u64().filter(|retries| *retries > 0) {
        upstream.insert("retry".to_owned(), json!({"attempts": retries + 1, "on": ["connect"]}));
    }
    plugins(&format!("service {name}"), service, &mut upstream, draft);
    let upstream = draft.upstream(name, Value::Object(upstream));
    for route in list(service, "routes") {
        self::route(route, &upstream, &path, draft);
    }
}

fn route(route: &Value, upstream: &str, base: &str, draft: &mut Draft) {
    let of = format!("route {}", name(route));
    let taken = [
        "name",
        "id",
        "tags",
        "paths",
        "methods",
        "hosts",
        "headers",
        "strip_path",
        "plugins",
        "protocols",
        "preserve_host",
    ];
    draft.left_fields(&of, route, &taken);
    if route["preserve_host"] == true {
        draft.left(format!("{of}: `preserve_host`; set the header `host` by a `request` step"));
    }
    let mut conditions = Map::new();
    for (header, values) in route["headers"].as_object().into_iter().flatten() {
        match &texts(values)[..] {
            [value] => drop(conditions.insert(header.clone(), json!(value))),
            _ => draft.left(format!("{of}: the header `{header}` with several values; write a regular expression")),
        }
    }
    let headers = (!conditions.is_empty()).then(|| ("headers".to_owned(), Value::Object(conditions)));
    let strips = route["strip_path"] != false;
    let mut paths = texts(&route["paths"]);
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    let hosts = texts(&route["hosts"]);
    let several = paths.len() * hosts.len().max(1) > 1;
    for path in paths {
        let (matching, path) = match path.strip_prefix('~') {
            Some(regex) => (Matching::Regex, regex.trim_end_matches('$').to_owned()),
            None => (Matching::Prefix, path),
        };
        let mut made = Map::new();
        if let Some(name) = route["name"].as_str().filter(|_| !several) {
            made.insert("name".to_owned(), name.into());
        }
        let more = Map::from_iter(headers.clone());
        made.insert("match".to_owned(), matches(matching, &path, &texts(&route["methods"]), more));
        made.insert("to".to_owned(), upstream.into());
        let sent = match (matching, strips) {
            (Matching::Prefix, true) => Some(format!("{base}/{{{{ params.rest }}}}")),
            (Matching::Prefix, false) if !base.is_empty() => {
                Some(format!("{base}{}/{{{{ params.rest }}}}", path.trim_end_matches('/')))
            }
            _ => None,
        };
        if matching == Matching::Regex {
            draft.left(format!(
                "{of}: a regular expression matches whole paths here, and what it takes is not stripped"
            ));
        } else if path != "/" {
            draft.left("prefixes: `/a` takes `/a` and `/a/...` here, and not `/ab`");
        }
        made.extend(sent.map(|path| ("request".to_owned(), json!({"path": path}))));
        plugins(&of, route, &mut made, draft);
        let made = Value::Object(made);
        if hosts.is_empty() {
            draft.route(None, made);
        } else {
            hosts.iter().for_each(|host| draft.route(Some(host), made.clone()));
        }
    }
}

/// Takes over what has a counterpart.
fn plugins(of: &str, owner: &Value, policies: &mut Map<String, Value>, draft: &mut Draft) {
    for plugin in list(owner, "plugins").filter(|plugin| plugin["enabled"] != false) {
        let (kind, config) = (plugin["name"].as_str().unwrap_or_default(), &plugin["config"]);
        let periods = [("second", "s"), ("minute", "m"), ("hour", "h"), ("day", "d")];
        let limits: Vec<_> =
            periods.iter().filter_map(|(period, unit)| Some(format!("{}/{unit}", config[*period].as_u64()?))).collect();
        match (kind, &limits[..]) {
            ("rate-limiting", [limit]) => {
                policies.insert("rate_limit".to_owned(), json!({"limit": limit}));
                draft.left(format!(
                    "{of}: `rate-limiting` counts by the client's address here, in each gateway; see `by` and `shared`"
                ));
            }
            ("request-size-limiting", _) if config["allowed_payload_size"].is_u64() => {
                let size = format!("{}MiB", config["allowed_payload_size"]);
                policies.insert("limits".to_owned(), json!({"max_body": size}));
            }
            _ => draft.left(format!("{of}: the plugin `{kind}`")),
        }
    }
}

/// Scheme, host and port of a service, and its path.
fn address(service: &Value) -> (Option<String>, String) {
    let whole = service["url"].as_str().map(str::to_owned).or_else(|| {
        let host = service["host"].as_str()?;
        let scheme = service["protocol"].as_str().unwrap_or("http");
        let port = service["port"].as_u64().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{scheme}://{host}{port}{}", service["path"].as_str().unwrap_or_default()))
    });
    let Some(whole) = whole else { return (None, String::new()) };
    let start = whole.find("://").map_or(0, |at| at + 3);
    let end = whole[start..].find('/').map_or(whole.len(), |at| start + at);
    (Some(whole[..end].to_owned()), whole[end..].trim_end_matches('/').to_owned())
}

fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap_or("service")
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object[field].as_array().into_iter().flatten()
}
