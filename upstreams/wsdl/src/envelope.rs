//! What stands around a message.

use crate::{
    name::{XSD, XSI},
    wsdl::Version,
    xsd::{Element, Schema},
};

/// The end of an envelope.
pub const CLOSING: &str = "</soap:Body></soap:Envelope>";

/// The beginning of an envelope of which no description tells more, up to its headers.
#[must_use]
pub fn opening(version: Version) -> String {
    let mut out = declared(version);
    out.push('>');
    out
}

/// The same with the prefixes of some of the schema's elements.
pub(crate) fn opening_of(version: Version, schema: &Schema, elements: &[&Element]) -> String {
    let mut out = declared(version);
    for number in schema.prefixes_of(elements) {
        if let Some(namespace) = schema.namespaces.get(number) {
            out.extend([
                " xmlns:n",
                &number.to_string(),
                "=\"",
                &namespace.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
                "\"",
            ]);
        }
    }
    out.push('>');
    out
}

fn declared(version: Version) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"");
    out.extend([version.namespace(), "\" xmlns:xsi=\"", XSI, "\" xmlns:xsd=\"", XSD, "\""]);
    out
}
