//! CloudEvents in a broker's message, by its binding.

use std::convert::Infallible;

use bytes::Bytes;
use callgate_core::UpstreamError;
use callgate_transform::{CloudEvent, CloudEvents};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{binding::Binding, message::Message, whole::Whole};

/// The event of a request, which it brings or which is made of it.
pub(crate) fn of(events: &CloudEvents, whole: &Whole) -> Result<CloudEvent, UpstreamError> {
    let context = whole.context();
    let event = events.event(whole.head(), whole.payload(), context.exchange(), context.origin().received);
    let mut event = event.map_err(|error| UpstreamError::unrendered("the event could not be made", error))?;
    // Consumers know a repetition by it.
    let id = context.once("cloudevent.id", || Ok::<_, Infallible>(event.id().to_owned()));
    event.set_id(id.unwrap_or_else(|never| match never {}));
    Ok(event)
}

/// Puts an event into a message as one document.
pub(crate) fn structured(event: &CloudEvent, message: &mut Message) {
    message.payload = event.structured().into();
    message.content_type = Some(CloudEvent::DOCUMENT.to_owned());
    message.content_encoding = None;
}

/// Puts an event into a message: its attributes into headers, its data into the payload.
pub(crate) fn binary(event: &CloudEvent, binding: &Binding, message: &mut Message) {
    message.content_type = event.content_type().and_then(|value| value.to_str().ok()).map(str::to_owned);
    let repeated = message.content_type.as_deref().filter(|_| binding.repeats_content_type);
    let all = event.attributes().chain(repeated.map(|value| ("datacontenttype", value)));
    let headers = all.map(|(name, value)| {
        let value = if binding.escapes_attributes { CloudEvent::header_value(value) } else { value.to_owned() };
        (format!("{}{name}", binding.attributes), value)
    });
    message.headers.extend(headers);
    message.payload = event.data().cloned().unwrap_or_else(Bytes::new);
}

/// Puts an attribute of a message into HTTP's headers, where its content type is the content type.
pub(crate) fn into_http(attribute: &str, value: &str, binding: &Binding, headers: &mut HeaderMap) {
    let value = if binding.escapes_attributes {
        let Some(value) = CloudEvent::from_header_value(value.as_bytes()) else { return };
        value
    } else {
        value.to_owned()
    };
    let attribute = attribute.to_ascii_lowercase();
    if attribute == "datacontenttype" {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        return;
    }
    let name = HeaderName::try_from(format!("ce-{attribute}"));
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(CloudEvent::header_value(&value))) {
        headers.insert(name, value);
    }
}
