//! One message in reply: read whole, so that the status is known before the answer's head.

use callgate_core::{Body, Response, UpstreamError};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use super::stream::Writer;
use crate::{
    error::Refused,
    reply::{Item, Messages},
    shape,
    status::Code,
};

/// Answers with a message as JSON, its metadata and trailers as headers.
pub(super) async fn answer(
    head: &HeaderMap,
    mut messages: Messages,
    writer: &Writer,
) -> Result<Response, UpstreamError> {
    let (mut first, mut count) = (None, 0);
    let trailers = loop {
        match messages.next().await? {
            Item::Message(message) => {
                count += 1;
                first.get_or_insert(message);
            }
            Item::End(status, trailers) if status.code == Code::OK => break trailers,
            Item::End(status, _) => return Err(writer.failed(&status)),
        }
    };
    let message = first.filter(|_| count == 1).ok_or(Refused::Count(count))?;
    let mut response = Response::new(Body::from(writer.write(&message)?));
    let headers = response.headers_mut();
    shape::metadata(head, headers);
    shape::metadata(&trailers, headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
