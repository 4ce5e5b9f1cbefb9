//! The document that the gateway publishes of its own routes.

mod compose;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

pub(crate) use compose::compose;

use crate::{
    body::Body,
    error::UpstreamError,
    invocation::{Invocation, Response},
    plan::RoutePlan,
    routing::{HostPattern, PathMatch},
    upstream::{BoxFuture, Description, Function},
};

/// How long all functions together may take to be described.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a document is kept of which a function could not be described.
const INCOMPLETE: Duration = Duration::from_secs(30);

/// What the document says of the API as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OpenapiSettings {
    /// The API's name. Default: `API`.
    pub(super) title: String,
    /// The API's version. Default: `1.0`.
    pub(super) version: crate::document::Text,
    /// What the API is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// The URLs that clients reach the gateway at. Default: where the document itself came from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<String>,
}

impl Default for OpenapiSettings {
    fn default() -> Self {
        Self { title: "API".to_owned(), version: "1.0".to_owned().into(), description: None, servers: Vec::new() }
    }
}

/// A route as the document shows it.
#[derive(Clone)]
pub(crate) struct Published {
    pub(super) host: Option<HostPattern>,
    pub(super) name: Arc<str>,
    /// Whether the configuration names it.
    pub(super) is_named: bool,
    pub(super) path: String,
    pub(super) captures: Vec<String>,
    /// Empty for any.
    pub(super) methods: Vec<String>,
    pub(super) function: Option<Arc<dyn Function>>,
}

impl Published {
    /// A route with a path that OpenAPI can say: a template, not a regular expression.
    pub(crate) fn of(route: &RoutePlan) -> Option<Self> {
        let PathMatch::Pattern(pattern) = &route.matcher.path else { return None };
        Some(Self {
            host: route.host.clone(),
            name: Arc::clone(&route.info.name),
            is_named: route.is_named(),
            path: pattern.to_string().replace("{*", "{"),
            captures: pattern.capture_names().map(ToOwned::to_owned).collect(),
            methods: route.matcher.methods.iter().map(|method| method.as_str().to_ascii_lowercase()).collect(),
            function: None,
        })
    }

    /// Whether it is the route of this very name, which others may have as well.
    pub(crate) fn is_of(&self, name: &Arc<str>) -> bool {
        Arc::ptr_eq(&self.name, name)
    }

    /// The same with the function that serves it.
    pub(crate) fn with_function(mut self, function: Option<Arc<dyn Function>>) -> Self {
        self.function = function;
        self
    }
}

/// Answers with the document of all routes of its host and of those for any host.
pub(crate) struct Publication {
    pub(crate) settings: OpenapiSettings,
    pub(crate) host: Option<HostPattern>,
    /// Filled in when all routes are bound.
    pub(crate) routes: Arc<OnceLock<Vec<Published>>>,
    pub(crate) kept: Mutex<Option<Kept>>,
}

/// A document that was made.
pub(crate) struct Kept {
    made: Instant,
    is_complete: bool,
    document: Bytes,
}

impl Publication {
    pub(crate) fn new(
        settings: OpenapiSettings,
        host: Option<HostPattern>,
        routes: Arc<OnceLock<Vec<Published>>>,
    ) -> Self {
        Self { settings, host, routes, kept: Mutex::default() }
    }

    async fn document(&self) -> Bytes {
        if let Some(kept) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && (kept.is_complete || kept.made.elapsed() < INCOMPLETE)
        {
            return kept.document.clone();
        }
        let routes = self.routes.get().map(Vec::as_slice).unwrap_or_default();
        let shown: Vec<_> = routes.iter().filter(|route| route.host.is_none() || route.host == self.host).collect();
        let described = shown.iter().map(|route| async {
            match &route.function {
                Some(function) => function.describe().await,
                None => Ok(None),
            }
        });
        let described = timeout(PATIENCE, futures_util::future::join_all(described)).await.unwrap_or_default();
        let is_complete = described.len() == shown.len() && described.iter().all(Result::is_ok);
        let mut described: Vec<Option<Description>> = described.into_iter().map(|one| one.ok().flatten()).collect();
        described.resize(shown.len(), None);
        let document = compose(&self.settings, shown.into_iter().zip(described));
        let document = Bytes::from(format!("{document:#}"));
        let kept = Kept { made: Instant::now(), is_complete, document: document.clone() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        document
    }
}

impl Function for Publication {
    fn call(self: Arc<Self>, _: Invocation) -> BoxFuture<'static, Result<Response, UpstreamError>> {
        Box::pin(async move { Ok(response(self.document().await)) })
    }
}

/// The document as a response.
pub(crate) fn response(document: Bytes) -> Response {
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
