//! The keys of an issuer: a JSON Web Key Set (RFC 7517).

use std::fmt;

use jsonwebtoken::{
    DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::Value;

use super::algorithm::Algorithm;

/// The public keys of an issuer.
#[derive(Clone)]
pub(crate) struct KeySet(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    key: DecodingKey,
    jwk: Jwk,
}

/// Why a document is no set of keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is no JSON")]
    Json(#[source] serde_json::Error),
    #[error("it has no list of `keys`")]
    NoKeys,
    #[error("none of its {0} keys is a public key for signatures that is known here (RSA, P-256, P-384, Ed25519)")]
    NoneUsable(usize),
}

impl KeySet {
    /// Reads a set. Keys for other purposes and of other kinds are left out.
    pub(crate) fn read(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Value = serde_json::from_slice(document).map_err(KeySetError::Json)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoKeys)?;
        let usable: Vec<_> = keys.iter().filter_map(public_key).collect();
        if usable.is_empty() { Err(KeySetError::NoneUsable(keys.len())) } else { Ok(Self(usable)) }
    }

    /// The keys that a token may be signed with, by its own word: of its key's id where both have one, and of a kind that
    /// the algorithm is for.
    pub(super) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &DecodingKey> {
        let fits = move |key: &&PublicKey| {
            let named = id.zip(key.jwk.common.key_id.as_deref()).is_none_or(|(one, other)| one == other);
            named && algorithm.fits(&key.jwk)
        };
        self.0.iter().filter(fits).map(|key| &key.key)
    }
}

fn public_key(key: &Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let known = Algorithm::ALL.into_iter().any(|algorithm| algorithm.fits(&jwk));
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (signs && known).then_some(PublicKey { key, jwk })
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.jwk.common.key_id.as_deref().unwrap_or("(no id)"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let rsa = |id: &str| json!({"kty": "RSA", "kid": id, "n": "sXch", "e": "AQAB"});
        let mut for_encryption = rsa("b");
        for_encryption["use"] = "enc".into();
        let secret = json!({"kty": "oct", "kid": "c", "k": "c2VjcmV0"});
        let strange = json!({"kty": "XYZ", "kid": "d"});
        let set = json!({"keys": [rsa("a"), for_encryption, secret, strange, {"kty": "RSA"}, 5]});
        let set = KeySet::read(set.to_string().as_bytes()).unwrap();
        assert_eq!(format!("{set:?}"), r#"["a"]"#);
        assert_eq!(set.fitting(Some("a"), Algorithm::RS256).count(), 1);
        assert_eq!(set.fitting(None, Algorithm::PS512).count(), 1);
        assert_eq!(set.fitting(Some("a"), Algorithm::ES256).count(), 0);
        assert_eq!(set.fitting(Some("c"), Algorithm::RS256).count(), 0);
    }

    #[test]
    fn a_key_may_say_the_one_algorithm_that_it_is_for() {
        let key = json!({"kty": "RSA", "alg": "RS384", "n": "sXch", "e": "AQAB"});
        let set = KeySet::read(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        assert_eq!(set.fitting(Some("any"), Algorithm::RS384).count(), 1);
        assert_eq!(set.fitting(None, Algorithm::RS256).count(), 0);
    }

    #[test]
    fn what_is_no_set_of_keys_is_told() {
        for (document, part) in [
            ("<html>", "no JSON"),
            ("{}", "no list"),
            (r#"{"keys": []}"#, "none of its 0"),
            (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, "none of its 1"),
        ] {
            let error = KeySet::read(document.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
