//! The model that all versions are read into.

use http::Method;
use serde_json::Value;

use crate::{
    files::{Broken, Place},
    kind::Kind,
    path::PathTemplate,
    security::Requirement,
    server::Server,
    style::Style,
};

/// An operation, read.
#[derive(Debug)]
pub struct Operation {
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: PathTemplate,
    pub(crate) summary: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) replies: Vec<Reply>,
    /// What it needs of credentials: one of these, or nothing where there are none.
    pub(crate) security: Vec<Requirement>,
    /// Servers of its own; none where those of the document serve it.
    pub(crate) servers: Vec<Server>,
}

/// Where a parameter stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum In {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) place: In,
    pub(crate) summary: Option<String>,
    pub(crate) required: bool,
    pub(crate) style: Style,
    pub(crate) explode: bool,
    /// Reserved characters stand in a query as they are.
    pub(crate) allow_reserved: bool,
    /// Its value is JSON as a whole.
    pub(crate) is_json: bool,
    pub(crate) kind: Kind,
    pub(crate) schema: Option<Schema>,
    pub(crate) example: Option<Value>,
}

/// A request's body.
#[derive(Debug)]
pub struct Body {
    pub(crate) summary: Option<String>,
    pub(crate) required: bool,
    pub(crate) media: Vec<Media>,
}

/// A media type that a body may have.
#[derive(Debug)]
pub struct Media {
    /// In lower case, without parameters; `*/*`, `image/*`.
    pub(crate) range: String,
    /// As the document has it, to be sent.
    pub(crate) written: String,
    pub(crate) schema: Option<Schema>,
    /// How the fields of a form are written, by name.
    pub(crate) encodings: Vec<(String, Encoding)>,
    /// The fields of the schema, for forms.
    pub(crate) kind: Kind,
    pub(crate) example: Option<Value>,
}

/// How a field of a form is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Encoding {
    pub(crate) content_type: Option<String>,
    pub(crate) style: Option<Style>,
    pub(crate) explode: Option<bool>,
    pub(crate) allow_reserved: bool,
}

/// What an operation answers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `200`, `4XX` or `default`.
    pub(crate) status: String,
    pub(crate) summary: Option<String>,
    pub(crate) media: Vec<(String, Option<Schema>)>,
}

/// A schema: a node of a file, or one that was made for a form of Swagger 2.0.
#[derive(Debug, Clone)]
pub(crate) enum Schema {
    At(Place),
    Made { file: usize, value: Value },
}

/// An operation that can't be used as the document has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message} (at {pointer})")]
pub struct Problem {
    /// The operation's name.
    pub name: String,
    /// The JSON pointer of what is wrong, after the file unless it is the document itself.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(name: &str, broken: Broken) -> Self {
        Self { name: name.to_owned(), pointer: broken.pointer, message: broken.message }
    }
}

impl Operation {
    /// Its `operationId`, or `METHOD /path`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, in a line.
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Its body, if it takes one.
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// Its alternatives of credentials.
    pub fn security(&self) -> &[Requirement] {
        &self.security
    }

    /// Servers of its own.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }
}

impl Parameter {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands.
    pub fn place(&self) -> In {
        self.place
    }

    /// Whether a call without it is refused.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The type of its values.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether its value is sent as JSON.
    pub fn takes_json(&self) -> bool {
        self.is_json
    }

    /// Whether a list of its values stands in one text, and what parts it there.
    pub fn delimiter(&self) -> Option<char> {
        self.style.delimiter(self.explode)
    }

    /// Whether the fields of an object stand as `name[field]`.
    pub fn is_deep(&self) -> bool {
        self.style == Style::DeepObject
    }
}

impl In {
    /// As documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

impl Body {
    /// Whether a call without it is refused.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Its media types.
    pub fn media(&self) -> &[Media] {
        &self.media
    }
}
