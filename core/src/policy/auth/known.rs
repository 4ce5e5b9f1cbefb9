//! Keys and passwords as the document has them: themselves, or their hash.

use std::{fmt, str::FromStr};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::document::{HELP, Secret};

/// A key or password that a client has to know. Never shown.
#[derive(Clone, PartialEq)]
pub(crate) struct Known(Form);

#[derive(Clone, PartialEq)]
enum Form {
    /// It is random enough, or was written as it is: its SHA-256.
    Fast([u8; 32]),
    /// A hash that takes long on purpose, as it is written.
    Slow(Box<str>),
}

impl Known {
    /// The hash to compare with; `None` for one that takes long on purpose.
    pub(super) const fn fast(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Form::Fast(hash) => Some(hash),
            Form::Slow(_) => None,
        }
    }

    /// The slow hash as it is written.
    pub(super) fn slow(&self) -> Option<&str> {
        match &self.0 {
            Form::Fast(_) => None,
            Form::Slow(hash) => Some(hash),
        }
    }
}

/// The SHA-256 of what a client shows.
pub(super) fn digest(shown: &[u8]) -> [u8; 32] {
    Sha256::digest(shown).into()
}

/// Whether two hashes are the same, in a time that does not tell how much of them is.
pub(super) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

/// Whether a password is the one of a slow hash. Takes a good part of a second: never on a worker.
pub(super) fn verify_slowly(hash: &str, password: &str) -> bool {
    if hash.starts_with("$argon2") {
        let parsed = PasswordHash::new(hash);
        return parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    }
    bcrypt::verify(password, hash).unwrap_or(false)
}

fn form(text: &str) -> Result<Form, String> {
    if let Some(hex) = text.strip_prefix("sha256:") {
        return unhex(hex).map(Form::Fast).ok_or_else(|| "`sha256:` is followed by 64 hexadecimal digits".to_owned());
    }
    if text.starts_with("$argon2") {
        let readable = PasswordHash::new(text).is_ok();
        return readable.then(|| Form::Slow(text.into())).ok_or_else(|| "this is no hash of argon2".to_owned());
    }
    if text.starts_with("$2") {
        let readable = bcrypt::HashParts::from_str(text).is_ok();
        return readable.then(|| Form::Slow(text.into())).ok_or_else(|| "this is no hash of bcrypt".to_owned());
    }
    if text.starts_with('$') {
        return Err(format!("this kind of hash is not known{HELP}the known ones are bcrypt, argon2 and `sha256:`"));
    }
    if text.trim().is_empty() {
        return Err("an empty one lets everybody in".to_owned());
    }
    Ok(Form::Fast(digest(text.as_bytes())))
}

fn unhex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secret = Secret::deserialize(deserializer)?;
        form(secret.expose()).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl JsonSchema for Known {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Known".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Secret::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    const BCRYPT: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";

    #[test]
    fn what_is_known_is_read_and_never_shown() {
        let hash = "sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        let plain: Known = from_value(json!("password")).unwrap();
        let hashed: Known = from_value(json!(hash)).unwrap();
        assert!(same(plain.fast().unwrap(), hashed.fast().unwrap()));
        assert!(!same(plain.fast().unwrap(), &digest(b"passwort")));
        assert_eq!(format!("{plain:?} {}", serde_json::to_string(&plain).unwrap()), "*** \"***\"");
        for wrong in ["sha256:12", "sha256:zz", "$1$abc", "$argon2id$x", "$2b$x", " "] {
            let error = from_value::<Known>(json!(wrong)).unwrap_err().to_string();
            assert!(wrong.trim().is_empty() || !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn slow_hashes_are_verified() {
        let made = bcrypt::hash("correct horse", 4).unwrap();
        assert!(verify_slowly(&made, "correct horse") && !verify_slowly(&made, "wrong"));
        let known: Known = from_value(json!(BCRYPT)).unwrap();
        assert!(known.slow().is_some() && known.fast().is_none());
        use argon2::password_hash::{PasswordHasher, SaltString};
        let salt = SaltString::from_b64("c2FsdHNhbHQ").unwrap();
        let params = argon2::Params::new(64, 1, 1, None).unwrap();
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let made = hasher.hash_password(b"correct horse", &salt).unwrap().to_string();
        assert!(verify_slowly(&made, "correct horse") && !verify_slowly(&made, "wrong"));
    }
}
