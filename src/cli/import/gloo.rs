//! Gloo Edge's resources: Upstreams and VirtualServices.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

mod guard;

use super::draft::{Draft, Matching, duration, matches, texts};

/// The upstreams by their own name: what they are called here, and the names of their functions.
type Known = BTreeMap<String, (String, BTreeMap<String, Value>)>;

pub(super) fn import(documents: &[Value], draft: &mut Draft) {
    let mut known = Known::new();
    let named = |document: &Value| document["metadata"]["name"].as_str().unwrap_or("service").to_owned();
    for document in documents.iter().filter(|document| document["kind"] == "Upstream") {
        upstream(&named(document), &document["spec"], &mut known, draft);
    }
    for document in documents {
        match document["kind"].as_str().unwrap_or_default() {
            "Upstream" => {}
            "VirtualService" => virtual_service(&named(document), &document["spec"], &known, draft),
            other => draft.left(format!("the resource {other} {}", named(document))),
        }
    }
}

fn upstream(name: &str, spec: &Value, known: &mut Known, draft: &mut Draft) {
    let of = format!("upstream {name}");
    draft.left_fields(&of, spec, &["aws", "static", "kube", "discoveryMetadata", "sslConfig", "useHttp2"]);
    let ssl = spec["sslConfig"].is_object();
    if ssl && spec["sslConfig"] != json!({}) {
        draft.left(format!("{of}: its `sslConfig`; certificates are verified here, `tls` has an authority of its own"));
    }
    let mut functions = BTreeMap::new();
    let upstream = if let Some(region) = spec["aws"]["region"].as_str() {
        if spec["aws"]["secretRef"].is_object() {
            draft.left(format!(
                "{of}: its `secretRef`; credentials are found as AWS's own tools find them, or written as references"
            ));
        }
        draft.left_fields(&format!("{of}: its `aws`"), &spec["aws"], &["region", "secretRef", "lambdaFunctions"]);
        for function in spec["aws"]["lambdaFunctions"].as_array().into_iter().flatten() {
            let at = function["lambdaFunctionName"].as_str().unwrap_or_default();
            let mut target = Map::from_iter([("name".to_owned(), at.into())]);
            target.extend(function["qualifier"].as_str().map(|qualifier| ("qualifier".to_owned(), qualifier.into())));
            functions.insert(function["logicalName"].as_str().unwrap_or(at).to_owned(), Value::Object(target));
        }
        json!({"lambda": {"region": region}, "functions": functions})
    } else if spec["static"].is_object() {
        draft.left_fields(&format!("{of}: its `static`"), &spec["static"], &["hosts", "useTls"]);
        let hosts = spec["static"]["hosts"].as_array().into_iter().flatten();
        for host in hosts.clone() {
            draft.left_fields(&format!("{of}: its host {}", host["addr"]), host, &["addr", "port"]);
        }
        // Where nothing is said of TLS, the port says it there too.
        let secure = hosts.clone().any(|host| host["port"] == 443) && spec["static"]["useTls"] != false;
        let scheme = if spec["static"]["useTls"] == true || secure || ssl { "https" } else { "http" };
        let urls: Vec<_> = hosts
            .filter_map(|host| Some(format!("{scheme}://{}:{}", host["addr"].as_str()?, host["port"].as_u64()?)))
            .collect();
        json!({"rest": with_http2(json!({"endpoints": urls}), spec)})
    } else if let Some(service) = spec["kube"]["serviceName"].as_str() {
        let taken = ["serviceName", "serviceNamespace", "servicePort"];
        draft.left_fields(&format!("{of}: its `kube`"), &spec["kube"], &taken);
        let namespace = spec["kube"]["serviceNamespace"].as_str().unwrap_or("default");
        let port = spec["kube"]["servicePort"].as_u64().unwrap_or(80);
        let scheme = if ssl { "https" } else { "http" };
        json!({"rest": with_http2(json!({"url": format!("{scheme}://{service}.{namespace}:{port}")}), spec)})
    } else {
        return draft.left(format!("{of}: its kind"));
    };
    let here = draft.upstream(name, upstream);
    known.insert(name.to_owned(), (here, functions));
}

fn with_http2(mut rest: Value, spec: &Value) -> Value {
    if spec["useHttp2"] == true {
        rest["http2"] = true.into();
    }
    rest
}

