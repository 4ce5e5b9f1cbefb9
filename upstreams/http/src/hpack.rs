//! How the headers of HTTP/2 are compressed (RFC 7541).

use http::{HeaderMap, HeaderName};

/// Headers of which hardly a value comes twice.
const UNIQUE: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("traceparent")];

/// Keeps values that do not come again out of the table of what was sent (RFC 7541, 6.2.3): each would put out one that does,
/// and the encoder would hold it against all of its name that came before.
pub fn keep_unindexed(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if UNIQUE.contains(name) {
            value.set_sensitive(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_indexed() {
        let mut headers = HeaderMap::new();
        for name in ["x-request-id", "server"] {
            headers.insert(name, "1".parse().unwrap());
        }
        keep_unindexed(&mut headers);
        assert!(headers["x-request-id"].is_sensitive() && !headers["server"].is_sensitive());
    }
}
