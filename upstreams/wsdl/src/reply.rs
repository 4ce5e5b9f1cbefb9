//! What a service answered: the JSON of a message, a fault, or nothing that the protocol allows. Pure.

use std::borrow::Cow;

use callgate_document::excerpt;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};

use crate::{
    decode::{Decoder, Unfit, free_members},
    fault::Fault,
    tree::{Element, Tree},
    wsdl::{Message, Version},
    xsd::Schema,
};

/// What a service answered.
#[derive(Debug)]
pub enum Reply {
    /// JSON.
    Message(String),
    /// The service took a message that it does not answer.
    Taken,
    /// The service says that the call failed.
    Fault(Fault),
}

/// An answer that is no message of SOAP.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A status of a failure, with a body that tells nothing more.
    #[error("the service answered {0} without a fault")]
    Status(StatusCode),
    /// Nothing, where a message belongs.
    #[error("the service answered nothing")]
    Empty,
    /// A message with attachments.
    #[error("the service answered with attachments (MIME parts), which are not supported")]
    Attachments,
    /// Another media type.
    #[error("the service answered with `{}`, which is no XML", excerpt(kind))]
    NoXml {
        /// The media type that it says.
        kind: String,
    },
    /// A character encoding that is not read.
    #[error("the service's answer is in a character encoding that is not supported")]
    Encoding,
    /// What is not well-formed, or more than is read.
    #[error("the service's answer: {0}")]
    Xml(String),
    /// XML that is no envelope.
    #[error("the service answered with the element `{}`, which is no envelope of SOAP", excerpt(root))]
    NoEnvelope {
        /// The name of its root.
        root: String,
    },
    /// A message that the schema does not tell.
    #[error("the service's answer does not fit its description: {0}")]
    Unfit(#[from] Unfit),
}

impl Refused {
    /// A status that tells more than what is wrong with the body, or that.
    pub(crate) fn status_or(status: StatusCode, otherwise: Self) -> Self {
        if status.is_success() {
            return otherwise;
        }
        Self::Status(status)
    }
}

/// What is expected of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected<'a> {
    /// A message of the WSDL; none of an operation that answers nothing.
    Message(&'a Schema, Option<&'a Message>),
    /// Anything.
    Free,
}

/// Reads an answer that no description tells more of.
///
/// # Errors
/// It is no message of SOAP.
pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Refused> {
    read_as(status, headers, body, Expected::Free)
}

/// Reads an answer.
pub(crate) fn read_as(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    expected: Expected<'_>,
) -> Result<Reply, Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let is_multipart = kind.to_ascii_lowercase().starts_with("multipart/");
    let is_xml =
        !is_multipart && (kind.to_ascii_lowercase().contains("xml") || body.trim_ascii_start().starts_with(b"<"));
    if body.trim_ascii().is_empty() {
        return match expected {
            Expected::Message(_, None) | Expected::Free if status.is_success() => Ok(Reply::Taken),
            _ => Err(Refused::status_or(status, Refused::Empty)),
        };
    }
    if !is_xml {
        let otherwise = if is_multipart { Refused::Attachments } else { Refused::NoXml { kind: kind.to_owned() } };
        return Err(Refused::status_or(status, otherwise));
    }
    let text = text(kind, body).ok_or_else(|| Refused::status_or(status, Refused::Encoding))?;
    let tree = Tree::parse(&text).map_err(|flaw| Refused::status_or(status, Refused::Xml(flaw.to_string())))?;
    let Some((version, body)) = body_of(&tree) else {
        let otherwise = Refused::NoEnvelope { root: tree.root().local().to_owned() };
        return Err(Refused::status_or(status, otherwise));
    };
    if let Some(fault) = body.child(version.namespace(), "Fault") {
        let schema = match expected {
            Expected::Message(schema, _) => Some(schema),
            Expected::Free => None,
        };
        return Ok(Reply::Fault(Fault::read(fault, version, schema)));
    }
    if !status.is_success() {
        return Err(Refused::status_or(status, Refused::Empty));
    }
    match expected {
        Expected::Message(schema, Some(message)) => Ok(Reply::Message(decode(schema, message, body)?)),
        Expected::Message(_, None) => Ok(Reply::Taken),
        Expected::Free => {
            let mut out = String::new();
            free_members(&mut out, body);
            Ok(Reply::Message(out))
        }
    }
}

/// The body of an envelope. The version is the envelope's own: a service may answer in another than it was asked in.
fn body_of(tree: &Tree) -> Option<(Version, Element<'_>)> {
    let root = tree.root();
    let version = [Version::V11, Version::V12].into_iter().find(|version| root.is(version.namespace(), "Envelope"))?;
    Some((version, root.child(version.namespace(), "Body")?))
}

