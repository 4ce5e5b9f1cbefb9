//! A kind for tests: it answers as its target says.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Body, BodyError, Context, Invalid, Invocation, Response, Settings, Target, Upstream, UpstreamError};

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Canned {
    pub(super) status: u16,
    /// Sends this much of its body and then nothing.
    pub(super) stalls: bool,
    /// Sends a body of so many megabytes, one at a time.
    pub(super) megabytes: usize,
    /// Sends `{}` and a trailer.
    pub(super) trailers: bool,
}

impl Settings for Canned {}

impl Target for Canned {
    const NAME: Option<&'static str> = None;
}

impl Upstream for Canned {
    const KIND: &'static str = "canned";
    const SUMMARY: &'static str = "answers as it is told";
    type Config = Self;
    type Target = Self;
    type Function = Self;

    async fn connect(_: Self, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self::default())
    }

    fn bind(&self, target: Self) -> Result<Self, Invalid> {
        Ok(target)
    }

    async fn call(&self, target: &Self, _: Invocation) -> Result<Response, UpstreamError> {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::from_u16(target.status).unwrap();
        response.headers_mut().insert("callgate-error", "fake".parse().unwrap());
        if target.stalls {
            let part = stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"{")))]);
            *response.body_mut() = Body::new(StreamBody::new(part.chain(stream::pending())));
        }
        if target.trailers {
            let trailer = [(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("7"))];
            let frames = [Frame::data("{}".into()), Frame::trailers(trailer.into_iter().collect())];
            *response.body_mut() = Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, BodyError>))));
        }
        if target.megabytes > 0 {
            let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
            let parts =
                stream::iter((0..target.megabytes).map(move |_| Ok::<_, BodyError>(Frame::data(megabyte.clone()))));
            *response.body_mut() = Body::new(StreamBody::new(parts));
        }
        Ok(response)
    }
}
