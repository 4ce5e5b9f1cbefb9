//! A function, bound: everything about it that doesn't change from call to call is ready.

use callgate_core::{Body, CallContext, Description, Invalid, UpstreamError};
use callgate_http::Endpoint;
use callgate_transform::{Payload, Scope, Shape, Template, is_plain_json};
use callgate_wsdl::{CLOSING, Contract, Operation, Refused, Reply, Version, opening};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, request::Parts, uri::PathAndQuery};
use serde_json::Value;

use crate::{
    address::Address,
    config::Config,
    error,
    security::Token,
    shape::Head,
    target::{Target, is_action},
};

/// What all functions of an upstream share.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// Where the service is, if the settings say.
    pub(crate) url: Option<Address>,
    pub(crate) port: Option<String>,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) token: Option<Token>,
}

impl Setup {
    /// What the settings say, but for the credentials: for what only looks.
    pub(crate) fn without_credentials(config: &Config) -> Self {
        let url = config.url.as_deref().and_then(|url| Address::parse(url).ok());
        Self { url, port: config.port.clone(), ..Self::default() }
    }
}

/// A function, ready to be called.
#[derive(Debug)]
pub(crate) struct Bound {
    endpoint: Endpoint,
    target: PathAndQuery,
    head: Head,
    /// The envelope up to its headers.
    opening: String,
    call: Call,
}

/// What goes into the envelope.
#[derive(Debug)]
enum Call {
    Operation { operation: Operation, input: Input, header: Option<Shape> },
    Xml(Template),
}

/// Where an operation's input comes from.
#[derive(Debug)]
enum Input {
    Tree(Shape),
    /// The body; the tree reads it where it is no plain JSON.
    Body(Shape),
}

/// How many bytes an envelope is expected to have beyond the input's.
const ENVELOPE: usize = 512;

