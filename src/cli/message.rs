//! HTTP messages as people write them into files.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};

/// A line of a file that is not what it has to be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(super) struct Malformed {
    line: usize,
    message: String,
}

/// Reads a request: `POST /orders`, headers, an empty line, the body. A method or a version may be left out.
///
/// The body is what `content-length` counts, or all but one final newline.
pub(super) fn request(text: &[u8]) -> Result<Request<Bytes>, Malformed> {
    let (first, headers, body) = message(text)?;
    let mut words = first.split_ascii_whitespace();
    let (method, target) = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(target), None, ..) if is_target(target) => ("GET", target),
        (Some(method), Some(target), None, _) if is_target(target) => (method, target),
        (Some(method), Some(target), Some(version), None) if is_target(target) && version.starts_with("HTTP/") => {
            (method, target)
        }
        _ => return Err(malformed(1, format!("`{first}` is no request line: write `GET /path?query`"))),
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes())
        .map_err(|_| malformed(1, format!("`{method}` is no request method: write GET, POST, ...")))?;
    *request.uri_mut() =
        target.parse::<Uri>().map_err(|error| malformed(1, format!("`{target}` is no URL: {error}")))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Reads a reply: `200`, or a whole status line, headers, an empty line, the body.
pub(super) fn reply(text: &[u8]) -> Result<Response<Bytes>, Malformed> {
    let (first, headers, body) = message(text)?;
    let mut words = first.split_ascii_whitespace().skip_while(|word| word.starts_with("HTTP/"));
    let status = words.next().and_then(|word| StatusCode::from_bytes(word.as_bytes()).ok());
    let status =
        status.ok_or_else(|| malformed(1, format!("`{first}` has no status: write `200` or `HTTP/1.1 200 OK`")))?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn is_target(word: &str) -> bool {
    word.starts_with('/') || word.starts_with("http://") || word.starts_with("https://")
}

/// First line, headers and body. Lines end with or without a carriage return.
fn message(text: &[u8]) -> Result<(&str, HeaderMap, Bytes), Malformed> {
    let mut headers = HeaderMap::new();
    let (first, mut rest) = line(text, 1)?;
    let mut number = 1;
    while !rest.is_empty() {
        number += 1;
        let (next, after) = line(rest, number)?;
        rest = after;
        if next.is_empty() {
            break;
        }
        let wrong = || malformed(number, format!("`{next}` is no header: write `name: value`"));
        let (name, value) = next.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?);
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let body = match length {
        Some(length) => rest.get(..length).ok_or_else(|| {
            let message = format!("the body has {} bytes, and `content-length` says {length}", rest.len());
            malformed(number, message)
        })?,
        None => rest.strip_suffix(b"\n").map_or(rest, |body| body.strip_suffix(b"\r").unwrap_or(body)),
    };
    Ok((first, headers, Bytes::copy_from_slice(body)))
}

/// A line without its end, and what follows.
fn line(text: &[u8], number: usize) -> Result<(&str, &[u8]), Malformed> {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end.map_or((text, &[][..]), |end| (&text[..end], &text[end + 1..]));
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| malformed(number, "the line is not UTF-8".to_owned()))?;
    Ok((line, rest))
}

const fn malformed(line: usize, message: String) -> Malformed {
    Malformed { line, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_be_as_short_as_its_path() {
        for (text, method) in [("/a?b", "GET"), ("GET /a?b\n", "GET"), ("PUT /a?b HTTP/1.1\r\n\r\n", "PUT")] {
            let request = request(text.as_bytes()).unwrap();
            assert_eq!((request.method().as_str(), request.uri().to_string()), (method, "/a?b".to_owned()));
            assert!(request.body().is_empty());
        }
    }

    #[test]
    fn headers_are_kept_in_order_and_the_body_loses_one_newline() {
        let read = request(b"POST http://a.test/x\r\nX-A: 1\r\nx-a:  2 \r\n\r\n{\"b\":\r\n1}\n\n").unwrap();
        assert_eq!(read.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(read.uri().host(), Some("a.test"));
        assert_eq!(read.body(), "{\"b\":\r\n1}\n");
    }

    #[test]
    fn a_given_length_bounds_the_body() {
        assert_eq!(request(b"POST /\ncontent-length: 2\n\nabc").unwrap().body(), "ab");
        let error = request(b"POST /\ncontent-length: 4\n\nabc").unwrap_err();
        assert_eq!(error.to_string(), "line 3: the body has 3 bytes, and `content-length` says 4");
    }

    #[test]
    fn a_reply_is_a_number_or_a_status_line() {
        for text in ["404", "404 Not Found\n", "HTTP/1.1 404\r\n"] {
            assert_eq!(reply(text.as_bytes()).unwrap().status(), 404);
        }
        let read = reply(b"HTTP/2 200\ncontent-type: text/plain\n\nhi").unwrap();
        assert_eq!((&read.headers()["content-type"], &read.body()[..]), (&"text/plain".parse().unwrap(), &b"hi"[..]));
    }

    #[test]
    fn what_is_no_message_is_explained_with_its_line() {
        let of_request = |text: &[u8]| request(text).unwrap_err().to_string();
        assert_eq!(of_request(b"GET orders"), "line 1: `GET orders` is no request line: write `GET /path?query`");
        assert_eq!(of_request(b"G{T /"), "line 1: `G{T` is no request method: write GET, POST, ...");
        assert_eq!(of_request(b"GET /\na: 1\nno colon"), "line 3: `no colon` is no header: write `name: value`");
        assert_eq!(of_request(b"GET /\na: \xff"), "line 2: the line is not UTF-8");
        assert_eq!(reply(b"").unwrap_err().to_string(), "line 1: `` has no status: write `200` or `HTTP/1.1 200 OK`");
    }
}
