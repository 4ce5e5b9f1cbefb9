//! The subject on which a stream's message is settled, and what it tells.

/// What a subject of `$JS.ACK.` tells (ADR-15 of NATS): the stream, the place in it, and how often it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledgement {
    stream: String,
    sequence: u64,
    pub(super) delivered: u32,
}

impl Acknowledgement {
    /// Reads `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE...`, or the longer form that begins with domain and account.
    pub(super) fn read(subject: &str) -> Option<Self> {
        let tokens: Vec<_> = subject.strip_prefix("$JS.ACK.")?.split('.').collect();
        let tokens = match tokens.len() {
            7 => &tokens[..],
            9.. => &tokens[2..],
            _ => return None,
        };
        let [stream, _, delivered, sequence, ..] = tokens else { return None };
        Some(Self {
            stream: (*stream).to_owned(),
            sequence: sequence.parse().ok()?,
            delivered: delivered.parse().ok()?,
        })
    }

    /// A name for the message that stays the same with each delivery.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.stream, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let told = Acknowledgement { stream: "S".to_owned(), sequence: 42, delivered: 2 };
        assert_eq!(Acknowledgement::read("$JS.ACK.S.c.2.42.7.1700000000.3"), Some(told.clone()));
        assert_eq!(Acknowledgement::read("$JS.ACK._.hash.S.c.2.42.7.1700000000.3"), Some(told.clone()));
        assert_eq!(Acknowledgement::read("$JS.ACK.hub.hash.S.c.2.42.7.1700000000.3.token"), Some(told));
        for other in ["_INBOX.a.b", "$JS.ACK.S.c", "$JS.ACK.S.c.x.42.7.1.3"] {
            assert_eq!(Acknowledgement::read(other), None, "{other}");
        }
    }
}
