//! Digests.

use hmac::{Hmac, KeyInit, Mac};
use minijinja::{Environment, Error, Value};
use sha2::{Digest, Sha256};

use super::{
    encoding::{bytes, hex},
    functions::invalid,
};

pub(super) fn register(environment: &mut Environment<'static>) {
    let sha256 = |value: &Value| Ok::<_, Error>(hex(&Sha256::digest(bytes(value)?)));
    environment.add_filter("sha256", sha256);
    environment.add_function("sha256", sha256);
    environment.add_function("hmac_sha256", |key: &Value, text: &Value| hmac_sha256(key, text));
    environment.add_filter("hmac_sha256", |text: &Value, key: &Value| hmac_sha256(key, text));
}

fn hmac_sha256(key: &Value, text: &Value) -> Result<String, Error> {
    let key = bytes(key)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| invalid("hmac_sha256: unusable key"))?;
    mac.update(&bytes(text)?);
    Ok(hex(&mac.finalize().into_bytes()))
}
