//! The body of requests and replies: frames that are passed on as they come.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;

use crate::{edge::is_no_trailer, metrics::Meter, observe::Streaming};

/// Any error behind a failure, for the log.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes came than the limit allows (`limits.max_body`).
    #[error("the body is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The time for the whole exchange was over before the body's end.
    #[error("the body did not end in time")]
    TimedOut,
    /// The sender went away, or broke its protocol, before the body's end.
    #[error("the body was cut off before its end")]
    Cut(#[source] BoxError),
}

impl BodyError {
    /// Finds a body's error in the chain of sources of `error`.
    ///
    /// A client library wraps the error of the body that it was sending; this tells the reason again.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            // An I/O error names what is inside its own inner error as its source, and passes that one over.
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}

/// A streaming body of [`Bytes`]: empty, one buffer, or any [`http_body::Body`].
///
/// ```
/// use callgate_core::Body;
///
/// let body = Body::from("hello");
/// assert_eq!(body.known_length(), Some(5));
/// ```
#[derive(Default)]
pub struct Body(Inner);

/// What is left of a streaming body, and what is kept in force until it has ended.
struct Stream {
    body: Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>,
    meter: Option<Meter>,
    /// The request that it answers.
    answers: Option<Box<Streaming>>,
}

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Full(Bytes),
    Streaming(Stream),
}

impl Body {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// Takes any body whose frames are [`Bytes`]; its errors become [`BodyError::Cut`] unless they are a [`BodyError`].
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::streaming(Adapted { body })
    }

    /// The number of bytes, where it is known before the body is read.
    pub fn known_length(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// The whole body, if it is already in memory.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Inner::Empty => Some(&[]),
            Inner::Full(bytes) => Some(bytes),
            Inner::Streaming(..) => None,
        }
    }

    /// The whole body, if it is already in memory; nothing is copied.
    pub fn in_memory(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::Empty => Some(Bytes::new()),
            Inner::Full(bytes) => Some(bytes.clone()),
            Inner::Streaming(..) => None,
        }
    }

    /// Reads the whole body into memory, at most `limit` bytes; trailers are dropped.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as it is known that the body is larger, and whatever breaks the body.
    pub async fn collect(self, limit: u64) -> Result<Bytes, BodyError> {
        self.collect_whole(limit).await.map(|(bytes, _)| bytes)
    }

    /// Reads the whole body into memory, at most `limit` bytes, and its trailers.
    pub(crate) async fn collect_whole(self, limit: u64) -> Result<(Bytes, Option<HeaderMap>), BodyError> {
        let too_large = BodyError::TooLarge { limit };
        if self.size_hint().lower() > limit {
            return Err(too_large);
        }
        // The meter is dropped when the body was read.
        let (mut body, _meter) = match self.0 {
            Inner::Empty => return Ok((Bytes::new(), None)),
            Inner::Full(bytes) => return Ok((bytes, None)),
            Inner::Streaming(stream) => (stream.body, stream.meter),
        };
        let mut first = Bytes::new();
        let mut rest = Vec::new();
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            let data = match frame?.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    trailers = frame.into_trailers().ok();
                    continue;
                }
            };
            if (first.len() + rest.len() + data.len()) as u64 > limit {
                return Err(too_large);
            }
            if first.is_empty() {
                first = data;
            } else {
                rest.extend_from_slice(&data);
            }
        }
        if rest.is_empty() {
            return Ok((first, trailers));
        }
        Ok(([&first[..], &rest[..]].concat().into(), trailers))
    }

    /// A body in memory with trailers. Its length is not told beforehand: HTTP/1.1 has trailers after chunks only.
    pub(crate) fn with_trailers(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self::streaming(Trailed { bytes: Some(bytes), trailers: Some(trailers) })
    }

    fn streaming(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self(Inner::Streaming(Stream { body: Box::pin(body), meter: None, answers: None }))
    }

    /// Says which request it answers: whose configuration stays until the body has ended, as what streams may come from one
    /// of its upstreams, and who is told where it breaks off.
    pub(crate) fn answer(&mut self, request: Box<Streaming>) {
        if let Inner::Streaming(stream) = &mut self.0 {
            stream.answers = Some(request);
        }
    }

    /// Where a meter of this body lies; `None` where all of it is in memory and its end is now.
    pub(crate) fn meter(&mut self) -> Option<&mut Option<Meter>> {
        match &mut self.0 {
            Inner::Empty | Inner::Full(_) => None,
            Inner::Streaming(stream) => Some(&mut stream.meter),
        }
    }
}

