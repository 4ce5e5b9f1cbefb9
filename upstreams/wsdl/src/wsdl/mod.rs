//! WSDL 1.1: which operations a service has, where, and of what their messages are made.

mod binding;
mod contract;
mod definitions;
mod message;

use std::{borrow::Cow, fmt, sync::Arc};

use callgate_transform::Text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use contract::{Contract, NoOperation, Uncallable};

use crate::xsd::Element;

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub enum Version {
    /// SOAP 1.1: `text/xml` and the header `soapaction`.
    V11,
    /// SOAP 1.2: `application/soap+xml` with the action as a parameter.
    V12,
}

/// A text that is no version of SOAP.
#[derive(Debug, thiserror::Error)]
#[error("SOAP has the versions 1.1 and 1.2")]
pub struct NoVersion;

/// As text or as a number.
impl TryFrom<Text> for Version {
    type Error = NoVersion;

    fn try_from(text: Text) -> Result<Self, NoVersion> {
        match text.as_str() {
            "1.1" => Ok(Self::V11),
            "1.2" => Ok(Self::V12),
            _ => Err(NoVersion),
        }
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": ["1.1", "1.2", 1.1, 1.2]})
    }
}

impl Version {
    /// The namespace of the envelope.
    pub(crate) const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V11 => "1.1",
            Self::V12 => "1.2",
        })
    }
}

/// An operation as a port binds it.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) version: Version,
    pub(crate) action: Arc<str>,
    /// Where the port is, if the WSDL says.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) input: Message,
    /// None where nothing is answered.
    pub(crate) output: Option<Message>,
    /// The headers that the input is sent with.
    pub(crate) headers: Vec<Element>,
    /// What the WSDL says of it.
    pub(crate) note: Option<Arc<str>>,
}

/// The body of a message: one element as a rule, of which the JSON value is that of the message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) parts: Vec<Element>,
    /// Whether the element's name is the protocol's own business (rpc), and not the schema's.
    pub(crate) rpc: bool,
}
