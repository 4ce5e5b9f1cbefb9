//! Status and headers of a reply.

use callgate_core::MOST_HEADERS;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    ReplyError,
    value::{Cookies, Pairs, Scalar},
};

/// The head of a streamed reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The status; 200 where the function gave none.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

/// How many headers the gateway adds to an answer.
const OWN: usize = 2;

/// Puts `headers`, `multiValueHeaders` and `cookies` together; the same pair counts once.
pub(super) fn merge(
    single: &Pairs<'_, Scalar<'_>>,
    multiple: &Pairs<'_, Vec<Scalar<'_>>>,
    cookies: &Cookies<'_>,
) -> Result<HeaderMap, ReplyError> {
    let found = single.0.len() + multiple.0.iter().map(|(_, values)| values.len()).sum::<usize>() + cookies.0.len();
    if found > MOST_HEADERS {
        return Err(ReplyError::TooManyHeaders { found, most: MOST_HEADERS });
    }
    let mut headers = HeaderMap::with_capacity(single.0.len() + multiple.0.len() + OWN);
    for (name, values) in &multiple.0 {
        let name = header_name(&name.0)?;
        for value in values {
            if let Some(value) = header_value(&name, value)? {
                headers.append(&name, value);
            }
        }
    }
    for (name, value) in &single.0 {
        let name = header_name(&name.0)?;
        if let Some(value) = header_value(&name, value)?
            && !headers.get_all(&name).iter().any(|known| *known == value)
        {
            headers.append(name, value);
        }
    }
    for cookie in &cookies.0 {
        if let Some(value) = header_value(&header::SET_COOKIE, cookie)?
            && !headers.get_all(header::SET_COOKIE).iter().any(|known| *known == value)
        {
            headers.append(header::SET_COOKIE, value);
        }
    }
    remove_framing(&mut headers);
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName, ReplyError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| ReplyError::HeaderName(name.chars().take(100).collect()))
}

fn header_value(name: &HeaderName, value: &Scalar<'_>) -> Result<Option<HeaderValue>, ReplyError> {
    let value = match value {
        Scalar::Null => return Ok(None),
        Scalar::Text(text) => HeaderValue::from_bytes(text.trim_matches([' ', '\t']).as_bytes()),
    };
    value.map(Some).map_err(|_| ReplyError::HeaderValue(name.to_string()))
}

/// Removes what belongs to a connection, and the length, which the gateway sets for what it really sends.
fn remove_framing(headers: &mut HeaderMap) {
    const FRAMING: [HeaderName; 8] = [
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    // Hardly a function sends one: to compare names costs less than to look each one up.
    if headers.keys().any(|name| FRAMING.contains(name)) {
        for name in FRAMING {
            headers.remove(name);
        }
    }
}
