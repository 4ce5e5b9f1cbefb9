//! How a port type is bound to SOAP.

use std::sync::Arc;

use super::{
    Bound, Message, Version,
    definitions::{Definitions, Part},
    message,
};
use crate::{
    name::{Name, WSDL, WSDL_MIME, WSDL_SOAP11, WSDL_SOAP12},
    tree::Element,
    xsd::Compiler,
};

/// The namespaces of WSDL's SOAP bindings.
pub(super) const SOAP: [(&str, Version); 2] = [(WSDL_SOAP11, Version::V11), (WSDL_SOAP12, Version::V12)];

/// A binding of a port type to a version of SOAP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<'d> {
    pub(super) part: Part<'d>,
    pub(super) version: Version,
    /// The namespace in which this binding writes what is SOAP's.
    namespace: &'static str,
    rpc: bool,
}

impl<'d> Binding<'d> {
    /// A binding, if it is one to SOAP.
    pub(super) fn read(part: Part<'d>) -> Option<Self> {
        SOAP.into_iter().find_map(|(namespace, version)| {
            let soap = part.node.child(namespace, "binding")?;
            Some(Self { part, version, namespace, rpc: soap.attribute("style") == Some("rpc") })
        })
    }

    pub(super) fn port_type(&self) -> Result<Name, String> {
        self.part.name_of("type")
    }

    /// The operations that it binds.
    pub(super) fn operations(&self) -> impl Iterator<Item = Part<'d>> {
        self.part.parts("operation")
    }

    /// Whether messages go by HTTP.
    fn check_transport(&self) -> Result<(), String> {
        let soap = self.part.node.child(self.namespace, "binding");
        match soap.and_then(|soap| soap.attribute("transport")) {
            Some(transport) if !transport.to_ascii_lowercase().contains("http") => {
                Err(self.part.wrong(&format!("is for the transport {transport}, not for HTTP")))
            }
            _ => Ok(()),
        }
    }

    /// An operation with its messages.
    pub(super) fn operation(
        &self,
        bound: Part<'d>,
        address: Option<&str>,
        definitions: &Definitions<'d>,
        compiler: &mut Compiler<'_>,
    ) -> Result<Bound, String> {
        self.check_transport()?;
        let port_type_name = self.port_type()?;
        let port_type = definitions
            .port_type(&port_type_name)
            .ok_or_else(|| self.part.wrong(&format!("is of the port type {port_type_name}, which nothing defines")))?;
        let declared = declared(port_type, bound)?;
        let soap = bound.node.child(self.namespace, "operation");
        let style = soap.and_then(|soap| soap.attribute("style"));
        let rpc = style.map_or(self.rpc, |style| style == "rpc");
        let mut direction = |direction: &'static str| -> Result<Option<(Message, Vec<_>)>, String> {
            let Some(abstracted) = declared.parts(direction).next() else { return Ok(None) };
            let bound = bound.parts(direction).next();
            let message = abstracted.name_of("message")?;
            let message = definitions
                .message(&message)
                .ok_or_else(|| abstracted.wrong(&format!("is the message {message}, which nothing defines")))?;
            let usage = match bound {
                Some(bound) => Usage::read(self.namespace, bound)?,
                None => Usage::default(),
            };
            let wrapper = rpc.then(|| {
                let name = bound_name(declared);
                let name = if direction == "output" { format!("{name}Response") } else { name.to_owned() };
                let name = Name::declared(usage.namespace.unwrap_or(""), &name);
                name.ok_or_else(|| declared.wrong("has no name that an element can have"))
            });
            let wrapper = wrapper.transpose()?;
            let mut headers = Vec::new();
            for header in &usage.headers {
                headers.extend(message::header(*header, definitions, compiler)?);
            }
            let in_headers: Vec<_> = usage.headers.iter().filter_map(|header| header.node.attribute("part")).collect();
            let message = message::body(message, wrapper, usage.parts.as_deref(), &in_headers, compiler)?;
            Ok(Some((message, headers)))
        };
        let (input, headers) =
            direction("input")?.ok_or_else(|| declared.wrong("takes no input, which SOAP cannot call"))?;
        let output = direction("output")?.map(|(message, _)| message);
        let action: Arc<str> = soap.and_then(|soap| soap.attribute("soapAction")).unwrap_or("").into();
        let note = declared.note().or_else(|| bound.note());
        Ok(Bound { version: self.version, action, address: address.map(Arc::from), input, output, headers, note })
    }
}

fn bound_name(declared: Part<'_>) -> &str {
    declared.node.attribute("name").unwrap_or("")
}

/// The operation of the port type that is bound here. Several of one name are told apart by their input's.
fn declared<'d>(port_type: Part<'d>, bound: Part<'d>) -> Result<Part<'d>, String> {
    let name = bound_name(bound);
    let all: Vec<_> = port_type.parts("operation").filter(|found| bound_name(*found) == name).collect();
    let input = |part: Part<'d>| part.parts("input").next().and_then(|input| input.node.attribute("name"));
    match all.as_slice() {
        [] => Err(bound.wrong(&format!("{name} is not in the port type"))),
        [one] => Ok(*one),
        several => {
            let wanted = input(bound);
            let found = several.iter().find(|found| wanted.is_some() && input(**found) == wanted);
            found.copied().ok_or_else(|| {
                bound.wrong(&format!("{name} is there {} times, and cannot be told apart", several.len()))
            })
        }
    }
}

/// What a binding says of a message.
#[derive(Default)]
struct Usage<'d> {
    /// The parts that are the body, if not all of them are.
    parts: Option<Vec<&'d str>>,
    namespace: Option<&'d str>,
    headers: Vec<Part<'d>>,
}

impl<'d> Usage<'d> {
    fn read(soap: &str, bound: Part<'d>) -> Result<Self, String> {
        let mut usage = Self::default();
        for child in bound.node.elements() {
            if child.is(WSDL_MIME, "multipartRelated") {
                usage.multipart(soap, bound.to(child))?;
            } else if child.namespace() != WSDL {
                usage.take(soap, bound.to(child))?;
            }
        }
        Ok(usage)
    }

    /// A message that could have attachments, which is plain SOAP if it has none.
    fn multipart(&mut self, soap: &str, multipart: Part<'d>) -> Result<(), String> {
        for part in multipart.node.elements().flat_map(Element::elements) {
            if part.namespace() == WSDL_MIME {
                return Err(multipart.wrong("has attachments (MIME parts), which are not supported"));
            }
            self.take(soap, multipart.to(part))?;
        }
        Ok(())
    }

    fn take(&mut self, soap: &str, part: Part<'d>) -> Result<(), String> {
        let kind = if part.node.namespace() == soap { part.node.local() } else { return Ok(()) };
        if matches!(kind, "body" | "header") && part.node.attribute("use") == Some("encoded") {
            return Err(part.wrong("is encoded (rpc/encoded), which is not supported; literal messages are"));
        }
        match kind {
            "body" => {
                self.parts = part.node.attribute("parts").map(|parts| parts.split_ascii_whitespace().collect());
                self.namespace = part.node.attribute("namespace");
            }
            "header" => self.headers.push(part),
            _ => {}
        }
        Ok(())
    }
}
