//! The plugins of Kong that have a counterpart.

use serde_json::{Map, Value, json};

use crate::cli::import::draft::{CorsNames, Draft, cors};

/// Plugins that are not taken over, and do not decide who is let in. One that is not known here may.
const HARMLESS: [&str; 33] = [
    "acme",
    "azure-functions",
    "bot-detection",
    "canary",
    "correlation-id",
    "datadog",
    "file-log",
    "grpc-gateway",
    "grpc-web",
    "http-log",
    "jq",
    "kafka-log",
    "loggly",
    "opentelemetry",
    "prometheus",
    "proxy-cache",
    "proxy-cache-advanced",
    "rate-limiting-advanced",
    "request-transformer",
    "request-transformer-advanced",
    "request-validator",
    "response-ratelimiting",
    "response-transformer",
    "response-transformer-advanced",
    "route-by-header",
    "route-transformer-advanced",
    "statsd",
    "statsd-advanced",
    "syslog",
    "tcp-log",
    "udp-log",
    "upstream-timeout",
    "zipkin",
];

/// Takes over the plugins of a service or a route, and notes the others.
pub(super) fn take(of: &str, plugins: &[&Value], policies: &mut Map<String, Value>, draft: &mut Draft) {
    for plugin in plugins.iter().filter(|plugin| plugin["enabled"] != false) {
        let (kind, config) = (plugin["name"].as_str().unwrap_or_default(), &plugin["config"]);
        let of_one = ["consumer", "consumer_group"]
            .into_iter()
            .find(|owner| plugin[*owner].is_string() || plugin[*owner].is_object());
        match kind {
            _ if of_one.is_some() && !guards(kind) => {
                draft.left(format!("{of}: the plugin `{kind}` of one {}", of_one.unwrap_or_default()));
            }
            "rate-limiting" => match limits(config) {
                Some(limits) => {
                    policies.insert("rate_limit".to_owned(), limits);
                    draft.left(format!(
                        "{of}: `rate-limiting` counts by the client's address here, in each gateway; see `by` and `shared`"
                    ));
                    unusual(of, plugin, draft);
                }
                None => draft.left(format!("{of}: the plugin `{kind}`")),
            },
            "request-size-limiting" => match size(config) {
                Some(size) => {
                    policies.insert("limits".to_owned(), json!({"max_body": size}));
                    unusual(of, plugin, draft);
                }
                None => draft.left(format!("{of}: the plugin `{kind}`")),
            },
            "cors" => match cors(config, CORS) {
                Some(cors) => {
                    draft.left_of_cors(of, &cors);
                    policies.insert("cors".to_owned(), cors);
                    unusual(of, plugin, draft);
                }
                None => draft.left(format!("{of}: the plugin `{kind}`")),
            },
            "aws-lambda" => {}
            _ if guards(kind) => {
                draft.close(of, &format!("the plugin `{kind}`, which may decide who is let in"), policies)
            }
            _ => draft.left(format!("{of}: the plugin `{kind}`")),
        }
    }
}

