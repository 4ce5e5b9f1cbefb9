//! Values that don't fit an operation.

/// A value that can't be sent as the operation wants it. Clients read it: it names parameters and fields, and never
/// quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A required parameter has no value.
    #[error("the parameter `{name}` ({place}) is missing")]
    Missing {
        /// Its name.
        name: String,
        /// Where it stands.
        place: &'static str,
    },
    /// A value of the path would name another resource.
    #[error("the parameter `{name}` can't hold {what}: it is a part of the path")]
    Path {
        /// The parameter.
        name: String,
        /// What it can't hold.
        what: &'static str,
    },
    /// A value of a header has characters that no header has.
    #[error("the parameter `{name}` has characters that can't stand in a header")]
    Header {
        /// The parameter.
        name: String,
    },
    /// A body that must be there is not.
    #[error("the request's body is missing")]
    NoBody,
    /// A form is made of an object.
    #[error("the request's body has to be a JSON object, as its fields become a form")]
    NoForm,
    /// A file of a form that is neither text nor an object with `text` or `base64`.
    #[error("the field `{name}` has to be text, or an object with `filename`, `content_type` and `text` or `base64`")]
    NoFile {
        /// The field.
        name: String,
    },
    /// The body is of a media type that the operation doesn't take.
    #[error("the operation takes {taken}")]
    Media {
        /// The media types that it takes.
        taken: String,
    },
    /// A body that is held against a schema can't be read.
    #[error("the request's body is not JSON, or is content-encoded")]
    Unreadable,
    /// What the values make is no URL or no header.
    #[error("its values can't stand where the operation wants them")]
    Uri,
}
