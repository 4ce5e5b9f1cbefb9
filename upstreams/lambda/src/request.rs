//! An invocation as an HTTP request to the service: only our own headers, signed.

use bytes::Bytes;
use callgate_core::{Body, ErrorKind, UpstreamError};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};

use crate::{
    address::{Address, Service},
    sign::{Head, Signer, Timestamp},
};

const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TAIL: HeaderValue = HeaderValue::from_static("Tail");

/// What differs between the functions, made at load.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) invocation: Option<HeaderValue>,
    pub(crate) log_tail: bool,
}

/// What differs between the calls of a function.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) payload: Bytes,
    /// Where it goes, if the function's name depends on the request.
    pub(crate) address: Option<Address>,
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) trace: Option<HeaderValue>,
}

/// Builds and signs the request. Nothing of the client's own headers gets into it.
pub(crate) fn build(
    service: &Service,
    address: &Address,
    options: &Options,
    event: &Event,
    signer: &Signer,
    time: &Timestamp,
) -> Result<Request<Body>, UpstreamError> {
    let date = HeaderValue::from_bytes(time.as_bytes()).map_err(unsendable)?;
    let log_type = options.log_tail.then_some(TAIL);
    // In the order of their names, as signatures want them.
    let signed: [(HeaderName, Option<&HeaderValue>); 7] = [
        (CONTENT_TYPE, Some(&JSON)),
        (HOST, Some(&service.host)),
        (CLIENT_CONTEXT, event.client_context.as_ref()),
        (DATE, Some(&date)),
        (INVOCATION_TYPE, options.invocation.as_ref()),
        (LOG_TYPE, log_type.as_ref()),
        (SECURITY_TOKEN, signer.session_token()),
    ];
    let mut fields: [(&str, &[u8]); 7] = [("", b""); 7];
    let mut count = 0;
    let mut headers = HeaderMap::with_capacity(10);
    for (name, value) in &signed {
        if let Some(value) = value {
            fields[count] = (name.as_str(), value.as_bytes());
            count += 1;
            headers.insert(name.clone(), (*value).clone());
        }
    }
    let head = Head { method: "POST", path: &address.path, query: &address.query };
    let authorization = signer.sign(time, &head, &fields[..count], &event.payload).map_err(unsendable)?;
    headers.insert(AUTHORIZATION, authorization);
    if let Some(trace) = &event.trace {
        // Not signed, as in the SDKs: proxies on the way may change it.
        headers.insert(TRACE_ID, trace.clone());
    }
    let mut request = Request::new(Body::from(event.payload.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(address.sent.clone());
    *request.headers_mut() = headers;
    Ok(request)
}

/// Builds and signs a request that reads something.
pub(crate) fn get(
    service: &Service,
    address: &Address,
    signer: &Signer,
    time: &Timestamp,
) -> Result<Request<Body>, UpstreamError> {
    let date = HeaderValue::from_bytes(time.as_bytes()).map_err(unsendable)?;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(HOST, service.host.clone());
    headers.insert(DATE, date);
    let mut fields = vec![("host", service.host.as_bytes()), ("x-amz-date", time.as_bytes())];
    if let Some(token) = signer.session_token() {
        headers.insert(SECURITY_TOKEN, token.clone());
        fields.push(("x-amz-security-token", token.as_bytes()));
    }
    let head = Head { method: "GET", path: &address.path, query: &address.query };
    let authorization = signer.sign(time, &head, &fields, b"").map_err(unsendable)?;
    headers.insert(AUTHORIZATION, authorization);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from(address.sent.clone());
    *request.headers_mut() = headers;
    Ok(request)
}

fn unsendable(error: http::header::InvalidHeaderValue) -> UpstreamError {
    UpstreamError::new(ErrorKind::Denied, "the AWS credentials hold a character that no HTTP header may hold")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use callgate_http::Endpoint;

    use super::*;
    use crate::address::Operation;

    fn request(options: &Options, event: &Event, token: Option<&str>) -> Request<Body> {
        let service = Service::new(&Endpoint::parse("http://localhost:4566").unwrap());
        let address = service.function(Operation::Invoke, "f", Some(&"live".parse().unwrap())).unwrap();
        let keys = Credentials::new("AKID", "hush", token.map(str::to_owned), None, "test");
        let signer = Signer::new(keys, "eu-west-1", "lambda").unwrap();
        let time = Timestamp::at(UNIX_EPOCH + Duration::from_secs(1_440_938_160));
        build(&service, &address, options, event, &signer, &time).unwrap()
    }

    fn names(request: &Request<Body>) -> Vec<&str> {
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_plain_invocation_has_the_fewest_headers() {
        let options = Options { invocation: None, log_tail: false };
        let event = Event { payload: Bytes::from_static(b"{}"), address: None, client_context: None, trace: None };
        let request = request(&options, &event, None);
        assert_eq!(names(&request), ["authorization", "content-type", "host", "x-amz-date"]);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/2015-03-31/functions/f/invocations?Qualifier=live");
        assert_eq!(request.body().as_bytes(), Some(&b"{}"[..]));
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        assert!(authorization.contains("Credential=AKID/20150830/eu-west-1/lambda/aws4_request"), "{authorization}");
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date,"), "{authorization}");
    }

    #[test]
    fn every_option_has_its_header_and_all_but_the_trace_are_signed() {
        let options = Options { invocation: Some(HeaderValue::from_static("Event")), log_tail: true };
        let event = Event {
            payload: Bytes::from_static(b"{}"),
            address: None,
            client_context: Some(HeaderValue::from_static("e30=")),
            trace: Some(HeaderValue::from_static("Root=1-1-1")),
        };
        let request = request(&options, &event, Some("hush-token"));
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        let signed = "SignedHeaders=content-type;host;x-amz-client-context;x-amz-date;x-amz-invocation-type;\
                      x-amz-log-type;x-amz-security-token,";
        assert!(authorization.contains(signed), "{authorization}");
        assert_eq!(request.headers()["x-amzn-trace-id"], "Root=1-1-1");
        assert!(!format!("{request:?}").contains("hush"), "the session token is not printed");
    }
}