/// Notes what of a plugin that was taken over was not.
fn unusual(of: &str, plugin: &Value, draft: &mut Draft) {
    let kind = plugin["name"].as_str().unwrap_or_default();
    let taken: &[&str] = match kind {
        // How it is counted and shared is told of every one.
        "rate-limiting" => {
            &["second", "minute", "hour", "day", "policy", "limit_by", "header_name", "path", "sync_rate"]
        }
        "request-size-limiting" => &["allowed_payload_size", "size_unit"],
        "cors" => &["origins", "methods", "headers", "exposed_headers", "credentials", "max_age"],
        // What is forwarded is told of every one.
        _ => &[
            "function_name",
            "aws_region",
            "aws_key",
            "aws_secret",
            "qualifier",
            "awsgateway_compatible",
            "awsgateway_compatible_payload_version",
            "is_proxy_integration",
            "invocation_type",
            "forward_request_body",
            "forward_request_headers",
            "forward_request_method",
            "forward_request_uri",
        ],
    };
    let redis = plugin["config"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let redis = redis.filter(|name| kind == "rate-limiting" && name.starts_with("redis"));
    let taken: Vec<_> = taken.iter().copied().chain(redis).collect();
    let usual = [
        ("fault_tolerant", json!(true)),
        ("hide_client_headers", json!(false)),
        ("error_code", json!(429)),
        ("error_message", json!("API rate limit exceeded")),
        ("require_content_length", json!(false)),
        ("preflight_continue", json!(false)),
        ("private_network", json!(false)),
        ("allow_origin_absent", json!(true)),
        ("log_type", json!("Tail")),
        ("timeout", json!(60000)),
        ("port", json!(443)),
        ("keepalive", json!(60000)),
        ("skip_large_bodies", json!(true)),
        ("base64_encode_body", json!(true)),
        ("disable_https", json!(false)),
        ("aws_imds_protocol_version", json!("v1")),
        ("aws_sts_endpoint_url", Value::Null),
        ("aws_role_session_name", json!("kong")),
        ("empty_arrays_mode", json!("legacy")),
        ("proxy_url", Value::Null),
    ];
    draft.left_unusual(&format!("{of}: the plugin `{kind}`"), &plugin["config"], &taken, &usual);
}

/// Whether a plugin may decide who is let in.
fn guards(kind: &str) -> bool {
    let taken = ["rate-limiting", "request-size-limiting", "cors", "aws-lambda"];
    !taken.contains(&kind) && !HARMLESS.contains(&kind)
}

/// The function that a route calls by the plugin `aws-lambda`, as a destination.
pub(super) fn lambda(of: &str, plugins: &[&Value], draft: &mut Draft) -> Option<Value> {
    let plugin = plugins.iter().find(|plugin| plugin["name"] == "aws-lambda" && plugin["enabled"] != false)?;
    let config = &plugin["config"];
    let function = config["function_name"].as_str()?;
    let mut lambda = Map::new();
    lambda.extend(config["aws_region"].as_str().map(|region| ("region".to_owned(), region.into())));
    if config["aws_key"].is_string() {
        draft.left(format!("{of}: its keys of AWS; write them as `credentials` by reference"));
    }
    let upstream = draft.upstream("functions", json!({"lambda": lambda}));
    let mut to = Map::from_iter([("upstream".to_owned(), upstream.into()), ("function".to_owned(), function.into())]);
    to.extend(config["qualifier"].as_str().map(|qualifier| ("qualifier".to_owned(), qualifier.into())));
    if config["awsgateway_compatible"] == true {
        let second = config["awsgateway_compatible_payload_version"] == "2.0";
        to.insert("payload".to_owned(), if second { "apigateway_v2" } else { "apigateway_v1" }.into());
        if config["is_proxy_integration"] != true {
            to.insert("reply".to_owned(), "raw".into());
        }
    } else {
        to.insert("payload".to_owned(), "raw".into());
        if config["is_proxy_integration"] == true {
            to.insert("reply".to_owned(), "http".into());
        }
        draft.left(format!("{of}: the event of its function is the request's body alone here; see `payload`"));
    }
    unusual(of, plugin, draft);
    if config["invocation_type"] == "Event" {
        to.insert("invocation".to_owned(), "event".into());
    }
    Some(Value::Object(to))
}

fn limits(config: &Value) -> Option<Value> {
    let periods = [("second", "s"), ("minute", "m"), ("hour", "h"), ("day", "d")];
    let number = |value: &Value| value.as_u64().or_else(|| value[0].as_u64());
    let limits = periods.iter().filter_map(|(period, unit)| Some(format!("{}/{unit}", number(&config[*period])?)));
    match &limits.collect::<Vec<_>>()[..] {
        [] => None,
        [limit] => Some(json!({"limit": limit})),
        several => Some(json!({"limits": several.iter().map(|limit| json!({"limit": limit})).collect::<Vec<_>>()})),
    }
}

fn size(config: &Value) -> Option<String> {
    let unit = match config["size_unit"].as_str().unwrap_or("megabytes") {
        "bytes" => "B",
        "kilobytes" => "KiB",
        "megabytes" => "MiB",
        _ => return None,
    };
    Some(format!("{}{unit}", config["allowed_payload_size"].as_u64()?))
}

/// What the plugin `cors` says, and how.
const CORS: CorsNames<'_> = (["origins", "methods", "headers", "exposed_headers"], "credentials", "max_age");
