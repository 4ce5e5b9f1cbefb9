//! What JetStream answers to a publish (ADR-22: `PubAck`).

use async_nats::{Message, StatusCode, Subject};
use callgate_core::ErrorKind;
use serde::Deserialize;
use serde_json::Value;

use crate::error::NatsError;

/// A message that a stream has stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    stream: String,
    sequence: u64,
    duplicate: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Acknowledgement {
    stream: String,
    seq: u64,
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: u16,
    err_code: u32,
    description: String,
}

/// Reads the answer.
pub(crate) fn read(subject: &Subject, message: &Message) -> Result<Stored, NatsError> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(NatsError::NoStream { subject: subject.to_string(), told: None });
    }
    parse(subject, &message.payload)
}

fn parse(subject: &Subject, payload: &[u8]) -> Result<Stored, NatsError> {
    let subject = subject.to_string();
    let answer: Acknowledgement = match serde_json::from_slice(payload) {
        Ok(answer) => answer,
        Err(error) => return Err(NatsError::Acknowledgement { subject, told: error.to_string() }),
    };
    match answer.error {
        Some(refusal) => Err(refusal.classified(subject)),
        None if answer.stream.is_empty() => {
            Err(NatsError::Acknowledgement { subject, told: "it names no stream".to_owned() })
        }
        None => Ok(Stored { stream: answer.stream, sequence: answer.seq, duplicate: answer.duplicate }),
    }
}

impl Refusal {
    /// By the server's error codes (nats-server, `errors.json`).
    fn classified(self, subject: String) -> NatsError {
        let told = format!("{} ({})", self.description, self.err_code);
        let kind = match (self.err_code, self.code) {
            // The stream is not the expected one.
            (10060, _) => return NatsError::NoStream { subject, told: Some(told) },
            // Larger than the stream's `max_msg_size`, or its headers than 64 KiB.
            (10054 | 10097, _) => ErrorKind::BodyTooLarge,
            // The stream is full and discards new messages; the server lacks resources or a leader.
            (10077 | 10047 | 10023 | 10028, _) | (_, 503) => ErrorKind::Throttled,
            (_, 401 | 403) => ErrorKind::Denied,
            _ => ErrorKind::BadReply,
        };
        NatsError::StreamRefused { subject, told, kind }
    }
}

impl Stored {
    /// What the client is told beside the request's id.
    pub(crate) fn told(self) -> [(&'static str, Value); 3] {
        let Self { stream, sequence, duplicate } = self;
        [("stream", stream.into()), ("sequence", sequence.into()), ("duplicate", duplicate.into())]
    }
}

#[cfg(test)]
mod tests {
    use callgate_core::UpstreamError;

    use super::*;

    fn kind(payload: &str) -> ErrorKind {
        UpstreamError::from(parse(&"a".into(), payload.as_bytes()).unwrap_err()).kind()
    }

    #[test]
    fn a_stored_message_is_read() {
        let stored = parse(&"a".into(), br#"{"stream":"S","seq":7,"duplicate":true,"domain":"d"}"#).unwrap();
        assert_eq!(stored, Stored { stream: "S".into(), sequence: 7, duplicate: true });
    }

    #[test]
    fn refusals_are_told_apart() {
        let refused =
            |code: u16, err: u32| format!(r#"{{"error":{{"code":{code},"err_code":{err},"description":"d"}}}}"#);
        assert_eq!(kind(&refused(400, 10060)), ErrorKind::Unroutable);
        assert_eq!(kind(&refused(400, 10054)), ErrorKind::BodyTooLarge);
        assert_eq!(kind(&refused(503, 10077)), ErrorKind::Throttled);
        assert_eq!(kind(&refused(503, 10008)), ErrorKind::Throttled);
        assert_eq!(kind(&refused(400, 10071)), ErrorKind::BadReply);
        assert_eq!(kind("+OK"), ErrorKind::BadReply);
        assert_eq!(kind("{}"), ErrorKind::BadReply);
    }
}
