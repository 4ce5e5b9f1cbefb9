//! The event of a REST API, format 1.0.

use super::{
    API, EventInput, STAGE, authorizer, body, domain_prefix,
    headers::{self, Repeated},
    json::Json,
    query::Parameters,
    time,
    v2::write_client,
    write_path_parameters, write_route_path,
};

pub(super) fn write(json: &mut Json, input: &EventInput<'_>) {
    let parameters = Parameters::decoded(input.query);
    json.open();
    json.key("version").string("1.0");
    json.key("resource").quote();
    write_route_path(json, input.route_path);
    json.quote();
    json.key("path").string(input.path);
    json.key("httpMethod").string(input.method.as_str());
    json.key("headers");
    headers::write(json, input, Repeated::Last, true);
    json.key("multiValueHeaders");
    headers::write(json, input, Repeated::Listed, true);
    json.key("queryStringParameters");
    parameters.write_or_null(json, Repeated::Last);
    json.key("multiValueQueryStringParameters");
    parameters.write_or_null(json, Repeated::Listed);
    json.key("requestContext");
    write_context(json, input);
    json.key("pathParameters");
    if input.path_parameters.is_empty() {
        json.null();
    } else {
        write_path_parameters(json, input);
    }
    json.key("stageVariables").null();
    body::write(json, input.headers, input.body, |json| {
        json.key("body").null();
    });
    json.close();
}

fn write_context(json: &mut Json, input: &EventInput<'_>) {
    let domain = input.domain();
    json.open();
    json.key("accountId").string(input.account());
    json.key("apiId").string(API);
    if let Some(claims) = input.claims {
        json.key("authorizer").open();
        authorizer::write(json, claims);
        json.close();
    }
    json.key("domainName").string(domain);
    json.key("domainPrefix").string(domain_prefix(domain));
    json.key("extendedRequestId").string(input.request_id);
    json.key("httpMethod").string(input.method.as_str());
    json.key("identity");
    write_identity(json, input);
    json.key("path").string(input.path);
    json.key("protocol").string(input.protocol());
    json.key("requestId").string(input.request_id);
    json.key("requestTime");
    time::write(json, input.time);
    json.key("requestTimeEpoch").number(time::epoch_millis(input.time));
    json.key("resourceId").null();
    json.key("resourcePath").quote();
    write_route_path(json, input.route_path);
    json.quote();
    json.key("stage").string(STAGE);
    json.close();
}

fn write_identity(json: &mut Json, input: &EventInput<'_>) {
    const UNKNOWN: [&str; 10] = [
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    ];
    json.open();
    for name in UNKNOWN {
        json.key(name).null();
    }
    json.key("sourceIp");
    write_client(json, input);
    json.key("userAgent").string_or_null(input.user_agent());
    json.close();
}
