//! The event of an HTTP API, format 2.0.

use super::{
    API, EventInput, STAGE, authorizer, body, domain_prefix,
    headers::{self, Repeated},
    json::Json,
    query::Parameters,
    time, write_path_parameters, write_route_path,
};

pub(super) fn write(json: &mut Json, input: &EventInput<'_>) {
    json.open();
    json.key("version").string("2.0");
    json.key("routeKey");
    write_route_key(json, input);
    json.key("rawPath").string(input.path);
    json.key("rawQueryString").string(input.query.unwrap_or_default());
    headers::write_cookies(json, input.headers);
    json.key("headers");
    headers::write(json, input, Repeated::Joined, false);
    let parameters = Parameters::decoded(input.query);
    if !parameters.is_empty() {
        json.key("queryStringParameters");
        parameters.write(json, Repeated::Joined);
    }
    json.key("requestContext");
    write_context(json, input);
    if !input.path_parameters.is_empty() {
        json.key("pathParameters");
        write_path_parameters(json, input);
    }
    body::write(json, input.headers, input.body, |_| {});
    json.close();
}

fn write_context(json: &mut Json, input: &EventInput<'_>) {
    let domain = input.domain();
    json.open();
    json.key("accountId").string(input.account());
    json.key("apiId").string(API);
    if let Some(claims) = input.claims {
        json.key("authorizer").open().key("jwt").open();
        authorizer::write(json, claims);
        json.close().close();
    }
    json.key("domainName").string(domain);
    json.key("domainPrefix").string(domain_prefix(domain));
    json.key("http").open();
    json.key("method").string(input.method.as_str());
    json.key("path").string(input.path);
    json.key("protocol").string(input.protocol());
    json.key("sourceIp");
    write_client(json, input);
    json.key("userAgent").string(input.user_agent().unwrap_or_default());
    json.close();
    json.key("requestId").string(input.request_id);
    json.key("routeKey");
    write_route_key(json, input);
    json.key("stage").string(STAGE);
    json.key("time");
    time::write(json, input.time);
    json.key("timeEpoch").number(time::epoch_millis(input.time));
    json.close();
}

fn write_route_key(json: &mut Json, input: &EventInput<'_>) {
    json.quote().part(input.method.as_str()).part(" ");
    write_route_path(json, input.route_path);
    json.quote();
}

/// Writes the client's address; empty where it has none (a Unix socket).
pub(super) fn write_client(json: &mut Json, input: &EventInput<'_>) {
    json.quote();
    if let Some(client) = input.client_ip {
        json.display(client);
    }
    json.quote();
}
