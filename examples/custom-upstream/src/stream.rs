//! Names of streams.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_message::Whole;
use callgate_transform::{Confined, Located, Text};

/// What has a meaning in names of keys by the conventions of Redis: a value of the request must not bring it along.
const SPECIAL: &str = ":{}*?[]";

/// The longest name, in bytes.
const LONGEST: usize = 1024;

/// The name of a stream, fixed or a template that is confined.
#[derive(Debug)]
pub(crate) struct StreamName(Confined);

impl StreamName {
    pub(crate) fn compile(source: &Located<Text>, allow: &[Located<String>]) -> Result<Self, Invalid> {
        let template = Confined::written(source, SPECIAL, allow).map_err(|flaw| Invalid::from(flaw).at("stream"))?;
        match template.as_constant().map(check) {
            Some(Err(wrong)) => {
                Err(Invalid::new(wrong).at("stream").hint("write `orders`, or `orders:{{ params.shop }}`"))
            }
            _ => Ok(Self(template)),
        }
    }

    /// The name, where it does not depend on the request.
    pub(crate) fn fixed(&self) -> Option<&str> {
        self.0.as_constant()
    }

    /// The name for a request.
    pub(crate) fn render(&self, whole: &Whole) -> Result<String, UpstreamError> {
        if let Some(name) = self.fixed() {
            return Ok(name.to_owned());
        }
        const WHAT: &str = "the stream's name could not be rendered";
        let name = self.0.render(whole.scope()).map_err(|error| UpstreamError::unrendered(WHAT, error))?;
        check(&name).map_err(|_| {
            let detail = "A value of the request does not fit into the name of a stream.";
            UpstreamError::new(ErrorKind::BadInput, WHAT).with_detail(detail)
        })?;
        Ok(name)
    }
}

/// Redis takes any bytes; these are names that people can read in a log.
fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a stream has a name");
    }
    if name.len() > LONGEST {
        return Err("the name of a stream is at most 1024 bytes long");
    }
    if name.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err("the name of a stream has no white space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(source: &str) -> Result<StreamName, Invalid> {
        StreamName::compile(&Located::nowhere(source.to_owned().into()), &[])
    }

    #[test]
    fn a_name_is_fixed_or_confined_by_its_beginning() {
        assert_eq!(compile("orders:eu").unwrap().fixed(), Some("orders:eu"));
        assert_eq!(compile("orders:{{ params.shop }}").unwrap().fixed(), None);
        assert!(compile("{{ params.shop }}").unwrap_err().message.contains("could name anything"));
    }

    #[test]
    fn what_is_no_name_is_told_at_load() {
        for (name, says) in [("", "has a name"), ("a b", "white space"), (&"a".repeat(LONGEST + 1), "1024")] {
            let wrong = compile(name).unwrap_err();
            assert!(wrong.message.contains(says) && wrong.field == "stream", "{wrong}");
        }
    }
}
