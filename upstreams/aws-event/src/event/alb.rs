//! The event of an Application Load Balancer, as a target group sends it that has no multi-value headers.

use super::{
    EventInput, body,
    headers::{self, Repeated},
    json::Json,
    query::Parameters,
};

/// Functions tell the event by this field; nothing is at the address.
const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/callgate/0000000000000000";

pub(super) fn write(json: &mut Json, input: &EventInput<'_>) {
    json.open();
    json.key("requestContext").open().key("elb").open();
    json.key("targetGroupArn").string(TARGET_GROUP);
    json.close().close();
    json.key("httpMethod").string(input.method.as_str());
    json.key("path").string(input.path);
    json.key("queryStringParameters");
    // A load balancer does not decode the query.
    Parameters::encoded(input.query).write(json, Repeated::Last);
    json.key("headers");
    headers::write(json, input, Repeated::Last, true);
    body::write(json, input.headers, input.body, |json| {
        json.key("body").string("");
    });
    json.close();
}
