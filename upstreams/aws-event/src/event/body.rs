//! Whether a body is text or base64 in an event.

use std::str;

use http::{HeaderMap, header};

use super::json::Json;

/// Writes `body` and `isBase64Encoded`; `empty` writes the body where there is none.
pub(super) fn write(json: &mut Json, headers: &HeaderMap, body: &[u8], empty: fn(&mut Json)) {
    if body.is_empty() {
        empty(json);
        json.key("isBase64Encoded").bool(false);
        return;
    }
    json.key("body");
    let text = if is_text(headers) { str::from_utf8(body).ok() } else { None };
    match text {
        Some(text) => json.string(text),
        None => json.base64(body),
    };
    json.key("isBase64Encoded").bool(text.is_none());
}

/// Text, JSON, XML, forms and JavaScript, unless they are compressed.
fn is_text(headers: &HeaderMap) -> bool {
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    !encoded
        && headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| is_text_type(value.split(';').next().unwrap_or_default().trim()))
}

fn is_text_type(media_type: &str) -> bool {
    const WHOLE: [&str; 6] = [
        "application/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
    ];
    let ends = |suffix: &str| {
        media_type
            .len()
            .checked_sub(suffix.len())
            .and_then(|at| media_type.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    media_type.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
        || ends("+json")
        || ends("+xml")
        || WHOLE.iter().any(|whole| whole.eq_ignore_ascii_case(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_types_are_told_from_binary_ones() {
        for text in ["text/plain", "Text/HTML", "application/JSON", "application/problem+json", "image/svg+xml"] {
            assert!(is_text_type(text), "{text}");
        }
        for binary in ["", "image/png", "multipart/form-data", "application/octet-stream", "json", "x+jsonp"] {
            assert!(!is_text_type(binary), "{binary}");
        }
    }

    #[test]
    fn parameters_are_ignored_and_compression_is_binary() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json ; charset=utf-8".parse().unwrap());
        assert!(is_text(&headers));
        headers.insert(header::CONTENT_ENCODING, "identity".parse().unwrap());
        assert!(is_text(&headers));
        headers.append(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!is_text(&headers));
        assert!(!is_text(&HeaderMap::new()));
    }
}
