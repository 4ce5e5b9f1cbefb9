//! Filters that write and read XML.

use minijinja::{Environment, Error, Value};

use super::functions::invalid;
use crate::xml;

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("to_xml", to_xml);
    environment.add_filter("from_xml", from_xml);
}

/// Markup, which an XML template takes as it is.
fn to_xml(value: &Value, root: Option<&str>) -> Result<Value, Error> {
    xml::write(value, root).map(Value::from_safe_string).map_err(|error| invalid(format!("to_xml: {error}")))
}

fn from_xml(text: &str) -> Result<Value, Error> {
    xml::parse(text.as_bytes()).map_err(|error| invalid(format!("from_xml: {error}")))
}