impl Bound {
    /// Binds a target to an operation of a contract.
    pub(crate) fn operation(
        contract: &Contract,
        setup: &Setup,
        target: &Target,
        address: impl FnOnce(&str) -> Result<Address, String>,
    ) -> Result<Self, Invalid> {
        if let Some(unfit) = target.unfit(true).into_iter().next() {
            return Err(unfit);
        }
        let port = target.port.as_deref().or(setup.port.as_deref());
        let operation = contract.operation(&target.operation, port).map_err(error::no_operation)?;
        let Address { endpoint, target: path } = match (&setup.url, operation.address()) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => address(url).map_err(|error| {
                Invalid::new(format!("the WSDL's address of the operation: {error}"))
                    .at("operation")
                    .hint("add the service's `url` to the upstream")
            })?,
            (None, None) => {
                return Err(Invalid::new("the WSDL does not say where the service is")
                    .at("operation")
                    .hint("add the service's `url` to the upstream"));
            }
        };
        if !is_action(operation.action()) {
            return Err(Invalid::new("the WSDL's action cannot be sent as a header").at("operation"));
        }
        let input = match target.input()? {
            Some(tree) => Input::Tree(tree),
            None => Input::Body(Shape::of_body()?),
        };
        let header = target.header()?;
        if header.is_some() && !operation.has_headers() {
            let message = "the WSDL binds no header to the operation";
            return Err(Invalid::new(message).at("header").hint("leave `header` out"));
        }
        let opening = operation.opening();
        let head = head(operation.version(), operation.action(), setup)?;
        Ok(Self { endpoint, target: path, head, opening, call: Call::Operation { operation, input, header } })
    }

    /// Binds a target that says by itself what is sent.
    pub(crate) fn by_hand(setup: &Setup, target: &Target) -> Result<Self, Invalid> {
        if let Some(unfit) = target.unfit(false).into_iter().next() {
            return Err(unfit);
        }
        let (Some(address), Some(xml)) = (setup.url.clone(), target.xml()?) else {
            return Err(
                Invalid::new("nothing says where the service is").hint("add the service's `url` to the upstream")
            );
        };
        let version = target.version.unwrap_or(Version::V11);
        let head = head(version, target.action.as_deref().unwrap_or(""), setup)?;
        let opening = opening(version);
        Ok(Self { endpoint: address.endpoint, target: address.target, head, opening, call: Call::Xml(xml) })
    }

    /// Where calls go.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reads an answer.
    pub(crate) fn read(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Refused> {
        match &self.call {
            Call::Operation { operation, .. } => operation.read(status, headers, body),
            Call::Xml(_) => callgate_wsdl::read(status, headers, body),
        }
    }

    /// What it takes and gives, where a WSDL says.
    pub(crate) fn description(&self) -> Option<Description> {
        match &self.call {
            Call::Operation { operation, .. } => Some(operation.describe()),
            Call::Xml(_) => None,
        }
    }

    /// The call for an invocation.
    pub(crate) async fn request(
        &self,
        setup: &Setup,
        request: Request<Body>,
        context: &CallContext,
    ) -> Result<Request<Body>, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        let bytes = if self.reads_body() {
            Some(body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?)
        } else {
            None
        };
        let mut out =
            String::with_capacity(self.opening.len() + ENVELOPE + bytes.as_ref().map_or(0, |bytes| bytes.len() * 2));
        out.push_str(&self.opening);
        let envelope = self.envelope(out, setup, &parts, bytes.as_ref(), context)?;
        self.head.put_on(&mut parts);
        parts.uri = Uri::from(self.target.clone());
        Ok(Request::from_parts(parts, Body::from(envelope)))
    }

    fn reads_body(&self) -> bool {
        match &self.call {
            Call::Operation { input: Input::Body(_), .. } => true,
            Call::Operation { input: Input::Tree(input), header, .. } => {
                input.reads_body() || header.as_ref().is_some_and(Shape::reads_body)
            }
            Call::Xml(template) => template.reads_body(),
        }
    }

    fn envelope(
        &self,
        mut out: String,
        setup: &Setup,
        parts: &Parts,
        bytes: Option<&bytes::Bytes>,
        context: &CallContext,
    ) -> Result<String, UpstreamError> {
        let payload = bytes.cloned().map_or(Payload::Streaming, Payload::from);
        let scope = || Scope::of_request(parts, &payload, context.exchange());
        match &self.call {
            Call::Xml(template) => {
                begin(&mut out, setup, |_| Ok(()))?;
                let failed = |error| UpstreamError::unrendered("the envelope's body could not be rendered", error);
                out.push_str(&template.render_xml(&scope()).map_err(failed)?);
            }
            Call::Operation { operation, input, header } => {
                let failed = |error| UpstreamError::unrendered("the operation's input could not be rendered", error);
                let header = match header {
                    Some(header) => Some(header.render(&scope()).map_err(failed)?),
                    None => None,
                };
                begin(&mut out, setup, |out| match &header {
                    Some(header) => operation.write_headers(out, header).map_err(error::mismatch),
                    None => Ok(()),
                })?;
                let input = match input {
                    Input::Body(_) if is_plain_json(&parts.headers) => json(bytes.map_or(&[], |bytes| &**bytes))?,
                    Input::Tree(tree) | Input::Body(tree) => tree.render(&scope()).map_err(failed)?,
                };
                operation.write_input(&mut out, &input).map_err(error::mismatch)?;
            }
        }
        out.push_str(CLOSING);
        Ok(out)
    }
}

fn head(version: Version, action: &str, setup: &Setup) -> Result<Head, Invalid> {
    Head::new(version, action, setup.authorization.clone())
        .map_err(|error| Invalid::new(error.to_string()).at("action"))
}

/// Writes the headers, where there are some, and begins the body.
fn begin(
    out: &mut String,
    setup: &Setup,
    others: impl FnOnce(&mut String) -> Result<(), UpstreamError>,
) -> Result<(), UpstreamError> {
    const HEADER: &str = "<soap:Header>";
    let before = out.len();
    out.push_str(HEADER);
    if let Some(token) = &setup.token {
        token.write(out)?;
    }
    others(out)?;
    if out.len() == before + HEADER.len() {
        out.truncate(before);
    } else {
        out.push_str("</soap:Header>");
    }
    out.push_str("<soap:Body>");
    Ok(())
}

/// The value of a JSON body; an empty one is an empty object.
fn json(bytes: &[u8]) -> Result<Value, UpstreamError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(bytes).map_err(|error| UpstreamError::no_json(&error))
}
