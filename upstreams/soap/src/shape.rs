//! What a call looks like as HTTP. Pure.

use callgate_wsdl::Version;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
        CONTENT_RANGE, CONTENT_TYPE, EXPECT, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        RANGE, UPGRADE,
    },
    request::Parts,
};

const ACTION: HeaderName = HeaderName::from_static("soapaction");

/// What of a client's message says something of its body or of how it wants the answer: the gateway says its own.
const OF_THE_BODY: [HeaderName; 16] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACTION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    EXPECT,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// What the services that answer in envelopes may answer in.
const ACCEPTED: HeaderValue = HeaderValue::from_static("text/xml, application/soap+xml, application/xml;q=0.9");

/// What of a call's head is the same for every call of a function.
#[derive(Debug)]
pub(crate) struct Head {
    content_type: HeaderValue,
    action: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
}

impl Head {
    /// The head for an action.
    ///
    /// # Errors
    /// An action that no header can hold.
    pub(crate) fn new(
        version: Version,
        action: &str,
        authorization: Option<HeaderValue>,
    ) -> Result<Self, http::header::InvalidHeaderValue> {
        let (content_type, action) = match version {
            Version::V11 => (
                HeaderValue::from_static("text/xml; charset=utf-8"),
                Some(HeaderValue::try_from(format!("\"{action}\""))?),
            ),
            Version::V12 if action.is_empty() => {
                (HeaderValue::from_static("application/soap+xml; charset=utf-8"), None)
            }
            Version::V12 => {
                (HeaderValue::try_from(format!("application/soap+xml; charset=utf-8; action=\"{action}\""))?, None)
            }
        };
        Ok(Self { content_type, action, authorization })
    }

    /// Makes the head of a client's request that of a call.
    pub(crate) fn put_on(&self, parts: &mut Parts) {
        parts.method = Method::POST;
        let headers = &mut parts.headers;
        for name in &OF_THE_BODY {
            headers.remove(name);
        }
        headers.remove(UPGRADE);
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(ACCEPT, ACCEPTED);
        if let Some(action) = &self.action {
            headers.insert(ACTION, action.clone());
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
    }
}

/// Takes from a reply's head what said something of its body.
pub(crate) fn without_body(headers: &mut HeaderMap) {
    for name in &OF_THE_BODY {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn sent(version: Version, action: &str) -> HeaderMap {
        let request = Request::get("/x")
            .header("content-type", "application/json")
            .header("soapaction", "evil")
            .header("if-none-match", "x")
            .header("accept-encoding", "gzip")
            .header("authorization", "Bearer mine")
            .header("x-own", "1");
        let mut parts = request.body(()).unwrap().into_parts().0;
        Head::new(version, action, None).unwrap().put_on(&mut parts);
        assert_eq!(parts.method, Method::POST);
        parts.headers
    }

    #[test]
    fn each_version_says_its_action_in_its_own_way() {
        let headers = sent(Version::V11, "urn:a");
        assert_eq!(
            (&headers["content-type"], &headers["soapaction"]),
            (&"text/xml; charset=utf-8".parse().unwrap(), &"\"urn:a\"".parse().unwrap())
        );
        assert_eq!(sent(Version::V11, "")["soapaction"], "\"\"");
        let headers = sent(Version::V12, "urn:a");
        assert_eq!(headers["content-type"], "application/soap+xml; charset=utf-8; action=\"urn:a\"");
        assert!(!headers.contains_key("soapaction"));
        assert_eq!(sent(Version::V12, "")["content-type"], "application/soap+xml; charset=utf-8");
    }

    #[test]
    fn what_the_client_said_of_its_body_does_not_pass() {
        let headers = sent(Version::V11, "");
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "content-type", "soapaction", "x-own"]);
    }

    #[test]
    fn the_kinds_own_authorization_takes_the_clients_place() {
        let mut parts = Request::get("/").header("authorization", "Bearer mine").body(()).unwrap().into_parts().0;
        Head::new(Version::V11, "", Some(HeaderValue::from_static("Basic x"))).unwrap().put_on(&mut parts);
        assert_eq!(parts.headers["authorization"], "Basic x");
    }
}
