//! An extraction as the configuration writes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{position::Located, tree::Tree};

/// A value to take out of a message. Exactly one source is named.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// Source: the first value of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Located<String>>,
    /// Source: the first value of a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Located<String>>,
    /// Source: a capture of the route's path template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<Located<String>>,
    /// Source: a cookie of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Located<String>>,
    /// Source: the JSON body, by a JSONPath (RFC 9535). One node is its value, several are a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Located<String>>,
    /// Source: the XML body, by a path of element names without their prefixes (`Envelope/Body/Price`, `Order/@id`). One
    /// element is its value, several are a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<Located<String>>,
    /// Source: the first value of a field of a form, urlencoded or multipart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Located<String>>,
    /// Source: the whole path, when true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub path: bool,
    /// Source: the raw body as text, when true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub text: bool,
    /// A regular expression to search in the value: named groups give an object, else group 1, else the whole match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<Located<String>>,
    /// What the value becomes when the expression matches: a text in which `$1` and `$name` are groups, and `$$` is a
    /// dollar. Where letters follow a group it is `${name}`, in a document `$${name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Located<String>>,
    /// Whether it is an error (400 for a request) when there is no such value. Default false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What the value is when there is none (a tree of templates).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Tree>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
