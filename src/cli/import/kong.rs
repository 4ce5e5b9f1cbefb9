//! Kong's declarative configuration (`deck`, `kong.yml`): services, routes, upstreams, and the plugins that have a counterpart.

mod plugins;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Matching, duration, matches, texts};

/// What every export of Kong has, with the values that it has where nobody chose one.
const USUAL: [(&str, &str); 9] = [
    ("https_redirect_status_code", "426"),
    ("regex_priority", "0"),
    ("path_handling", "\"v0\""),
    ("request_buffering", "true"),
    ("response_buffering", "true"),
    ("write_timeout", "60000"),
    ("enabled", "true"),
    ("strip_path", "true"),
    ("preserve_host", "false"),
];

/// What is known of the document while it is read.
struct Document<'a> {
    balanced: BTreeMap<&'a str, &'a Value>,
    /// Before version 3 a path was a regular expression where it looked like one.
    guesses: bool,
    /// Those beside the services and routes.
    plugins: Vec<&'a Value>,
}

impl<'a> Document<'a> {
    /// The plugins of a service or a route, which stand with it or name it.
    fn plugins(&self, kind: &str, owner: &'a Value) -> Vec<&'a Value> {
        let named = self.plugins.iter().copied().filter(|plugin| {
            let name = reference(&plugin[kind]);
            name.is_some() && [owner["name"].as_str(), owner["id"].as_str()].contains(&name)
        });
        list(owner, "plugins").chain(named).collect()
    }
}

pub(super) fn import(document: &Value, draft: &mut Draft) {
    let taken = ["_format_version", "_transform", "_info", "services", "upstreams", "routes", "plugins"];
    draft.left_fields("the document", document, &taken);
    let balanced: BTreeMap<_, _> =
        list(document, "upstreams").filter_map(|upstream| Some((upstream["name"].as_str()?, upstream))).collect();
    for upstream in balanced.values() {
        draft.left_fields(&format!("upstream {}", name(upstream)), upstream, &["name", "targets", "id", "tags"]);
    }
    let version =
        document["_format_version"].as_str().and_then(|version| version.split('.').next()?.parse::<u8>().ok());
    let (named, everywhere) = list(document, "plugins").partition::<Vec<_>, _>(|plugin| {
        plugin["service"].is_string()
            || plugin["service"].is_object()
            || plugin["route"].is_string()
            || plugin["route"].is_object()
    });
    let mut policies = Map::new();
    plugins::take("every route", &everywhere, &mut policies, draft);
    policies.into_iter().for_each(|(name, policy)| draft.policy(&name, policy));
    let known = Document { balanced, guesses: version.is_some_and(|version| version < 3), plugins: named };
    let mut services = BTreeMap::new();
    for service in list(document, "services") {
        let off = service["enabled"] == false;
        if off {
            draft.left(format!("service {}: it is not enabled", name(service)));
        } else if let Some((upstream, path)) = self::service(service, &known, draft) {
            for key in ["name", "id"].into_iter().filter_map(|key| service[key].as_str()) {
                services.insert(key, (upstream.clone(), path.clone()));
            }
            list(service, "routes").for_each(|route| self::route(route, Some((&upstream, &path)), &known, draft));
        }
    }
    for route in list(document, "routes") {
        let service = reference(&route["service"]);
        match (service, service.and_then(|service| services.get(service))) {
            (_, Some((upstream, path))) => self::route(route, Some((upstream, path)), &known, draft),
            (None, None) => self::route(route, None, &known, draft),
            (Some(service), None) => {
                draft.left(format!("route {} is left out: the service {service} is not in this file", name(route)));
            }
        }
    }
}

/// The upstream that a service becomes, and the path in front of what is sent there.
fn service<'a>(service: &'a Value, known: &Document<'a>, draft: &mut Draft) -> Option<(String, String)> {
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
    ];
    left(&format!("service {name}"), service, &taken, draft);
    let (base, path) = address(service);
    let Some((scheme, authority)) = base.as_deref().and_then(|base| base.split_once("://")) else {
        draft.left(format!("service {name} is left out: it has no address"));
        return None;
    };
    let (scheme, grpc) = match scheme {
        "http" | "https" => (scheme, false),
        "grpc" => ("http", true),
        "grpcs" => ("https", true),
        other => {
            draft.left(format!("service {name} is left out: its protocol is {other}"));
            return None;
        }
    };
    let base = Some(format!("{scheme}://{authority}"));
    let mut rest = Map::new();
    if grpc {
        draft.left(format!("service {name}: it speaks gRPC, and is passed on as HTTP/2; see the kind `grpc`"));
        rest.insert("http2".to_owned(), true.into());
    }
    match base
        .as_deref()
        .and_then(|base| Some((base, known.balanced.get(base.split("://").nth(1)?.split(':').next()?)?)))
    {
        Some((base, upstream)) => {
            let scheme = base.split("://").next().unwrap_or("http");
            rest.insert("endpoints".to_owned(), endpoints(upstream, scheme).into());
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
    plugins::take(&format!("service {name}"), &known.plugins("service", service), &mut upstream, draft);
    Some((draft.upstream(name, Value::Object(upstream)), path))
}

/// The targets of an upstream, with their weights where they differ. One of the weight 0 is off there.
fn endpoints(upstream: &Value, scheme: &str) -> Vec<Value> {
    let weight = |target: &Value| target["weight"].as_u64().unwrap_or(100);
    let used: Vec<_> = list(upstream, "targets").filter(|target| weight(target) > 0).collect();
    let even = used.windows(2).all(|two| weight(two[0]) == weight(two[1]));
    let endpoint = |target: &&Value| {
        let url = format!("{scheme}://{}", target["target"].as_str()?);
        Some(if even { url.into() } else { json!({"url": url, "weight": weight(target)}) })
    };
    used.iter().filter_map(endpoint).collect()
}

fn route<'a>(route: &'a Value, to: Option<(&str, &str)>, known: &Document<'a>, draft: &mut Draft) {
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
        "service",
    ];
    left(&of, route, &taken, draft);
    if route["expression"].is_string() || list(route, "snis").chain(list(route, "sources")).next().is_some() {
        return draft.left(format!(
            "{of} is left out: by what it matches (`expression`, `snis`, `sources`) can't be said here"
        ));
    }
    let protocols = texts(&route["protocols"]);
    if !protocols.is_empty()
        && !protocols.iter().any(|protocol| protocol.starts_with("http") || protocol.starts_with("grpc"))
    {
        return draft.left(format!("{of} is left out: its protocols are {}", protocols.join(", ")));
    }
    if protocols == ["https"] {
        draft.left(format!("{of}: it took HTTPS only; give the listener `tls`, and redirect from another one"));
    }
    let plugins = known.plugins("route", route);
    let lambda = plugins::lambda(&of, &plugins, draft);
    let base = to.map_or("", |(_, base)| base);
    let Some(to) = lambda.clone().or_else(|| to.map(|(upstream, _)| upstream.into())) else {
        return draft.left(format!("{of} is left out: it has no service"));
    };
    if route["preserve_host"] == true {
        draft.left(format!("{of}: `preserve_host`; set the header `host` by a `request` step"));
    }
    let mut conditions = Map::new();
    for (header, values) in route["headers"].as_object().into_iter().flatten() {
        match &texts(values)[..] {
            [value] => match value.strip_prefix("~*") {
                Some(regex) => drop(conditions.insert(header.clone(), json!({"regex": format!("(?i){regex}")}))),
                None => drop(conditions.insert(header.clone(), json!(value))),
            },
            several => {
                let any: Vec<_> = several.iter().map(|value| escaped(value)).collect();
                conditions.insert(header.clone(), json!({"regex": any.join("|")}));
            }
        }
    }
    let headers = (!conditions.is_empty()).then(|| ("headers".to_owned(), Value::Object(conditions)));
    let strips = route["strip_path"] != false;
    let mut paths = texts(&route["paths"]);
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    let mut hosts = texts(&route["hosts"]);
    for host in &mut hosts {
        if let Some((name, port)) = host.rsplit_once(':') {
            draft.left(format!("{of}: the port {port} of the host `{name}`; hosts are matched without ports"));
            *host = name.to_owned();
        }
    }
    let several = paths.len() * hosts.len().max(1) > 1;
    for path in paths {
        let (matching, path) = match path.strip_prefix('~') {
            Some(regex) => (Matching::Regex, whole(regex)),
            None if known.guesses && looks_like_regex(&path) => (Matching::Regex, whole(&path)),
            None => (Matching::Prefix, path),
        };
        let mut made = Map::new();
        if let Some(name) = route["name"].as_str().filter(|_| !several) {
            made.insert("name".to_owned(), name.into());
        }
        let more = Map::from_iter(headers.clone());
        made.insert("match".to_owned(), matches(matching, &path, &texts(&route["methods"]), more));
        made.insert("to".to_owned(), to.clone());
        let sent = match (matching, strips) {
            _ if lambda.is_some() => None,
            (Matching::Prefix, true) => Some(format!("{base}/{{{{ params.rest }}}}")),
            (Matching::Prefix, false) if !base.is_empty() => {
                Some(format!("{base}{}/{{{{ params.rest }}}}", path.trim_end_matches('/')))
            }
            // What the expression takes is not stripped, which is told below.
            (Matching::Regex, _) if !base.is_empty() => Some(format!("{base}{{{{ path | safe }}}}")),
            _ => None,
        };
        if matching == Matching::Regex {
            if strips && lambda.is_none() {
                draft.left(format!("{of}: what its regular expression takes of the path is not stripped here"));
            }
        } else if path != "/" {
            draft.left("prefixes: `/a` takes `/a` and `/a/...` here, and not `/ab`");
        }
        made.extend(sent.map(|path| ("request".to_owned(), json!({"path": path}))));
        plugins::take(&of, &plugins, &mut made, draft);
        let made = Value::Object(made);
        if hosts.is_empty() {
            draft.route(None, made);
        } else {
            hosts.iter().for_each(|host| draft.route(Some(host), made.clone()));
        }
    }
}

