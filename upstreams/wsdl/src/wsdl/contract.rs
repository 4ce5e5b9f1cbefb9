//! All operations of a description, by name.

use std::{collections::HashSet, fmt::Write, sync::Arc};

use callgate_document::nearest;

use super::{
    Bound, Version,
    binding::{Binding, SOAP},
    definitions::{Definitions, Part},
};
use crate::{
    documents::Documents,
    name::{Name, WSDL},
    operation::Operation,
    xsd::{Compiler, Index, Schema},
};

/// What a service can do, as its description says.
#[derive(Debug)]
pub struct Contract {
    pub(crate) schema: Arc<Schema>,
    operations: Vec<Listed>,
    /// Documents that could not be had, for messages about what they would have said.
    missing: Option<String>,
}

/// An operation of a port, or why it can't be called.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: Arc<str>,
    service: Arc<str>,
    pub(crate) port: Arc<str>,
    port_type: Name,
    address: Option<Arc<str>>,
    pub(crate) version: Version,
    pub(crate) operation: Result<Arc<Bound>, String>,
}

/// A name by which no operation can be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoOperation {
    /// What is wrong.
    pub message: String,
    /// What would be right, if anything is known of it.
    pub hint: Option<String>,
}

/// An operation that is there and can't be called.
#[derive(Debug)]
pub struct Uncallable<'a> {
    /// Its name.
    pub operation: &'a str,
    /// The port that it is at.
    pub port: &'a str,
    /// Why it can't be called.
    pub reason: &'a str,
}

impl Contract {
    /// Reads what the documents say.
    ///
    /// # Errors
    /// The description could not be had, or is no WSDL.
    pub fn new(documents: &Documents) -> Result<Self, String> {
        let root = documents.root()?.root();
        if !root.is(WSDL, "definitions") {
            return Err(match (root.local(), root.namespace()) {
                ("description", "http://www.w3.org/ns/wsdl") => {
                    "it is WSDL 2.0, and only WSDL 1.1 is supported".to_owned()
                }
                (name, _) => format!("it is no WSDL 1.1, but an XML document of the element `{name}`"),
            });
        }
        let definitions = Definitions::new(documents);
        let index = Index::new(documents);
        let mut compiler = Compiler::new(&index);
        let mut operations = Vec::new();
        let mut bound = HashSet::new();
        for service in &definitions.services {
            for port in service.parts("port") {
                let Ok(name) = port.name_of("binding") else { continue };
                let Some(binding) = definitions.binding(&name).and_then(Binding::read) else { continue };
                bound.insert(name);
                let place = (service.node.attribute("name").unwrap_or(""), port.node.attribute("name").unwrap_or(""));
                list(&binding, place, address(port), &definitions, &mut compiler, &mut operations);
            }
        }
        // Some descriptions leave it to each instance where it is.
        for (name, part) in definitions.bindings.iter().filter(|(name, _)| !bound.contains(name)) {
            let Some(binding) = Binding::read(*part) else { continue };
            list(&binding, ("", &name.local), None, &definitions, &mut compiler, &mut operations);
        }
        let schema = compiler.finish();
        let missing = missing(documents);
        for listed in &mut operations {
            let Ok(operation) = &listed.operation else { continue };
            let messages = std::iter::once(&operation.input).chain(&operation.output);
            let mut elements = messages.flat_map(|message| &message.parts).chain(&operation.headers);
            if let Some(flaw) = elements.find_map(|element| schema.flaw(element.kind)) {
                listed.operation = Err(flaw.to_owned());
            }
        }
        Ok(Self { schema: Arc::new(schema), operations, missing })
    }

    /// Each operation that can be called once, by its shortest name that means it alone.
    pub fn operations(&self) -> impl Iterator<Item = (String, Operation)> {
        self.names().filter_map(|(name, listed)| Some((name, self.whole(listed.operation.as_ref().ok()?))))
    }

