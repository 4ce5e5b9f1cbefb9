//! Forms as `multipart/form-data` (RFC 7578).

use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;
use minijinja::{
    Error, ErrorKind, Value,
    value::{Enumerator, Object},
};

use super::Grouped;

/// The boundary that a multipart content type names (RFC 2046, section 5.1.1).
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let boundary = parameter(content_type, "boundary")?;
    (!boundary.is_empty() && boundary.len() <= 70).then_some(boundary)
}

/// A parameter of a header's value. Quoted values are taken as they stand between the quotes, as browsers write them.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let (value, after) = after.split_at(after.find(';').unwrap_or(after.len()));
                (value.trim_end(), after)
            }
        };
        if key.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// The fields of a form as an object: text fields as text, files as [`Upload`]s, a repeated name as a list.
pub(crate) fn parse_multipart(body: &Bytes, boundary: &str) -> Result<Value, Arc<str>> {
    let broken = || Arc::from("the body is not the multipart form that its content type says");
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let mut fields = Grouped::default();
    // The first delimiter may begin the body, without a line end before it.
    let mut at = match body.starts_with(&delimiter.as_bytes()[2..]) {
        true => delimiter.len() - 2,
        false => finder.find(body).ok_or_else(broken)? + delimiter.len(),
    };
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(fields.into_value());
        }
        let line = memmem::find(rest, b"\r\n").ok_or_else(broken)?;
        if !rest[..line].iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(broken());
        }
        // The line end counts twice: a part without headers goes on with the empty line at once.
        let head_at = at + line;
        let head = memmem::find(&body[head_at..], b"\r\n\r\n").ok_or_else(broken)?;
        let content_at = head_at + head + 4;
        // An empty part's delimiter shares the line end of the empty line.
        let length = finder.find(&body[content_at - 2..]).ok_or_else(broken)?;
        let end = (content_at - 2 + length).max(content_at);
        let headers = std::str::from_utf8(&body[head_at..head_at + head]).map_err(|_| broken())?;
        let (name, value) = part(headers, body.slice(content_at..end)).ok_or_else(broken)??;
        fields.push(name, value);
        at = content_at - 2 + length + delimiter.len();
    }
}

/// The name and the value of a part; none when it has no name.
fn part(headers: &str, content: Bytes) -> Option<Result<(String, Value), Arc<str>>> {
    let header = |name: &str| {
        let mut lines = headers.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition")?;
    let name = parameter(disposition, "name").map(unescaped)?;
    Some(match parameter(disposition, "filename") {
        Some(filename) => {
            let content_type = header("content-type").unwrap_or("application/octet-stream").to_owned();
            let upload = Upload { filename: unescaped(filename), content_type, content };
            Ok((name, Value::from_object(upload)))
        }
        None => match std::str::from_utf8(&content) {
            Ok(text) => Ok((name, Value::from(text))),
            Err(_) => Err("a field of the multipart form is not UTF-8 text".into()),
        },
    })
}

/// A name as browsers escape it in quotes (HTML, section 4.10.21.8).
fn unescaped(name: &str) -> String {
    name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// A file of a form: `filename`, `content_type`, `size`, `bytes`, and `text` when it is UTF-8.
#[derive(Debug)]
struct Upload {
    filename: String,
    content_type: String,
    content: Bytes,
}

impl Object for Upload {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "filename" => Value::from(&*self.filename),
            "content_type" => Value::from(&*self.content_type),
            "size" => Value::from(self.content.len()),
            "bytes" => Value::from_bytes(self.content.to_vec()),
            "text" => match std::str::from_utf8(&self.content) {
                Ok(text) => Value::from(text),
                Err(_) => Value::from(Error::new(ErrorKind::InvalidOperation, "the file is not UTF-8 text")),
            },
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["filename", "content_type", "size", "bytes"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Value, Arc<str>> {
        parse_multipart(&Bytes::from(body.to_owned()), "b0")
    }

    #[test]
    fn finds_the_boundary() {
        assert_eq!(boundary("multipart/form-data; boundary=b0"), Some("b0"));
        assert_eq!(boundary("multipart/form-data; charset=\"a;b\"; Boundary=\"b 0\" ; x=y"), Some("b 0"));
        for none in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"b", "a; x"]
        {
            assert_eq!(boundary(none), None, "{none}");
        }
    }

    #[test]
    fn reads_fields_and_files() {
        let form = parse(
            "preamble\r\n--b0 \r\nContent-Disposition: form-data; name=\"a \"\r\n\r\n1\r\n--x\r\n--b0\r\n\
             content-disposition: form-data; name=e\r\n\r\n\r\n--b0\r\ncontent-disposition: form-data; name=e\r\n\r\n2\r\n--b0\r\n\
             Content-Disposition: form-data; name=\"f\"; filename=\"q%22.txt\"\r\nContent-Type: text/x\r\n\r\n\u{e9}\r\n--b0--\r\n",
        )
        .unwrap();
        assert_eq!(form.get_attr("a ").unwrap().as_str(), Some("1\r\n--x"));
        assert_eq!(form.get_attr("e").unwrap(), Value::from(vec!["", "2"]));
        let file = form.get_attr("f").unwrap();
        assert_eq!(file.get_attr("filename").unwrap().as_str(), Some("q\".txt"));
        assert_eq!(file.get_attr("content_type").unwrap().as_str(), Some("text/x"));
        assert_eq!(file.get_attr("text").unwrap().as_str(), Some("\u{e9}"));
        assert_eq!(file.get_attr("bytes").unwrap().as_bytes(), Some("\u{e9}".as_bytes()));
        assert_eq!(file.get_attr("size").unwrap(), Value::from(2));
    }

    #[test]
    fn what_is_cut_or_nameless_is_refused() {
        let whole = "--b0\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--b0--";
        assert!(parse(whole).is_ok());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        assert!(parse("--b0\r\n\r\n1\r\n--b0--").is_err());
        assert!(parse("--b0x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--b0--").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in "(--b0|\r\n|-|content-disposition: form-data; name=a|[a; =\"]){0,20}") {
            parse(&body).ok();
        }
    }
}