/// Notes the fields that are left, but for those that say what is usual.
fn left(of: &str, object: &Value, taken: &[&str], draft: &mut Draft) {
    let is_usual = |field: &str, value| serde_json::from_str(value).is_ok_and(|usual: Value| usual == object[field]);
    let usual = USUAL.iter().filter(|(field, value)| is_usual(field, value)).map(|(field, _)| *field);
    let times = ["created_at", "updated_at"];
    let taken: Vec<_> = taken.iter().copied().chain(usual).chain(times).collect();
    draft.left_fields(of, object, &taken);
}

/// A regular expression that begins where the path does and may end before it, as one of whole paths.
fn whole(regex: &str) -> String {
    let regex = regex.strip_prefix('^').unwrap_or(regex);
    match regex.strip_suffix('$').filter(|whole| !whole.ends_with('\\')) {
        Some(whole) => whole.to_owned(),
        None => format!("{regex}.*"),
    }
}

/// What Kong took for a regular expression before version 3.
fn looks_like_regex(path: &str) -> bool {
    path.chars().any(|char| !char.is_ascii_alphanumeric() && !"-._~/%".contains(char))
}

/// A text as a regular expression that matches it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|char| ["\\.+*?()|[]{}^$#&-~".contains(char).then_some('\\'), Some(char)].into_iter().flatten())
        .collect()
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

/// What a reference to another object of the document says: its name or its id.
fn reference(of: &Value) -> Option<&str> {
    of.as_str().or_else(|| of["name"].as_str()).or_else(|| of["id"].as_str())
}

fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap_or("service")
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object[field].as_array().into_iter().flatten()
}
