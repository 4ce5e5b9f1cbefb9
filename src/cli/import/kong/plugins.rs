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
                }
                None => draft.left(format!("{of}: the plugin `{kind}`")),
            },
            "request-size-limiting" => match size(config) {
                Some(size) => drop(policies.insert("limits".to_owned(), json!({"max_body": size}))),
                None => draft.left(format!("{of}: the plugin `{kind}`")),
            },
            "cors" => match cors(config, CORS) {
                Some(cors) => drop(policies.insert("cors".to_owned(), cors)),
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
        to.insert("payload".to_owned(), "apigateway_v1".into());
    } else {
        to.insert("payload".to_owned(), "raw".into());
        draft.left(format!("{of}: the event of its function is the request's body alone here; see `payload`"));
    }
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
