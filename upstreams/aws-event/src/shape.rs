//! The options `payload` and `reply` of a function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The event that a function is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Payload {
    /// The event of an API Gateway HTTP API, format 2.0 (function URLs send the same).
    #[default]
    #[serde(rename = "apigateway_v2")]
    ApiGatewayV2,
    /// The event of an API Gateway REST API, format 1.0.
    #[serde(rename = "apigateway_v1")]
    ApiGatewayV1,
    /// The event of an Application Load Balancer.
    #[serde(rename = "alb")]
    Alb,
    /// The request's body is the event; an empty body is `{}`.
    #[serde(rename = "raw")]
    Raw,
}

/// How a function's reply is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// As an HTTP response: `statusCode`, `headers`, `multiValueHeaders`, `cookies`, `body`, `isBase64Encoded`.
    Http,
    /// As the body of a 200.
    Raw,
}

/// Payload and reply together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The event to send.
    pub payload: Payload,
    /// How the reply is read.
    pub reply: Reply,
}

impl Shape {
    /// Without a `reply`, it follows the payload: `raw` for `raw`, `http` for the events.
    pub fn new(payload: Payload, reply: Option<Reply>) -> Self {
        let reply = reply.unwrap_or(match payload {
            Payload::Raw => Reply::Raw,
            Payload::ApiGatewayV2 | Payload::ApiGatewayV1 | Payload::Alb => Reply::Http,
        });
        Self { payload, reply }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::new(Payload::default(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_follows_the_payload() {
        assert_eq!(Shape::new(Payload::Raw, None).reply, Reply::Raw);
        assert_eq!(Shape::new(Payload::Alb, None).reply, Reply::Http);
        assert_eq!(Shape::new(Payload::Raw, Some(Reply::Http)).reply, Reply::Http);
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        let payload = |text| serde_json::from_str::<Payload>(text).unwrap();
        assert_eq!(payload("\"apigateway_v1\""), Payload::ApiGatewayV1);
        assert_eq!(payload("\"apigateway_v2\""), Payload::default());
        assert_eq!(serde_json::to_string(&Reply::Http).unwrap(), "\"http\"");
    }
}
