//! What fuzz targets reach, and nobody else: they are built with `--cfg fuzzing`.

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::{
    describe,
    documents::Documents,
    error::Refused,
    reply::{self, Expected, Reply},
    tree::Tree,
    wsdl::{Contract, Operation},
};

/// A description that was loaded.
#[derive(Debug)]
pub struct Loaded(Contract);

impl Loaded {
    /// Loads a WSDL. What it refers to is not there.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut documents = Documents::new("fuzz.wsdl");
        while let Some(location) = documents.next() {
            let given = if &*location == "fuzz.wsdl" { Ok(text.to_owned()) } else { Err("not here".to_owned()) };
            documents.give(location, given);
        }
        Contract::new(&documents).map(Self)
    }

    /// Describes every operation.
    ///
    /// # Errors
    /// An example makes an envelope that can't be read.
    pub fn describe(&self) -> Result<(), String> {
        let Self(contract) = self;
        for operation in self.operations() {
            describe::stub(&contract.schema, &operation.input);
            let Some(envelope) = describe::description(&contract.schema, operation).sent else { continue };
            Tree::parse(&envelope).map_err(|flaw| format!("{flaw}: {envelope}"))?;
        }
        Ok(())
    }

    /// Reads an answer to every operation.
    ///
    /// # Errors
    /// What comes out is no JSON.
    pub fn read(&self, status: u16, kind: &str, body: &[u8]) -> Result<(), String> {
        let Self(contract) = self;
        for operation in self.operations() {
            read(Expected::Message(&contract.schema, operation.output.as_ref()), status, kind, body)?;
        }
        Ok(())
    }

    fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.0.operations().iter().filter_map(|listed| listed.operation.as_deref().ok())
    }
}

/// Reads an answer that nothing describes.
///
/// # Errors
/// What comes out is no JSON.
pub fn read_free(status: u16, kind: &str, body: &[u8]) -> Result<(), String> {
    read(Expected::Free, status, kind, body)
}

fn read(expected: Expected<'_>, status: u16, kind: &str, body: &[u8]) -> Result<(), String> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = HeaderValue::from_str(kind).map(|kind| HeaderMap::from_iter([(CONTENT_TYPE, kind)]));
    let is_json = |text: &str| match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error}: {text}")),
    };
    match reply::read(status, &headers.unwrap_or_default(), body, expected) {
        Ok(Reply::Message(json)) => is_json(&json),
        Ok(Reply::Fault(fault)) => is_json(&fault.to_json().to_string()),
        Ok(Reply::Taken) => Ok(()),
        // What is wrong is told in bounded length.
        Err(refused) => match refused {
            Refused::Xml(_) | Refused::Unfit(_) => Ok(()),
            other => (other.to_string().len() < 1000).then_some(()).ok_or_else(|| other.to_string()),
        },
    }
}
