//! An operation, bound: its parameters' sources, its credentials and its validators.

mod inputs;
mod places;
mod reply;
mod request;
mod security;

use std::sync::Arc;

use callgate_core::{Description, Invalid, UpstreamError, document::nearest};
use callgate_openapi::{Document, Operation, Slashes};
use callgate_transform::Shape;

pub(crate) use places::stub;

use crate::{
    config::Config,
    error::{self, Unusable},
    operation::{inputs::Source, reply::Checked, request::Checks, security::Applied},
    target::{self, Target},
};

/// An operation with all that is done for a call of it.
#[derive(Debug)]
pub(crate) struct Bound {
    document: Arc<Document>,
    operation: Operation,
    /// In the order of the operation's parameters.
    sources: Vec<Source>,
    body: Option<Shape>,
    /// The media type that is asked for, by its index.
    media: Option<usize>,
    credentials: Applied,
    checks: Option<Checks>,
    replies: Option<Checked>,
    slashes: Slashes,
}

impl Bound {
    /// Joins a target to its operation; says everything that does not go together.
    pub(crate) fn new(
        document: &Arc<Document>,
        config: &Config,
        target: &Target,
        name: &str,
    ) -> Result<Self, Vec<Invalid>> {
        let found = document.find(name).map_err(|none| {
            let invalid = Invalid::new(none.message).at("operation");
            vec![match none.hint {
                Some(hint) => invalid.hint(hint),
                None => invalid,
            }]
        })?;
        let unusable = |problem: callgate_openapi::Problem| {
            let message = format!("the operation can't be used as the document has it: {problem}");
            vec![Invalid::new(message).at("operation")]
        };
        let operation = found.read().map_err(unusable)?;
        let mut invalid = Vec::new();
        let sources = sources(&operation, target, &mut invalid);
        let body = target.body.as_ref().and_then(|tree| {
            if operation.body().is_none() {
                invalid.push(Invalid::new(format!("`{name}` takes no body")).at("body").hint("leave it out"));
            }
            Shape::new(tree).map_err(|flaws| invalid.push(Invalid::from(flaws).at("body"))).ok()
        });
        let media = media(&operation, target, &mut invalid);
        let credentials = Applied::new(&operation, config).map_err(|wrong| invalid.push(wrong)).ok();
        let validate = target.validate;
        let checks = validate.filter(|validate| validate.requests()).and_then(|_| {
            let compiled = operation.request_validation(document);
            compiled.map_err(|problem| invalid.push(Invalid::new(problem.to_string()).at("validate"))).ok()
        });
        let replies = validate.filter(|validate| validate.replies()).and_then(|_| {
            let compiled = operation.reply_validation(document);
            compiled.map_err(|problem| invalid.push(Invalid::new(problem.to_string()).at("validate"))).ok()
        });
        match credentials {
            Some(credentials) if invalid.is_empty() => Ok(Self {
                document: Arc::clone(document),
                sources,
                body,
                media,
                credentials,
                checks: checks.map(Checks::new),
                replies: replies.map(Checked::new),
                slashes: match target.slashes {
                    target::Slashes::Refuse => Slashes::Refused,
                    target::Slashes::Encode => Slashes::Encoded,
                },
                operation,
            }),
            _ => Err(invalid),
        }
    }

    /// The same, with its credentials hidden: for people to read.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.credentials.hide();
        self
    }

    /// The operation's name.
    pub(crate) fn name(&self) -> &str {
        self.operation.name()
    }

    /// Whether it may be called twice, by its own method: the client's is that of the route.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.operation.method().is_idempotent()
    }

    /// Where the document says that it is served.
    pub(crate) fn url(&self, config: &Config) -> Result<String, Unusable> {
        server_url(&self.document, self.operation.servers(), config)
    }

    /// What a call takes and gives. What templates of the target fill in is not taken by name.
    pub(crate) fn describe(&self) -> Result<Description, UpstreamError> {
        let described = self.operation.describe(&self.document);
        let mut described = described.map_err(|problem| error::unbound(&[Invalid::new(problem.to_string())]))?;
        let mut sources = self.sources.iter();
        described.parameters.retain(|_| matches!(sources.next(), Some(Source::Request)));
        if self.body.is_some() {
            described.body = None;
        }
        Ok(described)
    }
}

/// The URL of the first of these servers, else of the first of the document.
pub(crate) fn server_url(
    document: &Document,
    own: &[callgate_openapi::Server],
    config: &Config,
) -> Result<String, Unusable> {
    let whole = document.servers();
    let server = own.first().or_else(|| whole.first()).ok_or(Unusable::NoEndpoint)?;
    let variables = config.server_variables.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    Ok(server.url(&variables, document.location())?)
}

fn sources(operation: &Operation, target: &Target, invalid: &mut Vec<Invalid>) -> Vec<Source> {
    let names = || operation.parameters().iter().map(|parameter| (parameter.name(), parameter.place().as_str()));
    let qualified: Vec<_> = names().map(|(name, place)| format!("{place}.{name}")).collect();
    let is_meant = |key: &str, index: usize| {
        let by_place = qualified.iter().any(|name| name == key);
        names().nth(index).is_some_and(|(name, _)| !by_place && name == key) || qualified[index] == key
    };
    for (key, _) in &target.parameters.0 {
        let key = key.value.as_str();
        if (0..qualified.len()).any(|index| is_meant(key, index)) {
            continue;
        }
        let wrong = Invalid::new(format!("`{}` has no parameter `{key}`", operation.name()));
        let wrong = wrong.at(format!("parameters.{key}"));
        let all: Vec<_> = names().map(|(name, _)| name).collect();
        invalid.push(match nearest(key, all.iter().copied()) {
            Some(near) => wrong.hint(format!("did you mean `{near}`?")),
            None if all.is_empty() => wrong.hint("it has none"),
            None => wrong.hint(format!("it has {}", all.join(", "))),
        });
    }
    let source = |index: usize| {
        let given = target.parameters.0.iter().find(|(key, _)| is_meant(&key.value, index));
        match given.map(|(_, tree)| Shape::new(tree)) {
            Some(Ok(shape)) => Source::Template(shape),
            // What is wrong with it was told with the target itself.
            Some(Err(_)) | None => Source::Request,
        }
    };
    (0..qualified.len()).map(source).collect()
}

fn media(operation: &Operation, target: &Target, invalid: &mut Vec<Invalid>) -> Option<usize> {
    let wanted = target.content_type.as_deref()?;
    let media = operation.body().map(callgate_openapi::Body::media).unwrap_or_default();
    let found = media.iter().position(|media| media.range().eq_ignore_ascii_case(wanted));
    if found.is_none() {
        let taken: Vec<_> = media.iter().map(callgate_openapi::Media::range).collect();
        let wrong = Invalid::new(format!("`{}` does not take `{wanted}`", operation.name())).at("content_type");
        invalid.push(if taken.is_empty() {
            wrong.hint("it takes no body")
        } else {
            wrong.hint(format!("it takes {}", taken.join(", ")))
        });
    }
    found
}
