//! Routing keys and names: the short texts of the protocol.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_message::Whole;
use callgate_transform::{Confined, Located, Text};
use lapin::types::ShortString;

/// The most bytes that a routing key, a name or a property has.
pub(crate) const LONGEST: usize = 255;

/// What has a meaning in a routing key: a value of the request must not bring it along.
const SPECIAL: &str = ".*#";

/// A routing key, fixed or a template that is confined.
#[derive(Debug)]
pub(crate) struct Key {
    template: Confined,
    constant: Option<ShortString>,
}

/// A text that was checked before. What is too long for the protocol is cut, which no checked text is.
pub(crate) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

/// What is wrong with the name of an exchange.
pub(crate) fn exchange_flaw(name: &str) -> Option<Invalid> {
    (name.len() > LONGEST).then(|| Invalid::new(format!("the name of an exchange has at most {LONGEST} bytes")))
}

/// A value of the request as a short text.
pub(crate) fn fitting(text: String, what: &str) -> Result<ShortString, UpstreamError> {
    ShortString::try_new(text).map_err(|error| {
        UpstreamError::new(ErrorKind::BadInput, format!("{what} is longer than {LONGEST} bytes"))
            .with_detail("A value of the request is too long for a message's properties.")
            .with_source(error)
    })
}

impl Key {
    /// Compiles the routing key of a target.
    pub(crate) fn compile(source: &Located<Text>, allow: &[Located<String>]) -> Result<Self, Invalid> {
        let wrong = |message: String| Invalid::new(message).at("routing_key");
        let template =
            Confined::written(source, SPECIAL, allow).map_err(|flaw| Invalid::from(flaw).at("routing_key"))?;
        let constant = template.as_constant().map(|text| {
            ShortString::try_new(text).map_err(|_| wrong(format!("a routing key has at most {LONGEST} bytes")))
        });
        if constant.is_some() && !allow.is_empty() {
            let message = "the routing key is no template, so there is nothing to confine";
            return Err(Invalid::new(message).at("allow").hint("leave `allow` out"));
        }
        Ok(Self { constant: constant.transpose()?, template })
    }

    /// The routing key for a request.
    pub(crate) fn render(&self, whole: &Whole) -> Result<ShortString, UpstreamError> {
        if let Some(key) = &self.constant {
            return Ok(key.clone());
        }
        let text = self
            .template
            .render(whole.scope())
            .map_err(|error| UpstreamError::unrendered("the routing key could not be rendered", error))?;
        fitting(text, "the routing key")
    }
}

#[cfg(test)]
mod tests {
    use callgate_transform::Position;

    use super::*;

    fn text(source: &str) -> Located<Text> {
        Located::nowhere(source.to_owned().into())
    }

    #[test]
    fn any_text_is_a_routing_key_and_templates_are_confined() {
        assert!(Key::compile(&text("orders.created"), &[]).is_ok());
        assert!(Key::compile(&text(""), &[]).is_ok());
        assert!(Key::compile(&text("orders.{{ params.v }}"), &[]).is_ok());
        let open = Key::compile(&text("{{ params.v }}"), &[]).unwrap_err();
        assert!(open.field == "routing_key" && open.hint.is_some());
        let allow = [Located { value: "a.*".to_owned(), at: Position::default() }];
        assert!(Key::compile(&text("{{ params.v }}"), &allow).is_ok());
        assert_eq!(Key::compile(&text("a.b"), &allow).unwrap_err().field, "allow");
        assert_eq!(Key::compile(&text(&"a".repeat(256)), &[]).unwrap_err().field, "routing_key");
    }

    #[test]
    fn what_is_too_long_for_a_property_is_the_clients_error() {
        assert_eq!(fitting("a".repeat(255), "x").unwrap().as_str().len(), 255);
        assert_eq!(fitting("a".repeat(256), "x").unwrap_err().kind(), ErrorKind::BadInput);
    }
}
