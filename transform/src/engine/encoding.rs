//! Filters that encode and decode: base64, percent-escapes, hex.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use minijinja::{Environment, Error, Value, value::ValueKind};

use super::functions::invalid;
use crate::query;

/// Decoders take text with or without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("base64_encode", |value: &Value| Ok::<_, Error>(BASE64_STANDARD.encode(bytes(value)?)));
    environment.add_filter("base64_decode", |text: &str| decode(&STANDARD, text));
    environment
        .add_filter("base64url_encode", |value: &Value| Ok::<_, Error>(BASE64_URL_SAFE_NO_PAD.encode(bytes(value)?)));
    environment.add_filter("base64url_decode", |text: &str| decode(&URL_SAFE, text));
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("urldecode", |text: &str| {
        query::decode(text).map(std::borrow::Cow::into_owned).map_err(|_| invalid("urldecode: invalid percent-escape"))
    });
}

/// Text with every character escaped that is not unreserved; a mapping becomes the pairs of a query. Nothing in the
/// result of a text needs escaping anywhere, so that a path takes it as it is.
fn urlencode(value: &Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        let text = super::text_of(value)?;
        return Ok(Value::from_safe_string(query::encode(&text).to_string()));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()?.checked() {
        let key = key?;
        let item = value.get_item(&key)?;
        let (key, item) = (super::text_of(&key)?, super::text_of(&item)?);
        pairs.push(format!("{}={}", query::encode(&key), query::encode(&item)));
    }
    Ok(Value::from(pairs.join("&")))
}

/// The bytes of a value: its own, or those of its text.
pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Error> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => super::text_of(value).map(|text| text.into_owned().into_bytes()),
    }
}

/// Text when it is UTF-8, else bytes.
fn decode(engine: &GeneralPurpose, text: &str) -> Result<Value, Error> {
    let bytes = engine.decode(text.trim_ascii()).map_err(|_| invalid("the text is not base64"))?;
    Ok(String::from_utf8(bytes).map_or_else(|error| Value::from_bytes(error.into_bytes()), Value::from))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}