/// Bytes, then trailers.
struct Trailed {
    bytes: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl HttpBody for Trailed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let data = self.bytes.take().filter(|bytes| !bytes.is_empty()).map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }
}

pin_project! {
    /// A foreign body in the core's terms: its errors told apart, its trailers without what is no trailer.
    struct Adapted<B> {
        #[pin]
        body: B,
    }
}

impl<B> HttpBody for Adapted<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(without_framing(frame)),
            Err(error) => Err(match error.into().downcast::<BodyError>() {
                Ok(error) => *error,
                Err(error) => BodyError::Cut(error),
            }),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Takes out of trailers what is no trailer (RFC 9110 6.5.1): framing and connection headers, which HTTP/2 refuses and
/// HTTP/1 could mistake, and what only the gateway says of a request.
fn without_framing(frame: Frame<Bytes>) -> Frame<Bytes> {
    if frame.is_data() {
        return frame;
    }
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let refused: Vec<_> = trailers.keys().filter(|name| is_no_trailer(name)).cloned().collect();
            for name in refused {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Inner::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Inner::Streaming(stream) => {
                let frame = ready!(stream.body.as_mut().poll_frame(cx));
                match &frame {
                    None => self.0 = Inner::Empty,
                    Some(Err(error)) => drop(stream.answers.take().inspect(|request| request.is_cut(error))),
                    Some(Ok(_)) => {}
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Full(_) => false,
            Inner::Streaming(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Streaming(stream) => stream.body.size_hint(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Inner::Full(bytes)) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_length() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(streaming)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http::header;
    use http_body_util::StreamBody;

    fn streaming(parts: &'static [&'static str]) -> Body {
        Body::new(StreamBody::new(stream::iter(
            parts.iter().map(|part| Ok::<_, BodyError>(Frame::data(Bytes::from_static(part.as_bytes())))),
        )))
    }

    #[tokio::test]
    async fn collects_up_to_the_limit() {
        assert_eq!(streaming(&["ab", "cd"]).collect(4).await.unwrap(), "abcd");
        let error = streaming(&["ab", "cd"]).collect(3).await.unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 3 }));
        let error = Body::from("abcd").collect(3).await.unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 3 }));
    }

    #[tokio::test]
    async fn trailers_are_collected_and_given_back() {
        let trailers = HeaderMap::from_iter([(header::ETAG, "a".parse().unwrap())]);
        let body = Body::with_trailers("abc".into(), trailers.clone());
        assert_eq!((body.known_length(), body.is_end_stream()), (None, false));
        assert_eq!(body.collect_whole(3).await.unwrap(), (Bytes::from("abc"), Some(trailers.clone())));
        let body = Body::with_trailers(Bytes::new(), trailers.clone());
        assert_eq!(body.collect_whole(3).await.unwrap(), (Bytes::new(), Some(trailers)));
    }

    #[test]
    fn a_foreign_body_keeps_its_known_length() {
        let body = Body::new(http_body_util::Full::new(Bytes::from_static(b"abc")));
        assert_eq!(body.known_length(), Some(3));
    }

    #[tokio::test]
    async fn framing_is_no_trailer() {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", "5".parse().unwrap());
        for no_trailer in ["content-length", "x-forwarded-for", "x_request_id", "keep-alive", "traceparent", "te"] {
            trailers.insert(no_trailer, "3".parse().unwrap());
        }
        let frames = [Ok::<_, BodyError>(Frame::trailers(trailers))];
        let mut body = Body::new(StreamBody::new(stream::iter(frames)));
        let left = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(left.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    }

    #[test]
    fn finds_its_error_behind_another() {
        let error = std::io::Error::other(BodyError::TooLarge { limit: 1 });
        assert!(matches!(BodyError::find(&error), Some(BodyError::TooLarge { limit: 1 })));
        assert!(BodyError::find(&std::io::Error::other("x")).is_none());
    }
}
