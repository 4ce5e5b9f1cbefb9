//! A body or claims that are not there.

use std::sync::Arc;

use minijinja::{
    Value,
    value::{Object, ObjectRepr},
};

/// Counts as undefined, and so do its members: `body.message | default("none")` holds for a message without a body,
/// where the engine would refuse to look into what is undefined.
#[derive(Debug)]
struct Absent;

impl Object for Absent {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
}

pub(super) fn absent() -> Value {
    Value::from_object(Absent)
}

/// Whether a value is undefined or absent.
pub(crate) fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Absent>().is_some()
}
