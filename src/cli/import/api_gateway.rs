//! Amazon API Gateway: the OpenAPI document of an API, as it is exported with extensions.

mod guard;

use serde_json::{Map, Value, json};

use super::draft::{CorsNames, Draft, Matching, cors, first_label, matches, templated};

const INTEGRATION: &str = "x-amazon-apigateway-integration";
/// Where a region is that no integration says.
const REGION: &str = "${AWS_REGION}";
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

pub(super) fn import(document: &Value, draft: &mut Draft) {
    let known = [
        "openapi",
        "swagger",
        "info",
        "paths",
        "tags",
        "components",
        "definitions",
        "servers",
        "host",
        "basePath",
        "schemes",
        "securityDefinitions",
        "security",
        "x-amazon-apigateway-importexport-version",
        "x-amazon-apigateway-cors",
        "x-amazon-apigateway-policy",
        "externalDocs",
    ];
    draft.left_fields("the document", document, &known);
    if let Some(cors) = cors(&document["x-amazon-apigateway-cors"], CORS) {
        draft.left_of_cors("the document, its CORS", &cors);
        draft.policy("cors", cors);
    }
    if document["x-amazon-apigateway-policy"].is_object() {
        draft.close_all("the API's resource policy");
    }
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let methods = match method.as_str() {
                "x-amazon-apigateway-any-method" => Vec::new(),
                method if METHODS.contains(&method) => vec![method.to_uppercase()],
                _ => continue,
            };
            let shown = methods.first().map_or("ANY", String::as_str);
            self::operation(&format!("{shown} {path}"), path, &methods, operation, document, draft);
        }
    }
    draft.left("the name of the stage in front of all paths, where clients send it: put it in front of the matches");
}

fn operation(of: &str, path: &str, methods: &[String], operation: &Value, document: &Value, draft: &mut Draft) {
    let integration = &operation[INTEGRATION];
    let taken = [
        "type",
        "uri",
        "httpMethod",
        "payloadFormatVersion",
        "timeoutInMillis",
        "passthroughBehavior",
        "responses",
        "requestParameters",
        "connectionType",
        "cacheNamespace",
        "contentHandling",
    ];
    draft.left_fields(&format!("{of}, its integration"), integration, &taken);
    let extensions = operation.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let others = extensions.filter(|name| !name.starts_with("x-amazon-apigateway-"));
    let taken: Vec<_> = others.chain([INTEGRATION, "x-amazon-apigateway-auth"]).collect();
    draft.left_fields(of, operation, &taken);
    let (matching, path) = match path {
        "/$default" | "$default" => (Matching::Prefix, "/".to_owned()),
        path => (Matching::Exact, path.to_owned()),
    };
    if path.contains("+}") {
        draft.left("`/a/{*proxy}` takes `/a` and `/a/` too here, which `/a/{proxy+}` does not");
    }
    let mut route = Map::new();
    let more = Map::new();
    route.insert("match".to_owned(), matches(matching, &tail(&path), methods, more));
    let kind = integration["type"].as_str().unwrap_or_default().to_lowercase();
    let uri = text(&integration["uri"]);
    match (kind.as_str(), function(&uri)) {
        ("aws_proxy", Some((region, name))) => {
            let first = integration["payloadFormatVersion"] != "2.0";
            for name in uri.split("${stageVariables.").skip(1).filter_map(|rest| rest.split('}').next()) {
                draft.left(format!("{of}: the stage variable `{name}`; set it in the environment"));
            }
            let payload = if first { "apigateway_v1" } else { "apigateway_v2" };
            if region["region"] == REGION {
                draft.left("the region of functions whose integrations don't say it: `AWS_REGION` in the environment");
            }
            let upstream = draft.upstream("functions", json!({"lambda": region}));
            route.insert("to".to_owned(), json!({"upstream": upstream, "function": name, "payload": payload}));
            draft.left_fields(&format!("{of}: its parameter"), &integration["requestParameters"], &[]);
        }
        ("http_proxy", _) if uri.contains("://") => http(of, &uri, integration, methods, &mut route, draft),
        ("mock", _) if methods == ["OPTIONS"] => {
            return draft.left(format!("{of}: a mock; where it is for CORS, write the policy `cors`"));
        }
        _ => {
            let kind = if kind.is_empty() { "none" } else { &kind };
            return draft.left(format!(
                "{of} is left out: its integration is of the type `{kind}`; write its mapping as steps"
            ));
        }
    }
    if let Some(timeout) = integration["timeoutInMillis"].as_u64() {
        route.insert("timeout".to_owned(), format!("{timeout}ms").into());
    }
    guard::take(of, operation, document, &mut route, draft);
    draft.route(None, Value::Object(route));
}

