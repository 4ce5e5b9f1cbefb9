//! A function, bound: its path and its key are ready to be sent.

use std::borrow::Cow;

use callgate_core::{Body, CallContext, Invalid, UpstreamError};
use callgate_transform::{Payload, Scope};
use http::{HeaderValue, Request};
use percent_encoding::{CONTROLS, utf8_percent_encode};

use crate::{
    config::Config,
    credentials::AuthLevel,
    route::Templated,
    shape,
    target::{Path, Target},
};

/// A function of an app.
#[derive(Debug)]
pub struct Function {
    /// The function's name, for the log.
    name: String,
    /// What stands before the route: the URL's own path and the app's prefix.
    base: String,
    route: Route,
    appends: bool,
    key: Option<HeaderValue>,
}

#[derive(Debug)]
enum Route {
    /// The whole path, prefix and all.
    Fixed(String),
    Templated(Templated),
}

impl Function {
    pub(crate) fn new(config: &Config, base: &str, target: Target) -> Result<Self, Invalid> {
        let level = level(config, &target);
        let key = config.credentials.key(&target.name, level).map_err(|missing| no_key(&missing, &target))?;
        let key = key.map(|key| sensitive(key.expose())).transpose().map_err(|_| {
            Invalid::new("the function's key holds a character that no HTTP header may hold").at("name")
        })?;
        let route = match &target.route {
            Some(route) if Templated::is(route.value.as_str()) => {
                Route::Templated(Templated::compile(route, &target.allow)?)
            }
            _ => {
                let route = utf8_percent_encode(target.route().trim_matches('/'), CONTROLS);
                Route::Fixed(format!("{base}/{route}"))
            }
        };
        Ok(Self { base: base.to_owned(), route, appends: target.path == Path::Append, key, name: target.name })
    }

    /// The function's name for the log.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Turns the invocation into what is sent to the app, but for an identity's token.
    pub(crate) async fn request(
        &self,
        request: Request<Body>,
        context: &CallContext,
    ) -> Result<Request<Body>, UpstreamError> {
        let (mut head, mut body) = request.into_parts();
        let path = match &self.route {
            Route::Fixed(path) => Cow::Borrowed(path.as_str()),
            Route::Templated(route) => {
                let mut payload = Payload::Streaming;
                if route.reads_body() {
                    let bytes = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
                    payload = Payload::from(bytes.clone());
                    body = Body::from(bytes);
                }
                Cow::Owned(self.render(route, &Scope::of_request(&head, &payload, context.exchange()))?)
            }
        };
        let tail = if self.appends { context.tail() } else { None };
        head.uri = shape::uri(&path, tail, head.uri.query())?;
        shape::clean(&mut head.headers);
        if let Some(key) = &self.key {
            head.headers.insert(shape::KEY, key.clone());
        }
        Ok(Request::from_parts(head, body))
    }

    fn render(&self, route: &Templated, scope: &Scope) -> Result<String, UpstreamError> {
        let route = route.render(scope)?;
        tracing::debug!(function = self.name, route, "The function's route was rendered.");
        Ok(format!("{}/{route}", self.base))
    }
}

/// The level that a function has with these settings.
pub(crate) fn level(config: &Config, target: &Target) -> AuthLevel {
    target.auth_level.unwrap_or_else(|| config.credentials.default_level())
}

/// Says at the function's place that its key is missing.
pub(crate) fn no_key(missing: &crate::credentials::NoKey, target: &Target) -> Invalid {
    let field = if target.auth_level.is_some() { "auth_level" } else { "name" };
    Invalid::new(missing.to_string()).at(field).hint(missing.hint())
}

/// A header's value that is never printed.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}
