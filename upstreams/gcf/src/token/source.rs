//! Where ID tokens come from.

use std::fmt;

use callgate_core::ErrorKind;
use serde::{Deserialize, Serialize};

use super::{
    access::{Access, Principal},
    address::Address,
    error::TokenError,
    exchange::Exchange,
    metadata::Metadata,
    service_account::ServiceAccount,
};

/// One way to an ID token.
#[derive(Debug)]
pub(crate) enum Source {
    /// The account that the gateway runs as.
    Metadata(Metadata),
    /// The account of a key.
    ServiceAccount(ServiceAccount),
    /// An account that another principal may speak for.
    Impersonation(Box<Impersonation>),
}

/// A service account that is impersonated, by `generateIdToken` of the IAM credentials API.
#[derive(Debug)]
pub(crate) struct Impersonation {
    pub(crate) access: Access,
    pub(crate) url: Address,
    /// The accounts between the principal and the last one.
    pub(crate) delegates: Vec<String>,
    /// The principal, for the log.
    pub(crate) principal: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wanted<'a> {
    audience: &'a str,
    include_email: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    delegates: &'a [String],
}

#[derive(Deserialize)]
struct Generated {
    token: String,
}

impl Source {
    pub(crate) async fn id_token(&self, exchange: &Exchange, audience: &str) -> Result<String, TokenError> {
        match self {
            Self::Metadata(metadata) => metadata.id_token(exchange, audience).await,
            Self::ServiceAccount(account) => account.id_token(exchange, audience).await,
            Self::Impersonation(impersonation) => impersonation.id_token(exchange, audience).await,
        }
    }
}

impl Impersonation {
    pub(crate) fn new(principal: Principal, url: Address, delegates: Vec<String>) -> Self {
        Self { principal: principal.to_string(), access: Access::of(principal), url, delegates }
    }

    async fn id_token(&self, exchange: &Exchange, audience: &str) -> Result<String, TokenError> {
        let wanted = Wanted { audience, include_email: true, delegates: &self.delegates };
        let body = serde_json::to_string(&wanted).map_err(|error| TokenError::unavailable(error.to_string()))?;
        let access = self.access.header(exchange).await?;
        let who = "the IAM credentials API";
        let generated: Result<Generated, _> =
            exchange.post(who, &self.url, "application/json", body, Some(access)).await;
        if generated.as_ref().is_err_and(|error| error.kind == ErrorKind::Denied) {
            self.access.forget().await;
        }
        generated.map(|generated| generated.token)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(_) => f.write_str("the metadata server"),
            Self::ServiceAccount(account) => write!(f, "the key of {}", account.email),
            Self::Impersonation(impersonation) => write!(f, "an impersonation by {}", impersonation.principal),
        }
    }
}
