//! The calls: from JSON, and of clients that speak gRPC themselves.

mod pass;
mod stream;
mod text;
mod unary;
mod web;

use std::time::{Duration, Instant};

use callgate_core::{Body, CallContext, ErrorKind, Response, UpstreamError, written};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, header, request::Parts};
use prost_reflect::DynamicMessage;

use crate::{
    config::Json,
    contract::{Contract, Method},
    error::{self, Refused},
    frame,
    function::Bound,
    input::{Input, Source},
    json,
    reply::Messages,
    rule::Matched,
    service::Service,
    shape,
};

pub(crate) use pass::pass;

/// How far before the gateway's own deadline a service's is taken for it: both clocks count from other moments.
const SLACK: Duration = Duration::from_millis(100);

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Grpc,
    /// gRPC-Web, with bodies as they are or in base64.
    Web {
        is_text: bool,
    },
    Other,
}

impl Client {
    /// What the content type says.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let ends = |rest: &[u8]| matches!(rest.first(), None | Some(b'+' | b';' | b' '));
        let after = |start: &[u8]| kind.strip_prefix(start).is_some_and(ends);
        if after(b"application/grpc") {
            Self::Grpc
        } else if after(b"application/grpc-web") {
            Self::Web { is_text: false }
        } else if after(b"application/grpc-web-text") {
            Self::Web { is_text: true }
        } else {
            Self::Other
        }
    }
}

/// Calls a method with the message that a request's JSON, path and query make.
pub(crate) async fn json(
    service: &Service,
    bound: &Bound,
    contract: Option<&Contract>,
    settings: Json,
    request: Request<Body>,
    context: &CallContext,
) -> Result<Response, UpstreamError> {
    let Made { method, parts, message, headers, deadline, response_body } =
        made(bound, contract, request, context).await?;
    let answered = async {
        let reply = service.call(method.path.clone(), headers, Body::from(frame::encode(&message))).await?;
        let (head, messages) = Messages::open(reply, context.max_body())?;
        let writing = stream::Writer::new(method, settings.writing(), response_body);
        if method.streams_replies {
            stream::answer(head, messages, writing, stream::Form::of(&parts.headers)).await
        } else {
            unary::answer(&head, messages, &writing).await
        }
    };
    answered.await.map_err(|error| in_time(error, deadline))
}

/// What a method would be called with: its path, the metadata, and the message as JSON.
pub(crate) fn preview(
    bound: &Bound,
    contract: &Contract,
    settings: Json,
    request: Request<Body>,
    context: &CallContext,
) -> Result<Option<String>, UpstreamError> {
    // The body is in memory, so that nothing has to be waited for.
    let Some(made) = made(bound, Some(contract), request, context).now_or_never() else { return Ok(None) };
    let made = made?;
    let message = json::write(&made.message, settings.writing()).map_err(Refused::from)?;
    let mut shown = Request::new(Body::from(message));
    *shown.method_mut() = http::Method::POST;
    *shown.uri_mut() = made.method.path.clone().into();
    *shown.headers_mut() = made.headers;
    // How much time is left says nothing about another call.
    shown.headers_mut().remove(shape::TIMEOUT);
    Ok(Some(written(&shown)))
}

/// A call that is ready to be made.
struct Made<'a> {
    method: &'a Method,
    parts: Parts,
    message: DynamicMessage,
    headers: HeaderMap,
    deadline: Option<Instant>,
    response_body: Option<&'a str>,
}

async fn made<'a>(
    bound: &'a Bound,
    contract: Option<&'a Contract>,
    request: Request<Body>,
    context: &CallContext,
) -> Result<Made<'a>, UpstreamError> {
    let Chosen { method, input, rule } = chosen(bound, contract, &request)?;
    let (parts, body) = request.into_parts();
    let response_body = rule.as_ref().and_then(|matched| matched.rule.response_body.as_deref());
    let message = input.read(method, Source { parts: &parts, context, rule }, body).await?;
    // A stream of replies may take longer than its head.
    let deadline = if method.streams_replies { context.stream_deadline() } else { context.deadline() };
    let headers = shape::request(&parts.headers, deadline.map(left))?;
    Ok(Made { method, parts, message, headers, deadline, response_body })
}

/// The method that a request is for, and the rule by which.
struct Chosen<'a> {
    method: &'a Method,
    input: &'a Input,
    rule: Option<Matched<'a>>,
}

fn chosen<'a>(
    bound: &'a Bound,
    contract: Option<&'a Contract>,
    request: &Request<Body>,
) -> Result<Chosen<'a>, UpstreamError> {
    const UNDESCRIBED: &str = "This route serves clients of gRPC and gRPC-Web only.";
    let (verb, path) = (request.method(), request.uri().path());
    match (bound, contract) {
        (Bound::Method(method, input), _) => Ok(Chosen { method, input, rule: method.rule(verb, path) }),
        (Bound::OnlyGrpc, _) | (Bound::Service(_), None) => Err(error::only_grpc(UNDESCRIBED)),
        (Bound::Service(input), Some(contract)) => {
            // A path alone says nothing of what a call does, so that it takes what may do anything.
            let (method, rule) = match contract.at(path).filter(|_| verb == http::Method::POST) {
                Some(method) => (method, method.rule(verb, path)),
                None => {
                    let (method, rule) = contract.ruled(verb, path).ok_or_else(|| error::no_method(verb, path))?;
                    (method, Some(rule))
                }
            };
            if method.streams_requests {
                return Err(error::only_grpc("The method takes a stream of messages, which only gRPC can send."));
            }
            Ok(Chosen { method, input, rule })
        }
    }
}

