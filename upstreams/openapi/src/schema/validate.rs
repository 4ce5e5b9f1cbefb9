//! Values are held against schemas.

use std::fmt;

use serde_json::Value;

use super::{Bundle, Direction};
use crate::{document::Document, operation::Schema};

/// How many violations of one value are told.
const MOST: usize = 10;
/// The longest sentence about a violation, in characters.
const LONGEST: usize = 160;

/// A compiled schema.
pub struct Validator(jsonschema::Validator);

/// What of a value is not as its schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The JSON pointer of the part.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl Validator {
    /// Compiles a schema with all that it refers to.
    pub(crate) fn new(document: &Document, schema: &Schema, direction: Direction) -> Result<Self, String> {
        let mut bundle = Bundle::new(document, direction);
        let mut root = bundle.add(schema).map_err(|broken| broken.to_string())?;
        let definitions = bundle.into_definitions();
        if let (Value::Object(fields), false) = (&mut root, definitions.is_empty()) {
            fields.insert("$defs".to_owned(), Value::Object(definitions));
        }
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        options.build(&root).map(Self).map_err(|error| error.to_string())
    }

    /// What of a value is wrong, below a pointer.
    pub fn violations(&self, pointer: &str, value: &Value) -> Vec<Violation> {
        let errors = self.0.iter_errors(value).take(MOST);
        errors
            .map(|error| {
                let message = error.to_string();
                let cut: String = message.chars().take(LONGEST).collect();
                let message = if cut.len() < message.len() { format!("{cut}…") } else { cut };
                Violation { pointer: format!("{pointer}{}", error.instance_path()), message }
            })
            .collect()
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}
