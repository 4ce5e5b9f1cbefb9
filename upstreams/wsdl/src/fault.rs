//! Faults of SOAP 1.1 and 1.2.

use serde_json::{Value, json};

use crate::{
    decode::{Decoder, free_form},
    name::Name,
    tree::Element,
    wsdl::Version,
    xsd::Schema,
};

/// A service's fault, as clients read it.
#[derive(Debug)]
pub struct Fault {
    /// The code without its prefix: `Client`, `Client.Authentication`, `Sender`.
    pub code: String,
    /// The more specific code of 1.2.
    subcode: Option<String>,
    /// What happened, in the service's words.
    pub reason: String,
    detail: Value,
}

impl Fault {
    /// Reads the element of a fault. Details that the schema declares have its types. Some libraries write the faults of
    /// 1.2 into envelopes of 1.1 too, so that what is in it counts.
    pub(crate) fn read(node: Element<'_>, version: Version, schema: Option<&Schema>) -> Self {
        let version = match (child(node, "faultcode").is_some(), child(node, "Code").is_some()) {
            (true, false) => Version::V11,
            (false, true) => Version::V12,
            _ => version,
        };
        match version {
            Version::V11 => {
                let text =
                    |name: &str| child(node, name).map(|child| child.text().trim().to_owned()).unwrap_or_default();
                Self {
                    code: local(&text("faultcode")),
                    subcode: None,
                    reason: text("faultstring"),
                    detail: child(node, "detail").map_or(Value::Null, |detail| self::detail(detail, schema)),
                }
            }
            Version::V12 => {
                let at = |names: &[&str]| names.iter().try_fold(node, |node, name| child(node, name));
                let text = |names: &[&str]| at(names).map(|found| found.text().trim().to_owned());
                Self {
                    code: local(&text(&["Code", "Value"]).unwrap_or_default()),
                    subcode: text(&["Code", "Subcode", "Value"]).map(|code| local(&code)),
                    reason: text(&["Reason", "Text"]).unwrap_or_default(),
                    detail: at(&["Detail"]).map_or(Value::Null, |detail| self::detail(detail, schema)),
                }
            }
        }
    }

    /// Whether the service blames the request.
    #[must_use]
    pub fn is_clients(&self) -> bool {
        let class = self.code.split('.').next().unwrap_or_default();
        matches!(class, "Client" | "Sender")
    }

    /// The member of the problem document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fault = json!({"code": self.code, "reason": self.reason, "detail": self.detail});
        if let (Some(subcode), Some(fault)) = (&self.subcode, fault.as_object_mut()) {
            fault.insert("subcode".to_owned(), subcode.as_str().into());
        }
        fault
    }
}

/// A child by its local name: services take liberties with the namespace.
fn child<'t>(node: Element<'t>, name: &str) -> Option<Element<'t>> {
    node.elements().find(|child| child.local() == name)
}

/// A code without its prefix.
fn local(code: &str) -> String {
    code.rsplit_once(':').map_or(code, |(_, local)| local).to_owned()
}

/// What a fault says beside its reason: an object of the elements in it, or a text.
fn detail(node: Element<'_>, schema: Option<&Schema>) -> Value {
    let mut members = serde_json::Map::new();
    for child in node.elements() {
        let known = schema.and_then(|schema| {
            let element = schema.elements.get(&Name::new(child.namespace(), child.local()))?;
            let mut decoder = Decoder::new(schema);
            decoder.element(child, element).ok()?;
            Some((child.local(), decoder.out))
        });
        let (name, json) = known.unwrap_or_else(|| {
            let mut out = String::new();
            free_form(&mut out, child);
            (child.written(), out)
        });
        let value = serde_json::from_str(&json).unwrap_or(Value::Null);
        match members.get_mut(name) {
            None => drop(members.insert(name.to_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    if !members.is_empty() {
        return Value::Object(members);
    }
    match node.text().trim() {
        "" => Value::Null,
        text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn read(xml: &str, version: Version) -> Fault {
        Fault::read(Tree::parse(xml).unwrap().root(), version, None)
    }

    #[test]
    fn the_two_versions_say_the_same() {
        let fault = read(
            "<s:Fault xmlns:s='s'><faultcode>s:Client.Order</faultcode><faultstring>no such order</faultstring>\
             <detail><e>1</e><e>2</e></detail></s:Fault>",
            Version::V11,
        );
        assert!(fault.is_clients());
        let expected = json!({"code": "Client.Order", "reason": "no such order", "detail": {"e": ["1", "2"]}});
        assert_eq!(fault.to_json(), expected);
        let fault = read(
            "<s:Fault xmlns:s='s'><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>m:Down</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang='en'>down</s:Text></s:Reason><s:Detail>why</s:Detail></s:Fault>",
            Version::V12,
        );
        assert!(!fault.is_clients());
        let expected = json!({"code": "Receiver", "reason": "down", "detail": "why", "subcode": "Down"});
        assert_eq!(fault.to_json(), expected);
    }

    #[test]
    fn what_is_in_a_fault_says_which_version_it_is_of() {
        let fault =
            read("<Fault><Code><Value>s:Sender</Value></Code><Reason><Text>no</Text></Reason></Fault>", Version::V11);
        assert!(fault.is_clients() && fault.reason == "no");
        let fault = read("<Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></Fault>", Version::V12);
        assert!(fault.is_clients() && fault.reason == "no");
    }

    #[test]
    fn a_fault_that_says_nothing_is_one() {
        for version in [Version::V11, Version::V12] {
            let fault = read("<Fault/>", version);
            assert_eq!(fault.to_json(), json!({"code": "", "reason": "", "detail": null}));
            assert!(!fault.is_clients());
        }
    }
}
