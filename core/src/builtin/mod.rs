//! What routes can do without a kind of its own crate: answer, redirect, and echo.

mod echo;
mod redirect;
mod respond;

pub use echo::Echo;
pub(crate) use redirect::Redirect;
pub(crate) use respond::Respond;
