//! Messages: the elements that their parts are.

use super::{
    Message,
    definitions::{Definitions, Part},
};
use crate::{
    name::Name,
    xsd::{Compiler, Element},
};

/// The body of a message: the parts themselves, or, in rpc, the wrapper of this name around them.
pub(super) fn body(
    message: Part<'_>,
    wrapper: Option<Name>,
    only: Option<&[&str]>,
    in_headers: &[&str],
    compiler: &mut Compiler<'_>,
) -> Result<Message, String> {
    let mut parts = Vec::new();
    for part in message.parts("part") {
        let name = part.node.attribute("name").unwrap_or("");
        let is_body = match only {
            Some(only) => only.contains(&name),
            None => !in_headers.contains(&name),
        };
        if is_body {
            parts.push(element(part, wrapper.is_some(), compiler)?);
        }
    }
    Ok(match wrapper {
        Some(name) => {
            let kind = compiler.made_up(parts);
            Message { parts: vec![compiler.made_up_element(name, kind)], rpc: true }
        }
        None => Message { parts, rpc: false },
    })
}

/// The element of a header; none for one whose message is not defined, as it is none of the caller's.
pub(super) fn header(
    header: Part<'_>,
    definitions: &Definitions<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Option<Element>, String> {
    let name = header.name_of("message")?;
    let Some(message) = definitions.message(&name) else { return Ok(None) };
    let wanted = header.node.attribute("part");
    let part = message.parts("part").find(|part| wanted.is_some() && part.node.attribute("name") == wanted);
    part.map(|part| element(part, false, compiler)).transpose()
}

/// The element of a part. A part that has a type only is an element without a namespace, named as the part is.
fn element(part: Part<'_>, in_wrapper: bool, compiler: &mut Compiler<'_>) -> Result<Element, String> {
    if part.node.attribute("element").is_some() {
        let name = part.name_of("element")?;
        let found = compiler.element(&name).cloned();
        return found.ok_or_else(|| part.wrong(&format!("is the element {name}, which no schema declares")));
    }
    if part.node.attribute("type").is_none() {
        return Err(part.wrong("has neither an element nor a type"));
    }
    if !in_wrapper {
        return Err(part.wrong("has a type and no element, which document/literal messages need"));
    }
    let kind = part.name_of("type")?;
    let kind = compiler.type_named(&kind);
    let name = Name::declared("", part.node.attribute("name").unwrap_or(""));
    let name = name.ok_or_else(|| part.wrong("has no name that an element can have"))?;
    Ok(compiler.made_up_element(name, kind))
}
