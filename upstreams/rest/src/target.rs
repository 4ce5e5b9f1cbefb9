//! What a route says of a function.

use callgate_core::{Invalid, Settings};
use callgate_transform::{Named, Shape, Tree};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The service as a whole, or one of its operations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The operation's `operationId`, or `METHOD /path` as the document has it. Without one, requests pass as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Values of the operation's parameters, by name: templates, or trees of them. A parameter that is not named here is
    /// taken from the path capture, the query, the header or the field of the JSON body of its name. `null` leaves one
    /// out.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub parameters: Named<Tree>,
    /// The body's value, as a tree of templates. Default: the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Tree>,
    /// Which of the operation's media types the body is sent as. Default: the request's own, else the first that JSON can
    /// be made into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// What is held against the document's schemas. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validate>,
    /// What becomes of a slash in a value of the operation's path.
    #[serde(skip_serializing_if = "Slashes::is_default")]
    pub slashes: Slashes,
}

/// What is held against the document's schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validate {
    /// Requests: what is wrong with one is 400.
    Request,
    /// Replies, which are buffered: what is wrong with one is `bad_upstream_reply`.
    Response,
    /// Both.
    Both,
}

/// What becomes of a slash in a value of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slashes {
    /// The request is 400: many services take `%2F` for a separator.
    #[default]
    Refuse,
    /// It is sent as `%2F`.
    Encode,
}

impl Slashes {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Validate {
    /// Whether requests are.
    pub(crate) fn requests(self) -> bool {
        matches!(self, Self::Request | Self::Both)
    }

    /// Whether replies are.
    pub(crate) fn replies(self) -> bool {
        matches!(self, Self::Response | Self::Both)
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        for (name, tree) in &self.parameters.0 {
            let compiled = Shape::new(tree).err();
            invalid.extend(compiled.map(|flaws| Invalid::from(flaws).at(format!("parameters.{}", name.value))));
        }
        invalid.extend(self.body.as_ref().and_then(|tree| Some(Invalid::from(Shape::new(tree).err()?).at("body"))));
        if self.operation.is_none() {
            let given = [
                ("parameters", !self.parameters.is_empty()),
                ("body", self.body.is_some()),
                ("content_type", self.content_type.is_some()),
                ("validate", self.validate.is_some()),
                ("slashes", self.slashes != Slashes::default()),
            ];
            let given = given.into_iter().filter(|(_, given)| *given);
            invalid.extend(given.map(|(field, _)| {
                Invalid::new("this is for an operation, and none is named").at(field).hint("add `operation: ID`")
            }));
        }
        invalid
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("operation");
    const NEEDS_NAME: bool = false;
}
