//! The settings of the source.

use callgate_core::{Invalid, Period, Settings, document::Text};
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Credentials, Tls};

/// What is consumed, and from which server or cluster: `subject` and `queue`, or `stream` and `consumer`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// `nats://host:4222` or `tls://host:4222`, or a list of them; the port may be left out. Servers that a cluster
    /// announces are used too.
    pub servers: OneOrMany<String>,
    /// The subject whose messages are consumed, wildcards included: `orders.*`. Delivered at most once: a message that
    /// comes while no gateway listens is lost. With `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The queue group, which a `subject` needs: of all gateways in it one gets a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The stream whose messages are consumed, by a `consumer`. Delivered at least once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The stream's durable consumer: pulled from, and with explicit acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Who the gateway is. Default: nobody in particular.
    #[serde(default)]
    pub credentials: Credentials,
    /// TLS, where it needs more than a `tls://` address and the system's authorities. It is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The connection's name in the server's monitoring. Default: `callgate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The prefix of the subjects on which the gateway is answered. Default: `_INBOX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_prefix: Option<String>,
    /// How long one attempt to connect may take. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
}

/// What is consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'a> {
    Subject { subject: &'a str, queue: &'a str },
    Consumer { stream: &'a str, consumer: &'a str },
}

const FORMS: &str = "write `subject` and `queue` for a subject, or `stream` and `consumer` for a stream's consumer";

impl TriggerConfig {
    /// The settings of the connection, which are those of the kind.
    pub(super) fn connection(&self) -> Config {
        Config {
            servers: self.servers.clone(),
            credentials: self.credentials.clone(),
            tls: self.tls.clone(),
            name: self.name.clone(),
            inbox_prefix: self.inbox_prefix.clone(),
            connect_timeout: self.connect_timeout,
            connection_per_worker: false,
        }
    }

    /// The one thing that is consumed.
    pub(super) fn source(&self) -> Result<Source<'_>, Invalid> {
        let lacks = |field: &str, lacks: &str| Invalid::new(format!("`{lacks}` is missing")).at(field).hint(FORMS);
        match (&self.subject, &self.queue, &self.stream, &self.consumer) {
            (None, None, None, None) => Err(Invalid::new("nothing is consumed").hint(FORMS)),
            (Some(_), _, Some(_), _)
            | (Some(_), _, _, Some(_))
            | (_, Some(_), Some(_), _)
            | (_, Some(_), _, Some(_)) => {
                let field = if self.stream.is_some() { "stream" } else { "consumer" };
                Err(Invalid::new("a subject or a stream's consumer is consumed, not both").at(field).hint(FORMS))
            }
            (Some(subject), Some(queue), ..) => {
                filter(subject).map_err(|problem| wrong("subject", subject, "subject", problem))?;
                name(queue, false).map_err(|problem| wrong("queue", queue, "name of a queue group", problem))?;
                Ok(Source::Subject { subject, queue })
            }
            (.., Some(stream), Some(consumer)) => {
                name(stream, true).map_err(|problem| wrong("stream", stream, "name of a stream", problem))?;
                name(consumer, true).map_err(|problem| wrong("consumer", consumer, "name of a consumer", problem))?;
                Ok(Source::Consumer { stream, consumer })
            }
            (Some(_), None, ..) => Err(lacks("subject", "queue")),
            (None, Some(_), ..) => Err(lacks("queue", "subject")),
            (.., Some(_), None) => Err(lacks("stream", "consumer")),
            (.., None, Some(_)) => Err(lacks("consumer", "stream")),
        }
    }
}

fn wrong(field: &str, text: &str, what: &str, problem: &str) -> Invalid {
    Invalid::new(format!("`{text}` is no {what}: {problem}")).at(field)
}

/// A subject to subscribe to: tokens, of which some may be wildcards.
fn filter(subject: &str) -> Result<(), &'static str> {
    let tokens: Vec<_> = subject.split('.').collect();
    for (index, token) in tokens.iter().enumerate() {
        let last = index + 1 == tokens.len();
        match *token {
            "" => return Err("it has an empty token"),
            ">" if !last => return Err("`>` stands for all that follows, so it comes last"),
            "*" | ">" => {}
            token if token.contains(|char: char| char.is_whitespace() || char.is_control()) => {
                return Err("it has white space");
            }
            token if token.contains(['*', '>']) => return Err("a wildcard is a token of its own"),
            _ => {}
        }
    }
    Ok(())
}

/// A name of JetStream, or of a queue group, which is less strict.
fn name(name: &str, strict: bool) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    let bad = |char: char| char.is_whitespace() || char.is_control() || (strict && ".*>/\\".contains(char));
    if name.contains(bad) { Err("it has a character that names have not") } else { Ok(()) }
}

impl Settings for TriggerConfig {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.connection().check();
        found.extend(self.source().err());
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(more: Value) -> TriggerConfig {
        let mut value = json!({"servers": "nats://a"});
        let Value::Object(more) = more else { panic!("{more} is no object") };
        value.as_object_mut().unwrap().extend(more);
        serde_json::from_value(value).unwrap()
    }

    fn field(more: Value) -> Option<String> {
        config(more).check().into_iter().next().map(|invalid| invalid.field)
    }

    #[test]
    fn a_subject_or_a_consumer_is_consumed() {
        assert_eq!(field(json!({"subject": "orders.*", "queue": "q"})), None);
        assert_eq!(field(json!({"stream": "ORDERS", "consumer": "work"})), None);
        assert_eq!(field(json!({})).as_deref(), Some(""));
        assert_eq!(field(json!({"subject": "a"})).as_deref(), Some("subject"));
        assert_eq!(field(json!({"queue": "a"})).as_deref(), Some("queue"));
        assert_eq!(field(json!({"stream": "A"})).as_deref(), Some("stream"));
        assert_eq!(field(json!({"consumer": "a"})).as_deref(), Some("consumer"));
        let both = json!({"subject": "a", "queue": "q", "stream": "S", "consumer": "c"});
        assert_eq!(field(both).as_deref(), Some("stream"));
        assert_eq!(field(json!({"queue": "a", "consumer": "c"})).as_deref(), Some("consumer"));
    }

    #[test]
    fn names_are_what_the_server_takes() {
        for subject in ["a..b", "a.>.b", "a b", "a*", ".a"] {
            assert_eq!(field(json!({"subject": subject, "queue": "q"})).as_deref(), Some("subject"), "{subject}");
        }
        assert_eq!(field(json!({"subject": "a.>", "queue": "my q"})).as_deref(), Some("queue"));
        assert_eq!(field(json!({"stream": "A.B", "consumer": "c"})).as_deref(), Some("stream"));
        assert_eq!(field(json!({"stream": "A", "consumer": ""})).as_deref(), Some("consumer"));
    }

    #[test]
    fn what_is_wrong_with_the_connection_is_told_too() {
        let flaws = config(json!({"credentials": {"user": "u"}, "stream": "A"})).check();
        let fields: Vec<_> = flaws.iter().map(|flaw| &*flaw.field).collect();
        assert_eq!(fields, ["credentials", "stream"]);
    }
}
