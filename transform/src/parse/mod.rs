//! Reading the media types of forms: names and the values that each has.

mod form;
mod grouped;
mod multipart;

pub(crate) use form::parse_form;
pub(crate) use grouped::Grouped;
pub(crate) use multipart::{boundary, parse_multipart};