fn virtual_service(name: &str, spec: &Value, known: &Known, draft: &mut Draft) {
    draft.left_fields(&format!("virtual service {name}"), spec, &["virtualHost"]);
    let host = &spec["virtualHost"];
    let of = format!("virtual service {name}");
    draft.left_fields(&format!("{of}, its host"), host, &["domains", "routes", "options", "optionsConfigRefs"]);
    let guards = guard::Guards::of_host(&of, host, &spec["sslConfig"], draft);
    let mut domains = texts(&host["domains"]);
    if domains.is_empty() {
        domains.push("*".to_owned());
    }
    for domain in &mut domains {
        if let Some((host, port)) = domain.rsplit_once(':') {
            draft.left(format!(
                "virtual service {name}: the port {port} of `{domain}`; hosts are matched without ports"
            ));
            *domain = host.to_owned();
        }
    }
    for (index, route) in host["routes"].as_array().into_iter().flatten().enumerate() {
        let of = format!("virtual service {name}, route {}", index + 1);
        let taken = [
            "matchers",
            "matcher",
            "routeAction",
            "redirectAction",
            "directResponseAction",
            "options",
            "optionsConfigRefs",
            "name",
        ];
        draft.left_fields(&of, route, &taken);
        let any = [json!({"prefix": "/"})];
        let matchers = route["matchers"].as_array().map_or(&any[..], Vec::as_slice);
        // As it was written before version 1.
        let single = std::slice::from_ref(&route["matcher"]);
        let matchers = if single[0].is_object() { single } else { matchers };
        for matcher in matchers {
            let Some(mut made) = self::route(&of, route, matcher, known, draft) else { continue };
            guards.apply(&of, route, &mut made, draft);
            let made = Value::Object(made);
            domains.iter().for_each(|domain| draft.route(Some(domain), made.clone()));
        }
    }
}

fn route(of: &str, route: &Value, matcher: &Value, known: &Known, draft: &mut Draft) -> Option<Map<String, Value>> {
    draft.left_fields(of, matcher, &["prefix", "exact", "regex", "methods", "headers", "queryParameters"]);
    let (matching, path) = match (matcher["exact"].as_str(), matcher["regex"].as_str(), matcher["prefix"].as_str()) {
        (Some(path), ..) => (Matching::Exact, path),
        (_, Some(path), _) => (Matching::Regex, path),
        (.., path) => (Matching::Prefix, path.unwrap_or("/")),
    };
    if matching == Matching::Prefix && path != "/" {
        draft.left("prefixes: `/a` takes `/a` and `/a/...` here, and not `/ab`");
    }
    let mut more = Map::new();
    for (field, to) in [("headers", "headers"), ("queryParameters", "query")] {
        let asked = matcher[field].as_array().map(Vec::as_slice).unwrap_or_default();
        let conditions: Map<_, _> = asked.iter().filter_map(condition).collect();
        if conditions.len() != asked.len() {
            // Without it the route would take more than it did.
            draft.left(format!("{of} is left out: its conditions on `{field}` can't be said here"));
            return None;
        }
        if !conditions.is_empty() {
            more.insert(to.to_owned(), Value::Object(conditions));
        }
    }
    let mut made = Map::from_iter([("match".to_owned(), matches(matching, path, &texts(&matcher["methods"]), more))]);
    if let Some(to) = destination(of, &route["routeAction"], known, draft) {
        made.insert("to".to_owned(), to);
    } else if route["directResponseAction"].is_object() {
        let answer = &route["directResponseAction"];
        let mut respond = Map::from_iter([("status".to_owned(), answer["status"].clone())]);
        respond.extend(answer["body"].as_str().map(|text| ("body".to_owned(), json!({"text": text}))));
        made.insert("respond".to_owned(), Value::Object(respond));
    } else if let Some(path) = route["redirectAction"]["pathRedirect"].as_str() {
        let redirect = &route["redirectAction"];
        draft.left_fields(&format!("{of}, its redirect"), redirect, &["pathRedirect", "responseCode"]);
        let status = if route["redirectAction"]["responseCode"] == "FOUND" { 302 } else { 301 };
        made.insert("redirect".to_owned(), json!({"path": path, "status": status}));
    } else {
        draft.left(format!("{of} is left out: what it does"));
        return None;
    }
    options(of, &route["options"], matching, &mut made, draft);
    Some(made)
}

fn condition(condition: &Value) -> Option<(String, Value)> {
    let test = match (condition["value"].as_str(), condition["regex"] == true, condition["invertMatch"] == true) {
        (None | Some(""), _, true) => json!({"absent": true}),
        (None | Some(""), ..) => json!({"present": true}),
        (Some(value), true, false) => json!({"regex": value}),
        (Some(value), false, false) => json!(value),
        (Some(_), _, true) => return None,
    };
    Some((condition["name"].as_str()?.to_owned(), test))
}

