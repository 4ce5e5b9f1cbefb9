//! An operation with the schema of its messages: all that a call needs.

use std::sync::Arc;

use callgate_document::Description;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{
    describe,
    encode::{Encoder, Mismatch},
    envelope,
    reply::{self, Expected, Refused, Reply},
    wsdl::{Bound, Version},
    xsd::Schema,
};

/// An operation that can be called.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(crate) schema: Arc<Schema>,
    pub(crate) bound: Arc<Bound>,
}

impl Operation {
    /// The version of SOAP that it is called in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.bound.version
    }

    /// The action that says which operation is meant; empty where the WSDL has none.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.bound.action
    }

    /// Where it is, if the WSDL says.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.bound.address.as_deref()
    }

    /// What the WSDL says of it.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.bound.note.as_deref()
    }

    /// Whether the WSDL binds headers to it.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        !self.bound.headers.is_empty()
    }

    /// The beginning of its envelopes, up to the headers. All prefixes are declared there.
    #[must_use]
    pub fn opening(&self) -> String {
        let elements: Vec<_> = self.bound.input.parts.iter().chain(&self.bound.headers).collect();
        envelope::opening_of(self.bound.version, &self.schema, &elements)
    }

    /// Writes its input, which stands in the envelope's body.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn write_input(&self, out: &mut String, value: &Value) -> Result<(), Mismatch> {
        let mut encoder = Encoder::new(&self.schema, std::mem::take(out));
        encoder.parts(&self.bound.input.parts, value)?;
        *out = encoder.out;
        Ok(())
    }

    /// Writes its headers, which are members by name.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub fn write_headers(&self, out: &mut String, value: &Value) -> Result<(), Mismatch> {
        let Value::Object(members) = value else { return Err(Mismatch::wanted("an object").below("header")) };
        let known = self.bound.headers.iter().map(|element| &*element.name.local);
        if let Some(unknown) = members.keys().find(|key| !known.clone().any(|known| known == key.as_str())) {
            return Err(Mismatch::unknown(unknown, "the operation's headers", known).below("header"));
        }
        let mut encoder = Encoder::new(&self.schema, std::mem::take(out));
        for element in &self.bound.headers {
            if let Some(value) = members.get(&*element.name.local).filter(|value| !value.is_null()) {
                let within = |mismatch: Mismatch| mismatch.below(&element.name.local).below("header");
                encoder.element(element, value).map_err(within)?;
            }
        }
        *out = encoder.out;
        Ok(())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// It is no message of SOAP, or does not fit the schema.
    pub fn read(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Refused> {
        reply::read_as(status, headers, body, Expected::Message(&self.schema, self.bound.output.as_ref()))
    }

    /// What it takes and gives, with an example and its envelope.
    #[must_use]
    pub fn describe(&self) -> Description {
        describe::description(self)
    }

    /// The tree of templates that gives it what is in a body of its own form.
    #[must_use]
    pub fn stub(&self) -> Value {
        describe::stub(&self.schema, &self.bound.input)
    }
}
