//! JSON Web Tokens: signing those of a service account, and reading when one ends.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use super::error::{CredentialsError, TokenError};

/// A service account's private key.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    id: Option<String>,
}

/// The head of a token (RFC 7515 4.1).
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

impl SigningKey {
    /// Reads an RSA key in PEM form; `id` tells the verifier which of the account's keys it is.
    pub(crate) fn from_pem(pem: &str, id: Option<String>) -> Result<Self, CredentialsError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CredentialsError::Key)?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(CredentialsError::Key),
        };
        Ok(Self { pair: pair.map_err(|_| CredentialsError::Key)?, id })
    }

    /// A token of these claims, signed with RS256 (RFC 7518 3.3).
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        let unsigned = || TokenError::unavailable("the service account's key did not sign");
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| unsigned())
        };
        let header = Header { alg: "RS256", typ: "JWT", kid: self.id.as_deref() };
        let mut token = part(serde_json::to_vec(&header))?;
        token.push('.');
        token.push_str(&part(serde_json::to_vec(claims))?);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature);
        signed.map_err(|_| unsigned())?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// When a token ends, as it says itself. Its signature is its audience's business.
pub(crate) fn expiry(token: &str) -> Option<SystemTime> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp))
}

/// The seconds of a time, as claims count them.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_end_of_a_token_is_read() {
        let end = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(expiry(&token(r#"{"aud":"a","exp":1700000000}"#)), Some(end));
        assert_eq!(seconds(end), 1_700_000_000);
        for wrong in ["", "a.b", "a.b.c", "a.b.c.d", &token("{}"), &token(r#"{"exp":"soon"}"#)] {
            assert_eq!(expiry(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for pem in ["", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", other.as_str()] {
            assert!(matches!(SigningKey::from_pem(pem, None), Err(CredentialsError::Key)));
        }
    }
}
