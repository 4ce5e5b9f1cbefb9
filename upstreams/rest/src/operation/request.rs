//! The request that the service gets.

use std::cell::OnceCell;

use callgate_core::{Body, CallContext, Invocation, UpstreamError};
use callgate_openapi::{In, Media, RequestValidation, Unfit};
use callgate_transform::{Payload, Scope, Shape};
use http::{HeaderValue, Request, Uri, header, request::Parts};
use http_body::Body as _;
use serde_json::Value;

use super::{
    Bound,
    inputs::{self, Given, ReadBody, Source},
    places,
};
use crate::error;

/// Holds requests against the document.
#[derive(Debug)]
pub(crate) struct Checks(RequestValidation);

impl Checks {
    pub(crate) fn new(validation: RequestValidation) -> Self {
        Self(validation)
    }
}

/// What becomes of the request's body.
enum Sending<'a> {
    /// There is none.
    Nothing,
    /// It goes on as it is.
    AsItIs(Option<&'a Media>),
    /// A value is made into this media type.
    Value(&'a Media, Value),
}

impl Bound {
    /// Makes the request. The body streams unless a value is taken out of it, or it is validated or made anew.
    pub(crate) async fn request(&self, invocation: Invocation) -> Result<Request<Body>, UpstreamError> {
        let Invocation { request, context } = invocation;
        let (mut head, mut body) = request.into_parts();
        let query = places::pairs(head.uri.query().unwrap_or_default());
        let mut given: Vec<_> = self.of_head(&head, &query, &context);
        let is_there = !body.is_end_stream() && body.known_length() != Some(0);
        let mut read = ReadBody { is_there, ..ReadBody::default() };
        let reads = is_there && self.reads_body(&head, &given);
        if reads {
            read.bytes = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
            body = Body::from(read.bytes.clone());
        }
        let json = OnceCell::new();
        let parse = || json.get_or_init(|| serde_json::from_slice::<Value>(&read.bytes));
        let is_json = reads && inputs::is_json(&head.headers);
        let scope = self.scope(&head, &read, reads, &context);
        self.fill(&mut given, scope.as_ref(), |parameter| match is_json.then(parse) {
            Some(Ok(json)) => inputs::from_body(parameter, json),
            // Whether it has to be JSON is seen below.
            Some(Err(_)) | None => Given::Nothing,
        })?;
        let sending = self.sending(&head, &read, is_json, scope.as_ref(), parse)?;
        self.check(&given, &sending, is_json.then(parse).and_then(|json| json.as_ref().ok()))?;
        self.write(&mut head, &given, &query)?;
        let body = match sending {
            Sending::Nothing => {
                head.headers.remove(header::CONTENT_TYPE);
                head.headers.remove(header::CONTENT_ENCODING);
                Body::empty()
            }
            Sending::AsItIs(_) => return Ok(Request::from_parts(head, body)),
            Sending::Value(media, value) => {
                let encoded = media.encode(&value).map_err(error::unfit)?;
                let content_type = HeaderValue::try_from(encoded.content_type);
                head.headers
                    .insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
                Body::from(encoded.bytes)
            }
        };
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.remove(header::TRAILER);
        Ok(Request::from_parts(head, body))
    }

    fn of_head(&self, head: &Parts, query: &[(String, String)], context: &CallContext) -> Vec<Given> {
        let parameters = self.operation.parameters().iter().zip(&self.sources);
        parameters
            .map(|(parameter, source)| match source {
                Source::Template(_) => Given::Nothing,
                Source::Request => inputs::from_head(parameter, head, query, context),
            })
            .collect()
    }

    /// Whether the body has to be read whole.
    fn reads_body(&self, head: &Parts, given: &[Given]) -> bool {
        let templates = self.sources.iter().filter_map(|source| match source {
            Source::Template(shape) => Some(shape),
            Source::Request => None,
        });
        if templates.chain(&self.body).any(Shape::reads_body) {
            return true;
        }
        let is_json = inputs::is_json(&head.headers);
        let mut looked_for = given.iter().zip(&self.sources);
        if is_json && looked_for.any(|(given, source)| matches!((given, source), (Given::Nothing, Source::Request))) {
            return true;
        }
        let Some(body) = self.operation.body().filter(|_| self.body.is_none()) else { return false };
        let matching = inputs::content_type(&head.headers).and_then(|given| body.matching(given));
        match matching {
            Some(media) => is_json && self.checks.as_ref().is_some_and(|checks| checks.0.has_body(media.range())),
            None => is_json,
        }
    }

    /// What templates see, where there are any.
    fn scope(&self, head: &Parts, read: &ReadBody, was_read: bool, context: &CallContext) -> Option<Scope> {
        let has_templates =
            self.body.is_some() || self.sources.iter().any(|source| matches!(source, Source::Template(_)));
        let payload =
            || if was_read || !read.is_there { Payload::from(read.bytes.clone()) } else { Payload::Streaming };
        has_templates.then(|| Scope::of_request(head, &payload(), context.exchange()))
    }

    /// Fills in what was not in the head.
    fn fill(
        &self,
        given: &mut [Given],
        scope: Option<&Scope>,
        from_body: impl Fn(&callgate_openapi::Parameter) -> Given,
    ) -> Result<(), UpstreamError> {
        let parameters = self.operation.parameters().iter().zip(&self.sources);
        for (given, (parameter, source)) in given.iter_mut().zip(parameters) {
            match (source, scope) {
                (Source::Template(shape), Some(scope)) => *given = inputs::from_template(shape, scope)?,
                (Source::Request, _) if matches!(given, Given::Nothing) => *given = from_body(parameter),
                _ => {}
            }
        }
        Ok(())
    }

    fn sending<'a, 'b>(
        &'a self,
        head: &Parts,
        read: &ReadBody,
        is_json: bool,
        scope: Option<&Scope>,
        json: impl Fn() -> &'b Result<Value, serde_json::Error>,
    ) -> Result<Sending<'a>, UpstreamError> {
        let Some(body) = self.operation.body() else { return Ok(Sending::Nothing) };
        let chosen = self.media.and_then(|index| body.media().get(index));
        let made = |value: Value| {
            let media = chosen.map_or_else(|| body.for_json(), Ok).map_err(error::unfit)?;
            Ok(Sending::Value(media, value))
        };
        if let Some((shape, scope)) = self.body.as_ref().zip(scope) {
            let rendered = shape.render(scope);
            return made(rendered.map_err(|error| UpstreamError::unrendered("the body could not be rendered", error))?);
        }
        if !read.is_there {
            return if body.is_required() { Err(error::unfit(Unfit::NoBody)) } else { Ok(Sending::Nothing) };
        }
        let matching = inputs::content_type(&head.headers).and_then(|given| body.matching(given));
        if matching.is_some() && (chosen.is_none() || chosen.map(Media::range) == matching.map(Media::range)) {
            return Ok(Sending::AsItIs(matching));
        }
        if !is_json {
            return Err(error::unfit(body.refused()));
        }
        match json() {
            Ok(value) => made(value.clone()),
            Err(error) => Err(error::no_json(error)),
        }
    }

    /// Holds the values against the document's schemas, all violations at once.
    fn check(&self, given: &[Given], sending: &Sending<'_>, json: Option<&Value>) -> Result<(), UpstreamError> {
        let Some(Checks(checks)) = &self.checks else { return Ok(()) };
        let parameters = self.operation.parameters();
        let values: Vec<_> = parameters.iter().zip(given).map(|(parameter, given)| given.meant(parameter)).collect();
        let missing =
            parameters.iter().zip(&values).find(|(parameter, value)| parameter.is_required() && value.is_null());
        if let Some((parameter, _)) = missing {
            let (name, place) = (parameter.name().to_owned(), parameter.place().as_str());
            return Err(error::unfit(Unfit::Missing { name, place }));
        }
        let mut violations = checks.parameters(&self.operation, &values);
        match (sending, json) {
            (Sending::Value(media, value), _) => violations.extend(checks.body(media.range(), value)),
            (Sending::AsItIs(Some(media)), Some(value)) => violations.extend(checks.body(media.range(), value)),
            (Sending::AsItIs(Some(media)), None) if media.is_json() && checks.has_body(media.range()) => {
                return Err(error::unfit(Unfit::Unreadable));
            }
            _ => {}
        }
        if violations.is_empty() { Ok(()) } else { Err(error::invalid_request(&violations)) }
    }

    /// Method, path, query, headers and cookies.
    fn write(&self, head: &mut Parts, given: &[Given], query: &[(String, String)]) -> Result<(), UpstreamError> {
        let parameters = self.operation.parameters();
        let values: Vec<_> = parameters.iter().zip(given).map(|(parameter, given)| given.written(parameter)).collect();
        let mut rendered = self.operation.render(&values, self.slashes).map_err(error::unfit)?;
        let clients = self.credentials.client_query.iter().filter_map(|name| {
            let (name, value) = query.iter().find(|(key, _)| key == name)?;
            Some(places::pair(name, value))
        });
        let more = self.credentials.query().map(ToOwned::to_owned).chain(clients);
        for pair in more {
            rendered.target.push(if rendered.target.contains('?') { '&' } else { '?' });
            rendered.target.push_str(&pair);
        }
        head.method = self.operation.method().clone();
        head.uri = Uri::try_from(rendered.target).map_err(|cause| error::unfit(Unfit::Uri).with_source(cause))?;
        for parameter in parameters.iter().filter(|parameter| parameter.place() == In::Header) {
            head.headers.remove(parameter.name());
        }
        head.headers.extend(rendered.headers);
        let clients = self
            .credentials
            .client_cookies
            .iter()
            .filter_map(|name| Some(format!("{name}={}", places::in_cookies(name, &head.headers)?)));
        let clients: Vec<_> = clients.collect();
        head.headers.remove(header::COOKIE);
        let cookies: Vec<_> = rendered
            .cookies
            .into_iter()
            .chain(self.credentials.cookies().map(ToOwned::to_owned))
            .chain(clients)
            .collect();
        if !cookies.is_empty() {
            let line = HeaderValue::try_from(cookies.join("; "))
                .map_err(|cause| error::unfit(Unfit::Uri).with_source(cause))?;
            head.headers.insert(header::COOKIE, line);
        }
        self.credentials.set_headers(&mut head.headers);
        if self.replies.is_some() {
            // A reply that is to be read comes as it is.
            head.headers.remove(header::ACCEPT_ENCODING);
        }
        Ok(())
    }
}