/// Whether a request that JSON comes with may be sent twice: its rule is of a method of HTTP that may, or the service's
/// description says so. The route's own method says nothing of what the service does.
pub(crate) fn is_idempotent(bound: &Bound, contract: Option<&Contract>, request: &Request<Body>) -> bool {
    let Ok(Chosen { method, rule, .. }) = chosen(bound, contract, request) else { return false };
    let verb = rule.and_then(|matched| matched.rule.method.as_ref());
    method.is_idempotent || verb.is_some_and(http::Method::is_idempotent)
}

/// How long a deadline is away.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A service that gives up at the deadline that it was told fails as the gateway would a moment later.
fn in_time(error: UpstreamError, deadline: Option<Instant>) -> UpstreamError {
    let is_late = deadline.is_some_and(|deadline| Instant::now() + SLACK >= deadline);
    // It may as well reset the stream.
    let gave_up = error.counts_as() == Some(ErrorKind::Timeout) || error.kind() == ErrorKind::BadReply;
    if is_late && gave_up { error::too_late().with_source(error) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    #[test]
    fn a_client_is_known_by_its_content_type() {
        let of = |kind: &'static str| {
            Client::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        assert_eq!(of("application/grpc"), Client::Grpc);
        assert_eq!(of("application/grpc+proto"), Client::Grpc);
        assert_eq!(of("application/grpc; x=y"), Client::Grpc);
        assert_eq!(of("application/grpc-web"), Client::Web { is_text: false });
        assert_eq!(of("application/grpc-web+proto"), Client::Web { is_text: false });
        assert_eq!(of("application/grpc-web-text+proto"), Client::Web { is_text: true });
        for other in ["application/json", "application/grpc-else", "application/grpcx", ""] {
            assert_eq!(of(other), Client::Other, "{other}");
        }
        assert_eq!(Client::of(&HeaderMap::new()), Client::Other);
    }

    #[test]
    fn a_call_may_be_repeated_by_its_rule_or_its_description_and_not_by_the_routes_method() {
        let contract = crate::contract::tests::contract(
            "rpc Do(M) returns (M) { option (google.api.http) = {
                 get: \"/v1/do\" additional_bindings {post: \"/v1/do\" body: \"*\"} }; }
             rpc Put(M) returns (M) { option idempotency_level = IDEMPOTENT; }",
        );
        let bound = |target: crate::Target| Bound::new(&target, &contract, Json::default()).unwrap();
        let named = |name: &str| bound(crate::Target { method: Some(name.to_owned()), ..crate::Target::default() });
        let (all, to_do, put) = (bound(crate::Target::default()), named("a.b.S/Do"), named("a.b.S/Put"));
        let is = |bound: &Bound, method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            is_idempotent(bound, Some(&contract), &request)
        };
        assert!(is(&all, "GET", "/v1/do") && is(&to_do, "GET", "/v1/do"));
        assert!(!is(&all, "POST", "/v1/do") && !is(&to_do, "POST", "/v1/do"));
        assert!(!is(&to_do, "GET", "/elsewhere") && !is(&to_do, "PUT", "/elsewhere"));
        assert!(is(&all, "POST", "/a.b.S/Put") && is(&put, "POST", "/elsewhere"));
        assert!(!is(&all, "POST", "/a.b.S/Do"));
    }

    #[test]
    fn a_methods_own_path_takes_post_alone() {
        let contract = crate::contract::tests::contract("rpc Do(M) returns (M);");
        let bound = Bound::new(&crate::Target::default(), &contract, Json::default()).unwrap();
        for (method, is_taken) in [("POST", true), ("GET", false), ("DELETE", false)] {
            let request = Request::builder().method(method).uri("/a.b.S/Do").body(Body::empty()).unwrap();
            assert_eq!(chosen(&bound, Some(&contract), &request).is_ok(), is_taken, "{method}");
        }
    }

    #[test]
    fn the_services_deadline_is_the_gateways_where_they_are_one() {
        let failed = |code| {
            error::status(
                &crate::status::Status { code, message: String::new(), details: None },
                &prost_reflect::DescriptorPool::new(),
            )
        };
        let now = Some(Instant::now());
        assert_eq!(in_time(failed(Code::DEADLINE_EXCEEDED), now).kind(), ErrorKind::Timeout);
        assert_eq!(in_time(failed(Code::UNKNOWN), now).kind(), ErrorKind::GrpcStatus);
        let later = Some(Instant::now() + Duration::from_secs(60));
        assert_eq!(in_time(failed(Code::DEADLINE_EXCEEDED), later).kind(), ErrorKind::GrpcStatus);
        assert_eq!(in_time(failed(Code::DEADLINE_EXCEEDED), None).kind(), ErrorKind::GrpcStatus);
    }
}
