#![doc = include_str!("../README.md")]

mod client;
mod connect;
mod endpoint;
mod error;
mod framing;
mod h1;
mod h2;
mod hpack;
mod io;
mod noted;
mod pool;
mod proxy;
mod settings;
mod status;
mod tls;
mod turn;
mod upgrade;
pub mod wire;

pub use client::{Failure, HttpClient};
pub use endpoint::{Endpoint, EndpointError};
pub use error::HttpError;
pub use hpack::keep_unindexed;
pub use proxy::{ProxyError, ProxySettings};
pub use settings::{HttpSettings, TlsSettings};
pub use status::WebStatus;
pub use tls::SetupError;
pub use upgrade::WhileUpgraded;