fn destination(of: &str, action: &Value, known: &Known, draft: &mut Draft) -> Option<Value> {
    let mut one = |destination: &Value| -> Option<Value> {
        let service = &destination["kube"];
        if let Some(name) = service["ref"]["name"].as_str() {
            let namespace = service["ref"]["namespace"].as_str().unwrap_or("default");
            let port = service["port"].as_u64().unwrap_or(80);
            let url = format!("http://{name}.{namespace}:{port}");
            return Some(draft.upstream(name, json!({"rest": {"url": url}})).into());
        }
        let name = destination["upstream"]["name"].as_str()?;
        let Some((here, functions)) = known.get(name) else {
            draft.left(format!("{of}: the upstream {name}, which is not in this file"));
            return None;
        };
        let spec = &destination["destinationSpec"];
        draft.left_fields(&format!("{of}, its destination"), spec, &["aws"]);
        draft.left_fields(&format!("{of}, its destination"), destination, &["upstream", "destinationSpec"]);
        match spec["aws"]["logicalName"].as_str() {
            Some(function) if !functions.contains_key(function) => {
                draft.left(format!("{of}: the function {function}, which its upstream does not have"));
                None
            }
            Some(_) => Some(called(of, here, &spec["aws"], draft)),
            None => Some(here.as_str().into()),
        }
    };
    if action["single"].is_object() {
        return one(&action["single"]);
    }
    let destinations = action["multi"]["destinations"].as_array()?;
    let weighted: Option<Vec<_>> = destinations
        .iter()
        .map(|entry| {
            let mut made = match one(&entry["destination"])? {
                Value::Object(made) => made,
                upstream => Map::from_iter([("upstream".to_owned(), upstream)]),
            };
            made.insert("weight".to_owned(), entry["weight"].clone());
            Some(Value::Object(made))
        })
        .collect();
    for entry in destinations {
        draft.left_fields(&format!("{of}, one of its destinations"), entry, &["destination", "weight"]);
    }
    weighted.map(Value::Array)
}

/// A function of Lambda with what it gets and gives there: the body alone, unless something is wrapped around it.
fn called(of: &str, upstream: &str, aws: &Value, draft: &mut Draft) -> Value {
    let taken = [
        "logicalName",
        "wrapAsApiGateway",
        "unwrapAsApiGateway",
        "unwrapAsAlb",
        "responseTransformation",
        "invocationStyle",
    ];
    draft.left_fields(&format!("{of}, its function"), aws, &taken);
    let wrapped = aws["wrapAsApiGateway"] == true;
    let unwrapped =
        ["unwrapAsApiGateway", "unwrapAsAlb", "responseTransformation"].into_iter().any(|field| aws[field] == true);
    let mut called = Map::new();
    called.insert("upstream".to_owned(), upstream.into());
    called.insert("function".to_owned(), aws["logicalName"].clone());
    called.insert("payload".to_owned(), if wrapped { "apigateway_v1" } else { "raw" }.into());
    if wrapped != unwrapped {
        called.insert("reply".to_owned(), if unwrapped { "http" } else { "raw" }.into());
    }
    if aws["invocationStyle"] == "ASYNC" {
        called.insert("invocation".to_owned(), "event".into());
    }
    Value::Object(called)
}

fn options(of: &str, options: &Value, matching: Matching, made: &mut Map<String, Value>, draft: &mut Draft) {
    let taken: Vec<_> = ["prefixRewrite", "timeout", "retries"].into_iter().chain(guard::names(options)).collect();
    draft.left_fields(&format!("{of}, its options"), options, &taken);
    if options["timeout"].is_string() && duration(&options["timeout"]).is_none() {
        draft.left(format!("{of}: the timeout {}", options["timeout"]));
    }
    made.extend(duration(&options["timeout"]).map(|timeout| ("timeout".to_owned(), timeout.into())));
    draft.left_fields(&format!("{of}, its `retries`"), &options["retries"], &["numRetries", "retryOn"]);
    if let Some(retries) = options["retries"]["numRetries"].as_u64() {
        made.insert("retry".to_owned(), json!({"attempts": retries + 1}));
        draft.left(format!(
            "{of}: on what it is tried again (`retry.on`); here what is certain not to have run, and what may run twice"
        ));
    }
    if let Some(prefix) = options["prefixRewrite"].as_str() {
        let path = match matching {
            Matching::Prefix => format!("{}/{{{{ params.rest }}}}", prefix.trim_end_matches('/')),
            Matching::Exact | Matching::Regex => prefix.to_owned(),
        };
        made.insert("request".to_owned(), json!({"path": path}));
    }
}
