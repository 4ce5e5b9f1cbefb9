//! Tokens for the key of a service account: the JWT bearer grant (RFC 7523).
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account>

use serde::{Deserialize, Serialize};

use super::{
    access::{AccessToken, Granted, SCOPE},
    address::Address,
    error::TokenError,
    exchange::Exchange,
    jwt::{SigningKey, seconds},
};

/// Whom an assertion is for: always this one, as Google's own libraries say it, also where the key has another
/// `token_uri`. Behind Private Service Connect it is the same server under another name.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const WHO: &str = "the token endpoint of the service account";

/// How long an assertion is valid, in seconds: the longest that Google takes.
const LIFE: u64 = 3600;

/// A service account, by its key.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    pub(crate) key: SigningKey,
    pub(crate) token_uri: Address,
}

/// What an assertion says; either an ID token is wanted or an access token.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'static str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_audience: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Deserialize)]
struct Identity {
    id_token: String,
}

impl ServiceAccount {
    pub(crate) async fn id_token(&self, exchange: &Exchange, audience: &str) -> Result<String, TokenError> {
        let assertion = self.assertion(exchange, Some(audience), None)?;
        let fields = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let identity: Identity = exchange.form(WHO, &self.token_uri, &fields, None).await?;
        Ok(identity.id_token)
    }

    pub(crate) async fn access_token(&self, exchange: &Exchange) -> Result<AccessToken, TokenError> {
        let assertion = self.assertion(exchange, None, Some(SCOPE))?;
        let fields = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let granted: Granted = exchange.form(WHO, &self.token_uri, &fields, None).await?;
        Ok(granted.at(exchange.clock.now()))
    }

    fn assertion(
        &self,
        exchange: &Exchange,
        target_audience: Option<&str>,
        scope: Option<&str>,
    ) -> Result<String, TokenError> {
        let iat = seconds(exchange.clock.now());
        self.key.sign(&Claims { iss: &self.email, aud: AUDIENCE, iat, exp: iat + LIFE, target_audience, scope })
    }
}