/// The value of a message.
pub(crate) fn decode(schema: &Schema, message: &Message, body: Element<'_>) -> Result<String, Unfit> {
    let mut decoder = Decoder::new(schema);
    match message.parts.as_slice() {
        [] => decoder.out.push_str("{}"),
        [one] => {
            let Some(found) = body.elements().next() else {
                return Err(Unfit::Missing { wanted: one.name.local.to_string() });
            };
            // In rpc the wrapper's name is a convention that not all keep.
            if !message.rpc && found.local() != &*one.name.local {
                let (found, wanted) = (found.local().to_owned(), one.name.local.to_string());
                return Err(Unfit::Element { found, wanted });
            }
            decoder.element(found, one)?;
        }
        several => {
            decoder.out.push('{');
            for (at, part) in several.iter().enumerate() {
                if at > 0 {
                    decoder.out.push(',');
                }
                decoder.out.extend(["\"", &part.name.local, "\":"]);
                let found = body.elements().find(|child| child.local() == &*part.name.local);
                let found = found.ok_or_else(|| Unfit::Missing { wanted: part.name.local.to_string() })?;
                decoder.element(found, part)?;
            }
            decoder.out.push('}');
        }
    }
    Ok(decoder.out)
}

/// The text of a body, which is UTF-8 unless it says that it is Latin 1 or UTF-16.
#[must_use]
pub fn text<'b>(kind: &str, body: &'b [u8]) -> Option<Cow<'b, str>> {
    match body {
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        _ => {}
    }
    if let Ok(text) = std::str::from_utf8(body) {
        return Some(text.into());
    }
    // The header has precedence over the document (RFC 7303, section 3).
    let start = String::from_utf8_lossy(body.get(..body.len().min(120)).unwrap_or_default()).to_ascii_lowercase();
    let declared =
        [("charset=", kind.to_ascii_lowercase()), ("encoding=", start)].into_iter().find_map(|(key, text)| {
            let value = text.split_once(key)?.1.trim_start_matches(['"', '\'']);
            Some(value.split(['"', '\'', ';', ' ', '?']).next().unwrap_or("").to_owned())
        })?;
    matches!(&*declared, "iso-8859-1" | "latin1" | "us-ascii")
        .then(|| body.iter().copied().map(char::from).collect::<String>().into())
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    let units: Vec<_> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(status: u16, kind: &str, body: &[u8]) -> Result<Reply, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        read(StatusCode::from_u16(status).unwrap(), &headers, body)
    }

    fn envelope(version: Version, body: &str) -> String {
        format!("<e:Envelope xmlns:e='{}'><e:Header/><e:Body>{body}</e:Body></e:Envelope>", version.namespace())
    }

    #[test]
    fn an_answer_is_read_in_the_version_that_it_is_in() {
        for version in [Version::V11, Version::V12] {
            let message = envelope(version, "<a>1</a>");
            let Ok(Reply::Message(json)) = free(200, "text/xml", message.as_bytes()) else { panic!("{version}") };
            assert_eq!(json, r#"{"a":"1"}"#);
            let fault = envelope(version, "<e:Fault/>");
            for status in [200, 400, 500] {
                assert!(matches!(free(status, "text/plain", fault.as_bytes()), Ok(Reply::Fault(_))), "{status}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let message = envelope(Version::V11, "<a/>");
        for (status, kind, body, says) in [
            (200, "text/html", "<html></html>", "`html`"),
            (200, "text/xml", "<a>", "well-formed"),
            (200, "application/json", "{}", "application/json"),
            (200, "multipart/related; type=\"text/xml\"", "--x", "attachments"),
            (500, "text/xml", &message, "500"),
            (503, "text/html", "<html>", "503"),
            (404, "text/plain", "not here", "404"),
            (200, "text/xml", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "document type"),
        ] {
            let refused = free(status, kind, body.as_bytes()).unwrap_err();
            assert!(refused.to_string().contains(says), "{body}: {refused}");
        }
        assert!(matches!(free(202, "text/xml", b" \n"), Ok(Reply::Taken)));
    }

    #[test]
    fn other_encodings_than_utf_8_are_read() {
        let message = envelope(Version::V11, "<a>\u{e9}</a>");
        let latin: Vec<_> = message.chars().map(|char| u8::try_from(char).unwrap()).collect();
        let wide: Vec<_> = [0xfeff].into_iter().chain(message.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for (kind, body) in [("text/xml; charset=ISO-8859-1", &latin), ("text/xml", &wide)] {
            let Ok(Reply::Message(json)) = free(200, kind, body) else { panic!("{kind}") };
            assert_eq!(json, "{\"a\":\"\u{e9}\"}");
        }
        assert!(matches!(free(200, "text/xml; charset=koi8-r", &latin), Err(Refused::Encoding)));
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics_the_reader(body: Vec<u8>, status in 200_u16..600) {
            free(status, "text/xml", &body).ok();
        }
    }
}
