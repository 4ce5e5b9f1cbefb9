//! The settings of a function.

use callgate_core::{Invalid, Settings};
use callgate_transform::{Located, Shape, Template, Text, Tree};
use callgate_wsdl::Version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An operation of a SOAP service, and where its input comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The operation of the WSDL; `service.port.operation` where several have the name. Without a WSDL, a name for the
    /// log.
    pub operation: String,
    /// A tree of templates that gives the input. Default: the request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Tree>,
    /// A tree of templates that gives the headers of SOAP which the WSDL binds to the operation, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Tree>,
    /// The port of the WSDL. Default: the upstream's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Without a WSDL: the action, as in the header `soapaction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Without a WSDL: the version of SOAP. Default: 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Without a WSDL: the element in the envelope's body, a template whose values are escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<Located<Text>>,
}

impl Target {
    pub(crate) fn input(&self) -> Result<Option<Shape>, Invalid> {
        self.input.as_ref().map(|tree| Shape::new(tree).map_err(|flaws| Invalid::from(flaws).at("input"))).transpose()
    }

    pub(crate) fn header(&self) -> Result<Option<Shape>, Invalid> {
        self.header.as_ref().map(|tree| Shape::new(tree).map_err(|flaws| Invalid::from(flaws).at("header"))).transpose()
    }

    pub(crate) fn xml(&self) -> Result<Option<Template>, Invalid> {
        self.xml.as_ref().map(|text| Template::xml(text).map_err(|flaw| Invalid::from(flaw).at("xml"))).transpose()
    }

    /// What goes with a WSDL only, and what without one only.
    pub(crate) fn unfit(&self, has_wsdl: bool) -> Vec<Invalid> {
        let (given, message, hint) = if has_wsdl {
            let given =
                [("action", self.action.is_some()), ("version", self.version.is_some()), ("xml", self.xml.is_some())];
            (given, "the WSDL says this already", "leave it out, or leave `wsdl` out and describe the call by hand")
        } else {
            let given =
                [("input", self.input.is_some()), ("header", self.header.is_some()), ("port", self.port.is_some())];
            (given, "only a WSDL says what becomes of this", "write the body as `xml`, or add `wsdl` to the upstream")
        };
        let mut found: Vec<_> = given
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(field, _)| Invalid::new(message).at(field).hint(hint))
            .collect();
        if !has_wsdl && self.xml.is_none() {
            found.push(Invalid::new("without a WSDL nothing says what is sent").hint(
                "add `wsdl` to the upstream, or the body as `xml: '<m:Price xmlns:m=\"urn:p\">{{ body.item }}</m:Price>'`",
            ));
        }
        found
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        found.extend(self.input().err());
        found.extend(self.header().err());
        found.extend(self.xml().err());
        if let Some(action) = self.action.as_ref().filter(|action| !is_action(action)) {
            let message = format!("`{action}` cannot be sent as an action");
            found.push(Invalid::new(message).at("action").hint("an action is a URI, without quotes and spaces"));
        }
        found
    }
}

/// Whether an action can stand in a header between quotes.
pub(crate) fn is_action(action: &str) -> bool {
    action.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\')
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("operation");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target(value: Value) -> Target {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_operation_is_enough() {
        let target = target(json!({"operation": "GetPrice"}));
        assert!(target.check().is_empty() && target.unfit(true).is_empty());
        assert_eq!(target.unfit(false).len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fields = |found: Vec<Invalid>| found.into_iter().map(|invalid| invalid.field).collect::<Vec<_>>();
        let wrong = target(json!({
            "operation": "a", "input": {"a": "{{ oops("}, "header": "{{", "xml": "<a>{{ body.x }}", "action": "a\"b",
        }));
        assert_eq!(fields(wrong.check()), ["input", "header", "xml", "action"]);
        let by_hand = target(json!({"operation": "a", "version": "1.2", "xml": "<a>{{ body.x }}</a>"}));
        assert!(by_hand.check().is_empty() && by_hand.unfit(false).is_empty());
        assert_eq!(fields(by_hand.unfit(true)), ["version", "xml"]);
    }
}
