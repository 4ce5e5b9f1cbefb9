//! `external`: an HTTP service decides.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{denied::Denied, identity::Identity};
use crate::{
    body::Body,
    document::Period,
    error::chain,
    gateway::REQUEST_ID,
    invocation::CallContext,
    policy::{denial::Denial, rate_limit::Name, settings::Inherit},
    remote::HttpService,
    respond::Code,
    upstream::{Context, Invalid},
};

const DEFAULT_TIMEOUT: Period = Period::from_secs(1);

/// How much of a decision's body is read, so that its connection can be used again.
const MOST: u64 = 64 << 10;

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An HTTP service that decides: it gets a GET with the headers of the request that are forwarded, and
/// `x-forwarded-method`, `-uri`, `-host`, `-proto` and `-for`. 2xx lets the request in; 401, 403 and other 4xx don't.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExternalSettings {
    /// The service's `http` or `https` URL. Default: none, it is required here or around.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Which headers go there and come back.
    headers: ExternalHeaders,
    /// How long it may take. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Period>,
    /// What holds when it does not answer, or answers with anything else. Default: `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<OnFailure>,
}

/// Which headers go to the service and come back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExternalHeaders {
    /// Those of the request that the service gets. Default: `[authorization, cookie]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    forward: Option<Vec<Name>>,
    /// Those of its answer that the function gets; the client's own of these names never arrive. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    add: Option<Vec<Name>>,
}

/// What holds when the service can't decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnFailure {
    /// The request is refused.
    Deny,
    /// The request is let in.
    Allow,
}

impl Inherit for ExternalSettings {
    fn inherit(self, outer: &Self) -> Self {
        let (headers, around) = (self.headers, &outer.headers);
        Self {
            url: self.url.or_else(|| outer.url.clone()),
            headers: ExternalHeaders {
                forward: headers.forward.or_else(|| around.forward.clone()),
                add: headers.add.or_else(|| around.add.clone()),
            },
            timeout: self.timeout.or(outer.timeout),
            on_failure: self.on_failure.or(outer.on_failure),
        }
    }
}

/// The service and what is asked of it, checked.
#[derive(Debug, Clone)]
pub(super) struct ExternalPlan {
    pub(super) url: String,
    forward: Vec<HeaderName>,
    add: Vec<HeaderName>,
    timeout: Duration,
    on_failure: OnFailure,
}

impl ExternalSettings {
    pub(super) fn resolve(&self) -> Result<ExternalPlan, Invalid> {
        let url = self.url.clone().ok_or_else(|| Invalid::new("there is no `url`").at("external"))?;
        super::url::check(&url).map_err(|invalid| invalid.at("external.url"))?;
        let mut filled = self.clone();
        filled.fill();
        let names = |names: Option<Vec<Name>>| names.unwrap_or_default().into_iter().map(|name| name.0).collect();
        Ok(ExternalPlan {
            url,
            forward: names(filled.headers.forward),
            add: names(filled.headers.add),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT).get(),
            on_failure: self.on_failure.unwrap_or(OnFailure::Deny),
        })
    }

    pub(super) fn fill(&mut self) {
        self.headers.forward.get_or_insert_with(|| vec![Name(header::AUTHORIZATION), Name(header::COOKIE)]);
        self.timeout.get_or_insert(DEFAULT_TIMEOUT);
        self.on_failure.get_or_insert(OnFailure::Deny);
    }
}

/// A service that decides.
pub(super) struct External {
    pub(super) plan: ExternalPlan,
    pub(super) service: Arc<dyn HttpService>,
    pub(super) context: Context,
}

impl External {
    pub(super) async fn check(&self, parts: &Parts, call: &CallContext) -> Result<Identity, Denied> {
        let failed = |reason: String| match self.plan.on_failure {
            OnFailure::Allow => {
                tracing::warn!(reason, "The authorization service can't decide; the request is let in.");
                Ok(Identity::default())
            }
            OnFailure::Deny => Err(Denied::unknown("The authorization service can't be asked at the moment.", reason)),
        };
        let asked = timeout(self.plan.timeout, self.service.call(self.question(parts, call))).await;
        let decision = match asked {
            Ok(Ok(decision)) => decision,
            Ok(Err(error)) => return failed(chain(&error)),
            Err(_) => return failed(format!("no answer within {} ms", self.plan.timeout.as_millis())),
        };
        let status = decision.status();
        if status.is_success() {
            let identity = Identity::told(self.told(&decision));
            self.dispose(decision);
            return Ok(identity);
        }
        if status.is_client_error() {
            let denied = refused(&decision);
            self.dispose(decision);
            return Err(denied);
        }
        self.dispose(decision);
        failed(format!("it answers {status}"))
    }

    fn question(&self, parts: &Parts, call: &CallContext) -> Request<Body> {
        let mut question = Request::new(Body::empty());
        let headers = question.headers_mut();
        let same = [FORWARDED_FOR, REQUEST_ID];
        for name in self.plan.forward.iter().chain(&same) {
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let facts = [
            (FORWARDED_METHOD, text(call.origin().method.as_str())),
            (FORWARDED_URI, text(target)),
            (FORWARDED_PROTO, text(call.origin().scheme.as_str())),
            (FORWARDED_HOST, call.origin().host.clone()),
        ];
        for (name, value) in facts {
            value.map(|value| headers.insert(name, value));
        }
        question
    }

    fn told(&self, decision: &Response<Body>) -> Vec<(HeaderName, HeaderValue)> {
        let values = |name: &HeaderName| {
            let values = decision.headers().get_all(name).iter().cloned();
            values.map(|value| (name.clone(), value)).collect::<Vec<_>>()
        };
        self.plan.add.iter().flat_map(values).collect()
    }

    /// The body has nothing to say; it is read beside the request, so that its connection can be used again.
    fn dispose(&self, decision: Response<Body>) {
        let body = decision.into_body();
        if body.known_length() != Some(0) {
            let patience = self.plan.timeout;
            self.context.spawn_here(async move { drop(timeout(patience, body.collect(MOST)).await) });
        }
    }

    /// What the client says in the service's name does not arrive.
    pub(super) fn strip(&self, parts: &mut Parts) {
        for name in &self.plan.add {
            parts.headers.remove(name);
        }
    }
}

fn refused(decision: &Response<Body>) -> Denied {
    let detail = "The authorization service refuses this request.";
    let code = match decision.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        _ => Code::Forbidden,
    };
    let mut denied = Denied::forbidden(detail);
    denied.refusal = Denial::new(code, detail);
    if code == Code::Unauthenticated {
        denied.rank = super::denied::Rank::Invalid;
    }
    for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        for value in decision.headers().get_all(&name) {
            denied.refusal.headers.append(&name, value.clone());
        }
    }
    denied
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External").field("plan", &self.plan).finish_non_exhaustive()
    }
}
