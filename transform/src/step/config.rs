//! The steps as the configuration writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::path::PathTemplate;
use crate::{
    extract::Extract,
    one_or_many::OneOrMany,
    position::Located,
    text::Text,
    tree::{Named, Tree},
};

/// What `request` takes: one step or an ordered list of steps.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct RequestSteps(pub OneOrMany<RequestStep>);

/// What `response` takes: one step or an ordered list of steps.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct ResponseSteps(pub OneOrMany<ResponseStep>);

/// One step on the way to the function. All its templates see the request as it was when the step began.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestStep {
    /// A condition, an expression without braces; the step is left out when it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Located<Text>>,
    /// Values to take out of the request, by the names that `vars` gets them under.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub extract: Named<Located<Extract>>,
    /// The method to send (template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Located<Text>>,
    /// The path to send (template). A value stays in its segment: one with a `/` is an error unless it is the tail
    /// capture, or filtered with `urlencode` or `safe`. The template begins with literal text, or is `{template, allow}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTemplate>,
    /// Edits of the query.
    #[serde(default, skip_serializing_if = "Edits::is_empty")]
    pub query: Edits,
    /// Edits of the headers.
    #[serde(default, skip_serializing_if = "Edits::is_empty")]
    pub headers: Edits,
    /// The body to send in place of the request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyForm>,
}

/// One step on the way back to the client. All its templates see the response as it was when the step began.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseStep {
    /// A condition, an expression without braces; the step is left out when it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Located<Text>>,
    /// Values to take out of the response, by the names that `vars` gets them under.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub extract: Named<Located<Extract>>,
    /// The status to answer, 200 to 599 (template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Located<Text>>,
    /// Edits of the headers.
    #[serde(default, skip_serializing_if = "Edits::is_empty")]
    pub headers: Edits,
    /// The body to answer in place of the response's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyForm>,
}

/// Edits of headers or query, carried out in the order `set`, `append`, `remove`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// Names and what they are set to (templates), in place of all values they have.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub set: Named<OneOrMany<Located<Text>>>,
    /// Names and what is added to them (templates).
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub append: Named<OneOrMany<Located<Text>>>,
    /// Names to remove; globs.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub remove: OneOrMany<Located<String>>,
}

impl Edits {
    /// Whether nothing is edited.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.set.is_empty() && self.append.is_empty() && self.remove.is_empty()
    }
}

/// The forms in which a step writes a body. Each sets `content-type` unless the step does.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// A tree that becomes JSON. A string that is one lone `{{ expression }}` keeps the expression's type.
    Json(Tree),
    /// A tree that is merged into the JSON body as a JSON merge patch (RFC 7396).
    Merge(Tree),
    /// Text (template).
    Text(Located<Text>),
    /// A form: a mapping whose values are templates, or one `{{ expression }}` of a mapping. A list repeats its name,
    /// null leaves it out.
    Form(Tree),
    /// XML (template). Values are escaped unless they are filtered with `to_xml` or `safe`.
    Xml(Located<Text>),
    /// No body at all.
    None,
}
