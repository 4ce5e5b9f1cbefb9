//! What routes can do without a kind of its own crate: answer, redirect, publish the routes, and echo.

mod echo;
mod openapi;
mod redirect;
mod respond;

pub use echo::{Echo, EchoConfig, EchoFailure, EchoTarget};
pub(crate) use openapi::{OpenapiSettings, Publication, Published, compose, response};
pub(crate) use redirect::Redirect;
pub(crate) use respond::Respond;
