//! A request as a text for people.

use http::Request;

use crate::body::Body;

/// A request as [`Upstream::preview`](crate::Upstream::preview) shows it: its first line, its headers, and its body if that
/// is in memory. Values of headers that are marked as sensitive are hidden.
#[must_use]
pub fn written(request: &Request<Body>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        let value = if value.is_sensitive() { "***".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        text.extend([name.as_str(), ": ", &*value, "\n"]);
    }
    match request.body().as_bytes() {
        None | Some([]) => {}
        Some(body) => match std::str::from_utf8(body) {
            Ok(body) => text.extend(["\n", body]),
            Err(_) => text.push_str(&format!("\n({} bytes that are not text)", body.len())),
        },
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn secrets_are_hidden_and_bytes_are_counted() {
        let mut request = Request::post("/a?b=c").header("x-a", "1").body(Body::from("hello")).unwrap();
        let mut secret = HeaderValue::from_static("s3cret");
        secret.set_sensitive(true);
        request.headers_mut().insert("authorization", secret);
        assert_eq!(written(&request), "POST /a?b=c\nx-a: 1\nauthorization: ***\n\nhello");
        *request.body_mut() = Body::from(vec![0xff, 0]);
        assert!(written(&request).ends_with("\n\n(2 bytes that are not text)"));
    }
}
