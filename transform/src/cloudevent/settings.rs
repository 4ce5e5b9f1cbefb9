//! The attributes of events that the gateway makes.

use std::time::SystemTime;

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{attributes::Attributes, refused};
use crate::{
    error::TransformError,
    exchange::Exchange,
    flaw::{Flaw, Flaws},
    payload::Payload,
    position::Located,
    scope::Scope,
    template::Template,
    text::Text,
};

const TYPE: &str = "callgate.http.request";

/// What a segment of a source, which is a URI reference, keeps as it is. The slash belongs to it: a route's name may be
/// its path.
const IN_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':').remove(b'*');

/// Templates for the attributes of the events that the gateway makes. An event that a client sends keeps its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CloudEventSettings {
    /// What kind of event it is. Default: `callgate.http.request`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Located<Text>>,
    /// Where it happened, a URI reference. Default: `/callgate/` and the route's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<Text>>,
    /// What it is about. Default: the request's path. Rendered empty, it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Located<Text>>,
    /// Its id, unique for the source. Default: the request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Located<Text>>,
}

/// The compiled templates; `None` for the default.
#[derive(Clone, Debug)]
pub(super) struct Templates {
    kind: Option<Template>,
    source: Option<Template>,
    subject: Option<Template>,
    id: Option<Template>,
}

impl Templates {
    pub(super) fn compile(settings: &CloudEventSettings) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Flaws::default();
        let mut one = |name: &str, text: &Option<Located<Text>>| {
            let text = text.as_ref()?;
            flaws.keep(Template::written(text).map_err(|flaw| flaw.of(name)))
        };
        let templates = Self {
            kind: one("type", &settings.kind),
            source: one("source", &settings.source),
            subject: one("subject", &settings.subject),
            id: one("id", &settings.id),
        };
        flaws.finish(templates)
    }

    pub(super) fn reads_body(&self) -> bool {
        let all = [&self.kind, &self.source, &self.subject, &self.id];
        all.into_iter().flatten().any(Template::reads_body)
    }

    /// The attributes for a request.
    pub(super) fn attributes(
        &self,
        parts: &Parts,
        payload: &Payload,
        exchange: &Exchange,
        received: SystemTime,
    ) -> Result<Attributes, TransformError> {
        let facts = exchange.facts();
        let mut attributes = Attributes::new();
        let scope = Scope::of_request(parts, payload, exchange);
        let rendered = |name: &str, template: &Option<Template>, default: &dyn Fn() -> String| {
            let Some(template) = template else { return Ok(default()) };
            template.render(&scope).map_err(|error| error.of(name))
        };
        attributes.add("id", rendered("id", &self.id, &|| facts.request_id().to_owned())?)?;
        let source = || format!("/callgate/{}", utf8_percent_encode(facts.route.trim_start_matches('/'), IN_SOURCE));
        attributes.add("source", rendered("source", &self.source, &source)?)?;
        attributes.add("type", rendered("type", &self.kind, &|| TYPE.to_owned())?)?;
        let subject = rendered("subject", &self.subject, &|| parts.uri.path().to_owned())?;
        if !subject.is_empty() {
            attributes.add("subject", subject)?;
        }
        let time = OffsetDateTime::from(received).format(&Rfc3339);
        attributes.add("time", time.map_err(|_| refused("the time of the request has no text"))?)?;
        attributes.complete()
    }
}
