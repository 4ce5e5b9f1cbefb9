use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::{NatsServer, PeerError};

/// A server of NATS that believes an operator, with an account of it whose users are made here, as `nsc` makes them: their
/// claims are signed, and the server knows none of them by name.
pub struct NatsRealm {
    /// The server.
    pub server: NatsServer,
    account: KeyPair,
}

impl NatsRealm {
    /// Starts a server. With `storage` the account may use JetStream; `settings` are as of [`NatsServer::start`].
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub async fn start(storage: bool, settings: &str) -> Result<Self, PeerError> {
        let (operator, system, account) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
        let operator_token =
            token(&operator, &operator.public_key(), None, &json!({"type": "operator", "version": 2}))?;
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let mut claims = json!({"type": "account", "version": 2, "limits": limits});
        let system_token = token(&operator, &system.public_key(), None, &claims)?;
        if storage {
            for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
                claims["limits"][limit] = Value::from(-1);
            }
        }
        let account_token = token(&operator, &account.public_key(), None, &claims)?;
        let settings = format!(
            "operator: \"{operator_token}\"\nsystem_account: {0}\nresolver: MEMORY\n\
             resolver_preload: {{{0}: \"{system_token}\", {1}: \"{account_token}\"}}\n{settings}",
            system.public_key(),
            account.public_key()
        );
        Ok(Self { server: NatsServer::start(&settings).await?, account })
    }

    /// The credentials file of a new user of the account, as `nsc generate creds` writes it. The user may publish to these
    /// subjects and is answered in `_INBOX`; `expires` is in seconds since 1970.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn creds(&self, publish: &[&str], expires: Option<u64>) -> Result<String, PeerError> {
        creds(&self.account, publish, expires)
    }

    /// The same of an account that the server does not know.
    ///
    /// # Errors
    /// As [`creds`](Self::creds).
    pub fn foreign_creds(publish: &[&str]) -> Result<String, PeerError> {
        creds(&KeyPair::new_account(), publish, None)
    }
}

fn creds(account: &KeyPair, publish: &[&str], expires: Option<u64>) -> Result<String, PeerError> {
    let user = KeyPair::new_user();
    let claims = json!({
        "type": "user", "version": 2, "pub": {"allow": publish}, "sub": {"allow": ["_INBOX.>"]},
        "subs": -1, "data": -1, "payload": -1,
    });
    let token = token(account, &user.public_key(), expires, &claims)?;
    let seed = user.seed().map_err(unsigned)?;
    Ok(format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    ))
}

/// A token of NATS: claims that `issuer` makes of `subject`.
fn token(issuer: &KeyPair, subject: &str, expires: Option<u64>, nats: &Value) -> Result<String, PeerError> {
    let mut claims = json!({
        "jti": subject, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject, "name": "test", "nats": nats,
    });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).map_err(unsigned)?);
    Ok(format!("{signed}.{signature}"))
}

fn unsigned(error: nkeys::error::Error) -> PeerError {
    PeerError::io("sign the claims of a user")(std::io::Error::other(error))
}

/// Shows no key.
impl std::fmt::Debug for NatsRealm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsRealm").field("server", &self.server).finish_non_exhaustive()
    }
}
