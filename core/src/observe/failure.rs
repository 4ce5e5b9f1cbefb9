//! The log of failures: once each, where they become an answer.

use tracing::{debug, error, warn};

use crate::{
    failure::Failure,
    invocation::RouteInfo,
    request_id::RequestId,
    respond::{self, Code},
};

/// Logs a failure with `error`, its whole chain of causes: a client's mistake quietly, the gateway's and an upstream's aloud.
pub(crate) fn log_failure(failure: &Failure, error: &str, id: RequestId, route: Option<&RouteInfo>) {
    let code = Code::from(failure).as_str();
    let route = route.map_or("", |route| &route.name);
    match failure.cause() {
        Failure::NoRoute
        | Failure::MethodNotAllowed { .. }
        | Failure::BadRequest(_)
        | Failure::RequestTooLarge { .. }
        | Failure::RequestBody(_)
        | Failure::RequestBroken(_)
        // That the policy began to refuse was told aloud, once.
        | Failure::Refused { .. } => {
            debug!(request_id = %id, route, code, error, "A request was refused.");
        }
        Failure::Template { error: reason, .. } if Failure::is_clients(reason) => {
            debug!(request_id = %id, route, code, error, "A request was refused.");
        }
        // What a kind or the function itself holds against the request.
        Failure::Upstream(_) if respond::status(failure).is_client_error() => {
            debug!(request_id = %id, route, code, error, "A request was refused.");
        }
        Failure::Denied(denial) if !denial.is_clients() => {
            warn!(request_id = %id, route, code, error, "A request could not be let in.");
        }
        Failure::Denied(_) => debug!(request_id = %id, route, code, error, "A request was refused."),
        Failure::Template { .. } | Failure::ReplyTooLarge { .. } | Failure::ReplyBody(_) => {
            error!(request_id = %id, route, code, error, "A reply could not be used.");
        }
        Failure::TimedOut | Failure::Undecided | Failure::Upstream(_) | Failure::Retried(_) => {
            warn!(request_id = %id, route, code, error, "An upstream failed.");
        }
    }
}
