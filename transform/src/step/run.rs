//! Carrying out one step: everything is rendered from the message as it is, then everything is applied.

use bytes::Bytes;
use http::{
    HeaderName, Method, StatusCode, Uri,
    header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG},
    uri::PathAndQuery,
};

use super::{
    compile::{Head, Step},
    headers::RenderedHeaders,
    query::RenderedQuery,
};
use crate::{
    error::TransformError,
    message::Message,
    payload::{Content, Payload},
    position::Position,
    scope::Scope,
};

/// Headers that describe the bytes of a body, and are wrong for any other.
const OF_THE_BYTES: [HeaderName; 9] = [
    ACCEPT_RANGES,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    ETAG,
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
];

/// What a step makes of a message, before any of it is applied.
#[derive(Debug)]
struct Outcome {
    method: Option<Method>,
    status: Option<StatusCode>,
    uri: Option<Uri>,
    headers: RenderedHeaders,
    body: Option<Bytes>,
}

impl Step {
    /// Carries the step out. After a failure the message is as it was; `vars` may have values more.
    pub(crate) fn run(&self, scope: &mut Scope) -> Result<(), TransformError> {
        if let Some(when) = &self.when
            && !when.holds(scope).map_err(|error| error.of("`when`"))?
        {
            return Ok(());
        }
        for extraction in &self.extract {
            if let Some(var) = extraction.run(scope)? {
                scope.context_mut().vars.push(var);
            }
        }
        let outcome = self.render(scope)?;
        self.apply(outcome, &mut scope.context_mut().message);
        Ok(())
    }

    fn render(&self, scope: &Scope) -> Result<Outcome, TransformError> {
        let (mut method, mut status, mut uri) = (None, None, None);
        match &self.head {
            Head::Request { method: method_plan, path, query } => {
                method = method_plan.as_ref().map(|plan| plan.render(scope)).transpose()?;
                let path = path.as_ref().map(|plan| plan.render(scope)).transpose()?;
                if path.is_some() || !query.is_empty() {
                    let current = &scope.context.message.uri;
                    let edited = match query.is_empty() {
                        true => current.query().map(str::to_owned),
                        false => {
                            let rendered: RenderedQuery = query.render(scope)?;
                            query.apply(&rendered, current.query())
                        }
                    };
                    uri = Some(rebuilt(current, path.as_deref(), edited.as_deref(), scope)?);
                }
            }
            Head::Response { status: plan } => status = plan.as_ref().map(|plan| plan.render(scope)).transpose()?,
        }
        let headers = self.headers.render(scope)?;
        let body = self.body.as_ref().map(|plan| plan.render(scope)).transpose()?;
        Ok(Outcome { method, status, uri, headers, body })
    }

    fn apply(&self, outcome: Outcome, message: &mut Message) {
        if let Some(method) = outcome.method {
            message.method = method;
        }
        if let Some(status) = outcome.status {
            message.status = status;
        }
        if let Some(uri) = outcome.uri {
            message.uri = uri;
        }
        self.headers.apply(outcome.headers, &mut message.headers);
        if let (Some(body), Some(plan)) = (outcome.body, &self.body) {
            for name in OF_THE_BYTES {
                message.headers.remove(name);
            }
            match plan.content_type() {
                None => drop(message.headers.remove(CONTENT_TYPE)),
                Some(_) if self.headers.sets_content_type() => {}
                Some(content_type) => drop(message.headers.insert(CONTENT_TYPE, content_type)),
            }
            message.payload = Payload::from(body);
        } else if self.headers.sets_content_type()
            && let Payload::Buffered(content) = &mut message.payload
        {
            Content::forget_parsed(content);
        }
    }
}

fn rebuilt(current: &Uri, path: Option<&str>, query: Option<&str>, scope: &Scope) -> Result<Uri, TransformError> {
    let mut target = path.unwrap_or_else(|| current.path()).to_owned();
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = current.clone().into_parts();
    let unfit = || TransformError::new(scope.side(), Position::default(), "the path and query are not a valid URI");
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| unfit())?);
    Uri::from_parts(parts).map_err(|_| unfit())
}
