//! Why a call failed, in the words of `retry.on` and `circuit_breaker.on`.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::end::End;
use crate::{
    document::{HELP, nearest},
    respond::Code,
};

/// The failures of a call that another try may mend, by the words for them; the codes themselves are words too.
const WORDS: [(&str, Code); 8] = [
    ("connect", Code::UpstreamUnreachable),
    ("timeout", Code::UpstreamTimeout),
    ("throttled", Code::UpstreamThrottled),
    ("unavailable", Code::UpstreamUnavailable),
    ("denied", Code::UpstreamDenied),
    ("function_error", Code::FunctionError),
    ("bad_reply", Code::BadUpstreamReply),
    ("unroutable", Code::Unroutable),
];

/// A failure by its word, a status that a function chose (`503`), or a class of statuses (`5xx`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Failure(Code),
    Status(u16),
    Class(u16),
}

impl Reason {
    /// What speaks against the upstream and not against the request, when nothing is said.
    pub(crate) fn of_attempts() -> Vec<Self> {
        let failures =
            ["connect", "timeout", "throttled", "unavailable", "bad_reply"].into_iter().filter_map(Self::word);
        failures.chain([502, 503, 504].map(Self::Status)).collect()
    }

    /// What a message is tried again for when nothing is said: all that does not depend on the message alone.
    pub(crate) fn of_messages() -> Vec<Self> {
        let failures = WORDS.iter().map(|(_, code)| Self::Failure(*code));
        failures.chain([Self::Status(408), Self::Status(425), Self::Status(429), Self::Class(5)]).collect()
    }

    /// Whether it is this failure of the gateway.
    pub(crate) fn is_failure(self, code: Code) -> bool {
        self == Self::Failure(code)
    }

    /// Whether it is this status that a function chose.
    pub(crate) fn is_status(self, status: StatusCode) -> bool {
        match self {
            Self::Status(one) => status == one,
            Self::Class(class) => status.as_u16() / 100 == class,
            Self::Failure(_) => false,
        }
    }

    /// Whether a call came to this end.
    pub(crate) fn is_end(self, end: End) -> bool {
        let is_failure = |code: Option<Code>| code.is_some_and(|code| self.is_failure(code));
        is_failure(end.code) || is_failure(end.counted_as) || end.status.is_some_and(|status| self.is_status(status))
    }

    fn word(text: &str) -> Option<Self> {
        if let Some((_, code)) = WORDS.iter().find(|(word, code)| *word == text || code.as_str() == text) {
            return Some(Self::Failure(*code));
        }
        match text.strip_suffix("xx").and_then(|class| class.parse().ok()) {
            Some(class @ 3..=5) => Some(Self::Class(class)),
            _ => text.parse().ok().and_then(Self::status),
        }
    }

    fn status(status: u64) -> Option<Self> {
        u16::try_from(status).ok().filter(|status| (300..600).contains(status)).map(Self::Status)
    }
}

fn unknown<E: Error>(text: &str) -> E {
    let words = WORDS.map(|(word, _)| word);
    let help = match nearest(text, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write a status (`503`, `5xx`) or one of {}", words.map(|word| format!("`{word}`")).join(", ")),
    };
    E::custom(format!("`{text}` is no failure of a call{HELP}{help}"))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(code) => {
                f.write_str(WORDS.iter().find(|(_, known)| known == code).map_or(code.as_str(), |(word, _)| word))
            }
            Self::Status(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status(status) => serializer.serialize_u16(*status),
            Self::Failure(_) | Self::Class(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Reason;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a failure such as `timeout`, or a status such as `503` or `5xx`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Reason, E> {
                Reason::word(text).ok_or_else(|| unknown(text))
            }

            fn visit_u64<E: Error>(self, status: u64) -> Result<Reason, E> {
                Reason::status(status).ok_or_else(|| unknown(&status.to_string()))
            }
        }

        deserializer.deserialize_any(Word)
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "FailureReason".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A failure, a status, or a class of statuses.",
            "anyOf": [
                {"enum": WORDS.iter().flat_map(|(word, code)| [*word, code.as_str()]).collect::<BTreeSet<_>>()},
                {"type": "integer", "minimum": 300, "maximum": 599},
                {"type": "string", "pattern": "^[345]xx$"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn words_statuses_and_classes_are_read_and_written_back() {
        for written in [json!("timeout"), json!(503), json!("5xx"), json!("function_error")] {
            let reason: Reason = from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(reason).unwrap(), written);
        }
        assert_eq!(from_value::<Reason>(json!("503")).unwrap(), Reason::Status(503));
        assert_eq!(from_value::<Reason>(json!("upstream_timeout")).unwrap(), Reason::Failure(Code::UpstreamTimeout));
    }

    #[test]
    fn what_no_retry_mends_has_no_word() {
        for wrong in ["timeot", "bad_request", "2xx", "200", "body_too_large"] {
            assert!(from_value::<Reason>(json!(wrong)).is_err(), "{wrong}");
        }
        assert!(from_value::<Reason>(json!("timeot")).unwrap_err().to_string().contains("did you mean `timeout`?"));
    }

    #[test]
    fn by_default_the_messages_own_mistakes_are_not_tried_again() {
        let retried = |status| Reason::of_messages().iter().any(|reason| reason.is_status(status));
        assert!(retried(StatusCode::SERVICE_UNAVAILABLE) && retried(StatusCode::TOO_MANY_REQUESTS));
        assert!(!retried(StatusCode::NOT_FOUND) && !retried(StatusCode::FOUND));
        assert!(!Reason::of_messages().iter().any(|reason| reason.is_failure(Code::BodyTooLarge)));
    }
}
