//! Names of functions: `NAME`, or `NAME.NAMESPACE`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest name or namespace, as Kubernetes has it.
const LONGEST: usize = 63;

/// A function's name, with its namespace where one is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName {
    name: String,
    namespace: Option<String>,
}

/// A text is no function's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has another form than `NAME` or `NAME.NAMESPACE`.
    #[error(
        "`{0}` is no function of OpenFaaS: write `NAME` or `NAME.NAMESPACE`, each of 1 to 63 letters, digits, `-` and `_`"
    )]
    Malformed(String),
}

/// Whether the text can be a name or a namespace.
pub(crate) fn is_part(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

impl FunctionName {
    /// The name without the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace, where one is written.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, namespace) = match text.split_once('.') {
            Some((name, namespace)) => (name, Some(namespace)),
            None => (text, None),
        };
        if !is_part(name) || !namespace.is_none_or(is_part) {
            return Err(NameError::Malformed(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
    }
}

impl TryFrom<String> for FunctionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(f, ".{namespace}"))
    }
}

impl JsonSchema for FunctionName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OpenFaasFunctionName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "examples": ["figlet", "figlet.staging"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_namespace() {
        for (text, name, namespace) in [("figlet", "figlet", None), ("Fig_let-2.staging", "Fig_let-2", Some("staging"))]
        {
            let read: FunctionName = text.parse().unwrap();
            assert_eq!((read.name(), read.namespace(), read.to_string().as_str()), (name, namespace, text));
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form() {
        let long = "x".repeat(64);
        for text in ["", ".", "a.", ".b", "a.b.c", "a/b", "a b", "é", "..", "a?b", "a%2fb", &long] {
            let error = text.parse::<FunctionName>().unwrap_err().to_string();
            assert!(error.contains("NAME.NAMESPACE"), "{error}");
        }
    }
}
