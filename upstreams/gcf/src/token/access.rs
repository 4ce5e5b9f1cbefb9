//! Access tokens, with which a service account is impersonated.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use callgate_core::Secret;
use http::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    address::Address,
    error::TokenError,
    exchange::{Exchange, bearer},
    federation::Federation,
    service_account::ServiceAccount,
};

/// What the token is for: the API of Google that makes ID tokens.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long before its end a token is no longer used.
const AHEAD: Duration = Duration::from_secs(300);

/// An access token and its end.
#[derive(Debug, Clone)]
pub(crate) struct AccessToken {
    token: Secret,
    expires: SystemTime,
}

/// The answer of a token endpoint (RFC 6749 5.1).
#[derive(Deserialize)]
pub(crate) struct Granted {
    access_token: Secret,
    #[serde(default)]
    expires_in: u64,
}

impl Granted {
    /// The token, when it was granted now.
    pub(crate) fn at(self, now: SystemTime) -> AccessToken {
        AccessToken { token: self.access_token, expires: now + Duration::from_secs(self.expires_in) }
    }
}

/// A user, by what `gcloud auth application-default login` has kept.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) refresh_token: Secret,
    pub(crate) token_uri: Address,
}

impl User {
    async fn access_token(&self, exchange: &Exchange) -> Result<AccessToken, TokenError> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let granted: Granted = exchange.form("the token endpoint of the user", &self.token_uri, &fields, None).await?;
        Ok(granted.at(exchange.clock.now()))
    }
}

/// Who asks for access.
#[derive(Debug)]
pub(crate) enum Principal {
    ServiceAccount(ServiceAccount),
    User(User),
    Federation(Box<Federation>),
}

/// The access of a principal. One token serves the ID tokens of all audiences.
#[derive(Debug)]
pub(crate) struct Access {
    principal: Principal,
    held: Mutex<Option<AccessToken>>,
}

impl Access {
    pub(crate) fn of(principal: Principal) -> Self {
        Self { principal, held: Mutex::default() }
    }

    /// The header of an access token that is still good for a while. Who comes meanwhile waits for the one question.
    pub(crate) async fn header(&self, exchange: &Exchange) -> Result<HeaderValue, TokenError> {
        let mut held = self.held.lock().await;
        let now = exchange.clock.now();
        if let Some(token) = held.as_ref().filter(|token| now + AHEAD < token.expires) {
            return bearer(token.token.expose());
        }
        let token = match &self.principal {
            Principal::ServiceAccount(account) => account.access_token(exchange).await?,
            Principal::User(user) => user.access_token(exchange).await?,
            Principal::Federation(federation) => federation.access_token(exchange).await?,
        };
        let header = bearer(token.token.expose())?;
        *held = Some(token);
        Ok(header)
    }

    /// The token was refused: the next one is a new one.
    pub(crate) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceAccount(_) => "a service account's key",
            Self::User(_) => "a user",
            Self::Federation(_) => "a federation",
        })
    }
}
