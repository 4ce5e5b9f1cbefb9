//! Where an invocation goes: the path of a function, ready to be sent and to be signed.

use callgate_http::Endpoint;
use http::{HeaderValue, uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::name::{FunctionName, Qualifier};

/// All but RFC 3986's unreserved characters, as the AWS SDKs escape a label in a path and signatures a query.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The service as it is addressed: `host` as it is sent and signed, and the path that stands before Lambda's own.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) host: HeaderValue,
    base: Box<str>,
}

/// What is asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Invoke,
    InvokeWithResponseStream,
}

impl Operation {
    /// The parts of the path around the function's name.
    fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Invoke => ("2015-03-31", "invocations"),
            Self::InvokeWithResponseStream => ("2021-11-15", "response-streaming-invocations"),
        }
    }
}

/// A function's path and query: as they are sent, and in the canonical form that is signed.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) sent: PathAndQuery,
    /// The path with its escapes escaped again, as every service but S3 wants it.
    pub(crate) path: Box<str>,
    pub(crate) query: Box<str>,
}

impl Service {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self { host: endpoint.host_header().clone(), base: endpoint.base_path().into() }
    }

    /// The address of a function whose name and qualifier are resolved.
    pub(crate) fn function(
        &self,
        operation: Operation,
        name: &str,
        qualifier: Option<&Qualifier>,
    ) -> Result<Address, http::uri::InvalidUri> {
        let (version, verb) = operation.path();
        let path = format!("{}/{version}/functions/{}/{verb}", self.base, self.escaped(name));
        let query = match qualifier {
            Some(qualifier) => format!("Qualifier={}", self.escaped(qualifier.as_str())),
            None => String::new(),
        };
        Self::address(&path, &query)
    }

    /// The address of another operation of the control plane; `query` is sorted by its names, and both are escaped.
    pub(crate) fn operation(&self, path: &str, query: &str) -> Result<Address, http::uri::InvalidUri> {
        Self::address(&format!("{}/2015-03-31/{path}", self.base), query)
    }

    /// A text as one segment of a path, or as a value in a query.
    #[allow(clippy::unused_self, reason = "addresses are made by their service alone")]
    pub(crate) fn escaped<'a>(&self, text: &'a str) -> impl std::fmt::Display + 'a {
        utf8_percent_encode(text, &RESERVED)
    }

    fn address(path: &str, query: &str) -> Result<Address, http::uri::InvalidUri> {
        let sent = if query.is_empty() { path.parse()? } else { format!("{path}?{query}").parse()? };
        Ok(Address { sent, path: path.replace('%', "%25").into(), query: query.into() })
    }
}

/// The name to ask the service for, and the qualifier, whether it stands in the name or beside it.
pub(crate) fn resolve<'a>(
    name: &'a FunctionName,
    qualifier: Option<&'a Qualifier>,
    region: &str,
    account: Option<&str>,
) -> (String, Option<&'a Qualifier>) {
    (name.resolved(region, account), name.qualifier().or(qualifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(uri: &str) -> Service {
        Service::new(&Endpoint::parse(uri).unwrap())
    }

    #[test]
    fn names_are_one_segment_of_the_path_and_qualifiers_stand_in_the_query() {
        let service = service("https://lambda.eu-west-1.amazonaws.com");
        let name: FunctionName = "123456789012:function:f:$LATEST".parse().unwrap();
        let (name, qualifier) = resolve(&name, None, "eu-west-1", None);
        let address = service.function(Operation::Invoke, &name, qualifier).unwrap();
        assert_eq!(
            address.sent,
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af/invocations\
             ?Qualifier=%24LATEST"
        );
        assert!(address.path.contains("arn%253Aaws%253Alambda"));
        assert_eq!(&*address.query, "Qualifier=%24LATEST");
    }

    #[test]
    fn an_endpoint_may_have_a_path_of_its_own() {
        let service = service("http://proxy/lambda/");
        let address = service.function(Operation::Invoke, "f", None).unwrap();
        assert_eq!(address.sent, "/lambda/2015-03-31/functions/f/invocations");
        assert_eq!(&*address.path, "/lambda/2015-03-31/functions/f/invocations");
        let address = service.function(Operation::InvokeWithResponseStream, "f", None).unwrap();
        assert_eq!(address.sent, "/lambda/2021-11-15/functions/f/response-streaming-invocations");
    }
}
