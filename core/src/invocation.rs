//! A request on its way to a function.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime},
};

use callgate_transform::Exchange;
use http::{
    HeaderValue, Method, Version,
    uri::{PathAndQuery, Scheme},
};

use crate::{
    body::Body,
    edge::{ClientCertificate, ShownCertificate},
    gateway::Recorder,
    observe::Traced,
    policy::Awaited,
    request_id::RequestId,
    upstream::Tried,
};

/// What a function answers.
pub type Response = http::Response<Body>;

/// How many headers a kind takes over from a function or a message. A map of headers panics at some 24,000.
pub const MOST_HEADERS: usize = 1000;

/// A request as the function is to get it: matched, normalised, transformed, its hop-by-hop headers removed and the
/// forwarding headers set.
///
/// The URI is in origin form (path and query). `host` is absent unless a transformation step set it; the client's own
/// is in [`CallContext::host`]. An upgrade that the client asks for is in the request's extensions.
#[derive(Debug)]
pub struct Invocation {
    /// The request to send.
    pub request: http::Request<Body>,
    /// What the gateway knows beside the message.
    pub context: Arc<CallContext>,
}

/// What the gateway knows of a request beside the message itself.
#[derive(Debug, Clone)]
pub struct CallContext {
    pub(crate) route: Arc<RouteInfo>,
    pub(crate) origin: Origin,
    pub(crate) request_id: RequestId,
    pub(crate) deadline: Option<Instant>,
    pub(crate) stream_deadline: Option<Instant>,
    pub(crate) max_body: u64,
    pub(crate) tail: Option<Tail>,
    pub(crate) exchange: Exchange,
    pub(crate) carries_all_headers: bool,
    pub(crate) tried: Option<Tried>,
    /// Whether the client's body is waited for, where it streams and the time is bounded.
    pub(crate) client: Option<Awaited>,
    /// Notes the calls of a request that an operator tries.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// The request as a span, if it is recorded.
    pub(crate) span: Option<Arc<Traced>>,
    /// Whether it was let in before it came here: a trigger's message, which the document itself sends.
    pub(crate) trusted: bool,
    pub(crate) principal: Option<Arc<str>>,
    /// Told who came, if the request is logged.
    pub(crate) who: Option<Who>,
    /// Whether a policy of `auth` let it in.
    pub(crate) authenticated: bool,
}

/// Who a request came from, once that is known, for whoever logs it: also where the call fails then.
pub(crate) type Who = Arc<OnceLock<Arc<str>>>;

/// The tail capture as it stands in the path that was matched.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) matched: PathAndQuery,
    pub(crate) start: usize,
}

/// The route that matched, as events and logs name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The route's name; without one in the configuration, the text of its match.
    pub name: Arc<str>,
    /// The path of the match as it was written: `/orders/{id}`, or a regular expression.
    pub path: Arc<str>,
    /// The name of the tail capture, if the path has one.
    pub(crate) tail: Option<Arc<str>>,
}

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The client's address: the peer, or what trusted proxies say.
    pub client: Option<SocketAddr>,
    /// `http` or `https`, as the client spoke it.
    pub scheme: Scheme,
    /// The host that the client asked for, with its port if there was one.
    pub host: Option<HeaderValue>,
    /// The client's method, before any step changed it.
    pub method: Method,
    /// The protocol that the client spoke.
    pub version: Version,
    /// When the request's head was read, by the wall clock.
    pub received: SystemTime,
    /// The same moment by the monotonic clock.
    pub started: Instant,
    pub(crate) certificate: Option<Arc<ShownCertificate>>,
}

impl Origin {
    /// The certificate that the client showed on its connection to the gateway, verified; `None` where it showed none.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref().map(|shown| shown.certificate())
    }
}

impl CallContext {
    /// The route that matched.
    pub fn route(&self) -> &RouteInfo {
        &self.route
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The host that the client asked for, as text.
    pub fn host(&self) -> Option<&str> {
        self.origin.host.as_ref().and_then(|host| host.to_str().ok())
    }

    /// The request's id.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// When the reply's head has to be there. The core ends the call by itself then; a kind only needs it to tell the
    /// function or to clean up behind it.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When a streamed reply has to be over (`timeout`); `None` where it may take as long as it needs.
    pub fn stream_deadline(&self) -> Option<Instant> {
        self.stream_deadline
    }

    /// How many bytes of a body may be buffered (`limits.max_body`).
    pub fn max_body(&self) -> u64 {
        self.max_body
    }

    /// What the route's tail capture `{*rest}` took of the path, escapes as they are and without a leading slash;
    /// `None` for a route without one. Steps that change the path don't change it.
    pub fn tail(&self) -> Option<&str> {
        let Tail { matched, start } = self.tail.as_ref()?;
        Some(matched.path().get(*start..).unwrap_or_default())
    }

    /// Whether all headers of the request are meant for the function, as those of a dead letter are. A kind that sends
    /// along only what its function names then sends all of them.
    pub fn carries_all_headers(&self) -> bool {
        self.carries_all_headers
    }

    /// Which endpoints the former attempts of this request used, where it may be tried more than once. A kind with
    /// several endpoints adds the one that it takes, and prefers those that were not used.
    pub fn tried(&self) -> Option<&Tried> {
        self.tried.as_ref()
    }

    /// Whether more of the request's body is waited for at the moment. Who is too slow then is the client, so that a call
    /// which is dropped at its deadline says nothing of the endpoint.
    pub fn waits_for_client(&self) -> bool {
        self.client.as_ref().is_some_and(Awaited::is_awaited)
    }

    /// A text that has to be the same in every attempt of a request, such as the id by which repetitions are known: the
    /// first attempt makes it. `name` is the kind's own. Where there is one attempt only it is just made.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn once<E>(&self, name: &'static str, make: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        match &self.tried {
            Some(tried) => tried.text(name, make),
            None => make(),
        }
    }

    /// Who the client is, where `auth` found out: the name of a key or user, or the `sub` of a token.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// The values that templates of a target see: captures, extracted values, claims.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }
}