/// A route to an HTTP service.
fn http(
    of: &str,
    uri: &str,
    integration: &Value,
    methods: &[String],
    route: &mut Map<String, Value>,
    draft: &mut Draft,
) {
    let start = uri.find("://").map_or(0, |at| at + 3);
    let end = uri[start..].find('/').map_or(uri.len(), |at| start + at);
    let upstream = draft.upstream(first_label(uri), json!({"rest": {"url": &uri[..end]}}));
    route.insert("to".to_owned(), upstream.into());
    let mut request = Map::from_iter([("path".to_owned(), templated(&uri[end..].replace("+}", "}")).into())]);
    if uri[end..].is_empty() {
        request.insert("path".to_owned(), "/".into());
    }
    let method = integration["httpMethod"].as_str().unwrap_or("ANY");
    if method != "ANY" && methods.first().is_none_or(|own| own != method) {
        request.insert("method".to_owned(), method.into());
    }
    for (to, from) in integration["requestParameters"].as_object().into_iter().flatten() {
        let same = |place: &str| {
            let name = to.strip_prefix(&format!("integration.request.{place}."));
            name.is_some_and(|name| *from == *format!("method.request.{place}.{name}"))
        };
        if !["path", "querystring", "header"].into_iter().any(same) {
            draft.left(format!("{of}: its parameter `{to}`"));
        }
    }
    route.insert("request".to_owned(), Value::Object(request));
}

/// A text, also where CloudFormation fills it in. What it knows of itself has colons, as the parts of an ARN are told by.
fn text(value: &Value) -> String {
    let filled = value["Fn::Sub"].as_str().or_else(|| value["Fn::Sub"][0].as_str());
    let text = value.as_str().or(filled).unwrap_or_default();
    text.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "").replace("${AWS::AccountId}", "")
}

/// The region, as the upstream's settings, and the function of an invocation's ARN:
/// `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations`.
fn function(uri: &str) -> Option<(Value, String)> {
    let arn = uri.split("/functions/").nth(1)?.strip_suffix("/invocations")?;
    let arn = with_references(arn);
    let region = uri.split(':').nth(3).filter(|region| !region.contains('$') && !region.is_empty());
    let settings = json!({"region": region.unwrap_or(REGION)});
    // A reference to a resource has the resource's name, and so has an ARN that CloudFormation completes.
    let name = arn.strip_prefix("${").and_then(|rest| rest.strip_suffix(".Arn}"));
    let name = name.or_else(|| arn.split_once("::function:").map(|(_, name)| name));
    Some((settings, name.map_or_else(|| arn.clone(), str::to_owned)))
}

/// Stage variables as references to the environment. One that is missing there is an error.
fn with_references(text: &str) -> String {
    let mut parts = text.split("${stageVariables.");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        made.push_str(&format!("${{{name}}}{rest}"));
    }
    made
}

/// `/files/{proxy+}` as this configuration writes it.
fn tail(path: &str) -> String {
    match path.split_once("+}") {
        Some((before, after)) => match before.rsplit_once('{') {
            Some((start, name)) => format!("{start}{{*{name}}}{after}"),
            None => path.to_owned(),
        },
        None => path.to_owned(),
    }
}

/// What the CORS of an HTTP API says, and how.
const CORS: CorsNames<'_> =
    (["allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders"], "allowCredentials", "maxAge");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_found_in_the_uri_of_an_integration() {
        let of =
            |name: &str| format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{name}/invocations");
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live";
        assert_eq!(function(&of(arn)), Some((json!({"region": "eu-west-1"}), arn.to_owned())));
        assert_eq!(function(&of("${Orders.Arn}")).map(|(_, name)| name).as_deref(), Some("Orders"));
        let filled = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:orders/invocations";
        let found = function(&text(&json!({"Fn::Sub": filled})));
        assert_eq!(found, Some((json!({"region": "${AWS_REGION}"}), "orders".to_owned())));
        assert_eq!(function("http://pets.example.com/{id}"), None);
    }

    #[test]
    fn a_greedy_parameter_is_a_tail_capture() {
        assert_eq!([tail("/a/{proxy+}"), tail("/a/{id}")], ["/a/{*proxy}", "/a/{id}"]);
    }
}