    /// The operations that can't be called, each of its ports.
    pub fn uncallable(&self) -> impl Iterator<Item = Uncallable<'_>> {
        self.operations.iter().filter_map(|listed| {
            let reason = listed.operation.as_ref().err()?;
            Some(Uncallable { operation: &listed.name, port: &listed.port, reason })
        })
    }

    fn whole(&self, bound: &Arc<Bound>) -> Operation {
        Operation { schema: Arc::clone(&self.schema), bound: Arc::clone(bound) }
    }

    /// What is listed by a name, callable or not.
    pub(crate) fn find(&self, name: &str, port: Option<&str>) -> Result<&Listed, NoOperation> {
        let named: Vec<_> = self.operations.iter().filter(|listed| listed.is_called(name)).collect();
        if named.is_empty() {
            let known: Vec<_> = self.names().map(|(name, _)| name).collect();
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has no operation that is bound to SOAP".to_owned(),
                None => format!("it has {}", some_of(&known)),
            };
            return Err(NoOperation { message: format!("the WSDL has no operation `{name}`"), hint: Some(hint) });
        }
        let chosen: Vec<_> =
            named.iter().copied().filter(|listed| port.is_none_or(|port| *listed.port == *port)).collect();
        if chosen.is_empty() {
            let ports: Vec<_> = named.iter().map(|listed| listed.port.to_string()).collect();
            let message = format!("the operation `{name}` is not at the port `{}`", port.unwrap_or_default());
            return Err(NoOperation { message, hint: Some(format!("it is at {}", some_of(&ports))) });
        }
        let first = *chosen.iter().min_by_key(|listed| listed.version != Version::V11).unwrap_or(&chosen[0]);
        if chosen.iter().any(|listed| !listed.is_one_with(first)) {
            let names: Vec<_> = chosen.iter().map(|listed| listed.full_name()).collect();
            let message = format!("several operations are called `{name}`");
            return Err(NoOperation { message, hint: Some(format!("write one of {}", some_of(&names))) });
        }
        Ok(first)
    }

    /// The operation of this name: `operation`, `port.operation` or `service.port.operation`; of several ports of one
    /// port type, the one of this name, else the first that speaks SOAP 1.1.
    ///
    /// # Errors
    /// What is wrong with the name, and which would be right; or why the operation can't be called.
    pub fn operation(&self, name: &str, port: Option<&str>) -> Result<Operation, NoOperation> {
        let listed = self.find(name, port)?;
        listed.operation.as_ref().map(|bound| self.whole(bound)).map_err(|flaw| {
            let message = format!("the operation `{name}` cannot be called: {flaw}");
            NoOperation { message, hint: self.missing.clone() }
        })
    }

    /// The name under which an operation is listed.
    #[must_use]
    pub fn listed_as(&self, name: &str, port: Option<&str>) -> Option<String> {
        let found = self.find(name, port).ok()?;
        self.names().find(|(_, listed)| listed.is_one_with(found) && listed.name == found.name).map(|(name, _)| name)
    }

    /// Where the service is, as far as its first operation says.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.operations.iter().find_map(|listed| listed.operation.as_ref().ok()?.address.as_deref())
    }

    /// Each operation once: by its shortest name that means it alone.
    pub(crate) fn names(&self) -> impl Iterator<Item = (String, &Listed)> {
        self.operations.iter().enumerate().filter_map(|(at, listed)| {
            let is_one = |other: &&Listed| other.is_one_with(listed) && other.name == listed.name;
            let mut others = self.operations.iter().filter(is_one);
            let best = others.clone().find(|other| other.version == Version::V11).or_else(|| others.next())?;
            if !std::ptr::eq(best, self.operations.get(at)?) {
                return None;
            }
            let alone = self.operations.iter().all(|other| other.name != listed.name || other.is_one_with(listed));
            Some((if alone { listed.name.to_string() } else { listed.full_name() }, listed))
        })
    }
}

impl Listed {
    fn is_called(&self, name: &str) -> bool {
        let rest = |whole: &'_ str, first: &str| {
            whole.strip_prefix(first).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
        };
        let at_port = |name: &str| rest(name, &self.port).is_some_and(|rest| rest == *self.name);
        name == &*self.name || at_port(name) || rest(name, &self.service).is_some_and(|rest| at_port(&rest))
    }

    /// Whether two are one operation at different ports, or at one place by the names of several services.
    fn is_one_with(&self, other: &Self) -> bool {
        let at_one_place = self.address.is_some() && self.address == other.address;
        self.port_type == other.port_type && (self.service == other.service || at_one_place)
    }

    fn full_name(&self) -> String {
        let mut name = String::new();
        for part in [&self.service, &self.port, &self.name] {
            if !part.is_empty() {
                let dot = if name.is_empty() { "" } else { "." };
                // Writing to a string never fails.
                write!(name, "{dot}{part}").ok();
            }
        }
        name
    }
}

fn list<'d>(
    binding: &Binding<'d>,
    (service, port): (&str, &str),
    address: Option<&str>,
    definitions: &Definitions<'d>,
    compiler: &mut Compiler<'_>,
    operations: &mut Vec<Listed>,
) {
    let port_type = binding.port_type().unwrap_or_else(|_| Name::new("", ""));
    for bound in binding.operations() {
        let operation = binding.operation(bound, address, definitions, compiler).map(Arc::new);
        operations.push(Listed {
            name: bound.node.attribute("name").unwrap_or("").into(),
            service: service.into(),
            port: port.into(),
            port_type: port_type.clone(),
            address: address.map(Arc::from),
            version: binding.version,
            operation,
        });
    }
}

/// Where a port is.
fn address(port: Part<'_>) -> Option<&str> {
    let address = SOAP.into_iter().find_map(|(namespace, _)| port.node.child(namespace, "address"))?;
    address.attribute("location").map(str::trim).filter(|location| !location.is_empty())
}

/// A sentence on the documents that could not be had.
fn missing(documents: &Documents) -> Option<String> {
    let all: Vec<_> = documents.missing().map(|(location, reason)| format!("{location} ({reason})")).collect();
    (!all.is_empty()).then(|| format!("these documents could not be read: {}", some_of(&all)))
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    shown.join(", ")
}
