//! What a kind of broker brings to the suite.

use std::future::Future;

use super::super::Fixture;

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The broker keeps what is published here, across a kill, and acknowledges it: [`Broker::taken`] reads it.
    Kept,
    /// As [`Kept`](Self::Kept), under a name of which `{{ params.v }}` is one token.
    Named,
    /// A publish that nothing takes: no queue, no stream.
    Nowhere,
    /// A request that is answered with its payload, its content type and its `x-*` headers.
    Echo,
    /// As [`Echo`](Self::Echo), 300 ms later.
    Late,
    /// A request that somebody takes and never answers.
    Silent,
    /// A request that nobody listens to.
    Unanswered,
}

/// A message that the broker has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Names and values, with `content-type` and `content-encoding` wherever the protocol has them. Names in any case.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Taken {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A kind whose remote is a broker. Its functions have the options `payload`, `structured`, `cloudevent`, `headers` and
/// `reply` of the crate `callgate-message`.
pub trait Broker: Fixture {
    /// The function for a place, as YAML in flow style without its braces: `upstream: remote, subject: kept.a`. The suite
    /// adds what the message holds.
    fn at(&self, place: Place) -> String;

    /// Every message that [`Place::Kept`] and [`Place::Named`] have taken since the start.
    fn taken(&mut self) -> impl Future<Output = Result<Vec<Taken>, String>> + Send;

    /// The largest payload that the broker takes, in bytes; below 32 MiB.
    fn largest() -> usize;

    /// Values, escaped for a path, that have a meaning in the protocol's names: `a.b`, `%2A`.
    fn special() -> &'static [&'static str];

    /// Headers by which the broker or its clients act, with a value that would do harm.
    fn reserved() -> &'static [(&'static str, &'static str)];

    /// The header of a CloudEvent's attribute: `ce-`.
    fn attributes() -> &'static str;
}

/// The routes that the trials use.
pub(in super::super) fn routes<F: Broker>(fixture: &F) -> String {
    let routes = [
        ("kept", Place::Kept, "headers: {forward: ['*']}"),
        ("http", Place::Kept, "payload: http"),
        ("event", Place::Kept, "payload: cloudevent, cloudevent: {type: order.created}"),
        ("document", Place::Kept, "payload: cloudevent, structured: true"),
        ("answered", Place::Kept, "reply: {status: 201, body: {order: '{{ params.v }}'}}"),
        ("named", Place::Named, "payload: raw"),
        ("nowhere", Place::Nowhere, "payload: raw"),
        ("echo", Place::Echo, "headers: {forward: [x-*]}"),
        ("late", Place::Late, "headers: {forward: [x-*]}"),
        ("unanswered", Place::Unanswered, "payload: raw"),
        ("silent", Place::Silent, "payload: raw"),
    ];
    let lines = routes.map(|(name, place, options)| {
        let (at, timeout) = (fixture.at(place), if place == Place::Silent { "500ms" } else { "10s" });
        format!(
            "  - {{name: {name}, match: \"/{name}/{{v}}\", to: {{{at}, {options}}}, timeout: {timeout}, limits: {{max_body: 32MiB}}}}\n"
        )
    });
    lines.concat()
}
