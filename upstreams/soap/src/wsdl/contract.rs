//! All operations of a description, by name.

use std::{collections::HashSet, fmt::Write, sync::Arc};

use callgate_core::{Invalid, document::nearest};

use super::{
    Operation, Version,
    binding::{Binding, SOAP},
    definitions::{Definitions, Part},
};
use crate::{
    documents::Documents,
    name::{Name, WSDL},
    xsd::{Compiler, Index, Schema},
};

/// What a service can do, as its description says.
#[derive(Debug)]
pub(crate) struct Contract {
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
    pub(crate) operation: Result<Arc<Operation>, String>,
}

impl Contract {
    /// Reads what the documents say.
    ///
    /// # Errors
    /// The description could not be had, or is no WSDL.
    pub(crate) fn new(documents: &Documents) -> Result<Self, String> {
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

    /// All operations, each of its ports.
    pub(crate) fn operations(&self) -> &[Listed] {
        &self.operations
    }

    /// The operation of this name: `operation`, `port.operation` or `service.port.operation`; of several ports of one
    /// port type, the one of this name, else the first that speaks SOAP 1.1.
    ///
    /// # Errors
    /// What is wrong with the name, and which would be right.
    pub(crate) fn find(&self, name: &str, port: Option<&str>) -> Result<&Listed, Invalid> {
        let named: Vec<_> = self.operations.iter().filter(|listed| listed.is_called(name)).collect();
        if named.is_empty() {
            let known: Vec<_> = self.names().map(|(name, _)| name).collect();
            let invalid = Invalid::new(format!("the WSDL has no operation `{name}`"));
            return Err(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => invalid.hint(format!("did you mean `{near}`?")),
                None if known.is_empty() => invalid.hint("it has no operation that is bound to SOAP"),
                None => invalid.hint(format!("it has {}", some_of(&known))),
            });
        }
        let chosen: Vec<_> =
            named.iter().copied().filter(|listed| port.is_none_or(|port| *listed.port == *port)).collect();
        if chosen.is_empty() {
            let ports: Vec<_> = named.iter().map(|listed| listed.port.to_string()).collect();
            let message = format!("the operation `{name}` is not at the port `{}`", port.unwrap_or_default());
            return Err(Invalid::new(message).hint(format!("it is at {}", some_of(&ports))));
        }
        let first = *chosen.iter().min_by_key(|listed| listed.version != Version::V11).unwrap_or(&chosen[0]);
        if chosen.iter().any(|listed| !listed.is_one_with(first)) {
            let names: Vec<_> = chosen.iter().map(|listed| listed.full_name()).collect();
            let invalid = Invalid::new(format!("several operations are called `{name}`"));
            return Err(invalid.hint(format!("write one of {}", some_of(&names))));
        }
        Ok(first)
    }

    /// The operation itself.
    ///
    /// # Errors
    /// As [`find`](Self::find), and why an operation can't be called.
    pub(crate) fn operation(&self, name: &str, port: Option<&str>) -> Result<Arc<Operation>, Invalid> {
        let listed = self.find(name, port)?;
        listed.operation.clone().map_err(|flaw| {
            let invalid = Invalid::new(format!("the operation `{name}` cannot be called: {flaw}"));
            match &self.missing {
                Some(missing) => invalid.hint(missing.clone()),
                None => invalid,
            }
        })
    }

    /// The name under which an operation is listed.
    pub(crate) fn listed_as(&self, name: &str, port: Option<&str>) -> Option<String> {
        let found = self.find(name, port).ok()?;
        self.names().find(|(_, listed)| listed.is_one_with(found) && listed.name == found.name).map(|(name, _)| name)
    }

    /// Where the service is, as far as its first operation says.
    pub(crate) fn address(&self) -> Option<&str> {
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
