//! What headers look like in a broker's protocol.

/// How a protocol holds what this crate makes.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// What the names of a CloudEvent's attributes begin with: `ce-`.
    pub attributes: &'static str,
    /// Further such beginnings that are understood in messages that come in.
    pub also_understood: &'static [&'static str],
    /// Whether values of attributes are escaped as in HTTP; otherwise they stand there as they are.
    pub escapes_attributes: bool,
    /// Whether an event's content type is an attribute too, beside the message's own.
    pub repeats_content_type: bool,
    /// What the names begin with, in lower case, that the broker or its clients act by: no client's header and no
    /// header of a reply passes under such a name.
    pub reserved: &'static [&'static str],
}

impl Binding {
    /// Whether a header is the protocol's own.
    #[must_use]
    pub fn is_reserved(&self, name: &str) -> bool {
        self.reserved.iter().any(|start| begins(name, start))
    }

    /// The attribute of an event that a header of a message holds.
    pub(crate) fn attribute<'a>(&self, name: &'a str) -> Option<&'a str> {
        let mut starts = std::iter::once(&self.attributes).chain(self.also_understood);
        starts.find_map(|start| begins(name, start).then(|| &name[start.len()..]))
    }
}

/// Whether a name begins so, in whatever case.
pub(crate) fn begins(name: &str, start: &str) -> bool {
    name.as_bytes().get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMQP: Binding = Binding {
        attributes: "cloudEvents_",
        also_understood: &["cloudEvents:"],
        escapes_attributes: false,
        repeats_content_type: false,
        reserved: &["x-death"],
    };

    #[test]
    fn names_are_told_apart_in_any_case() {
        assert_eq!(AMQP.attribute("cloudEvents:id"), Some("id"));
        assert_eq!(AMQP.attribute("CLOUDEVENTS_source"), Some("source"));
        assert_eq!(AMQP.attribute("cloudEvent"), None);
        assert_eq!(AMQP.attribute("clöudEvents_id"), None);
        assert!(AMQP.is_reserved("X-Death-Count") && !AMQP.is_reserved("x-dea"));
    }
}
