//! A body while it is compressed: what comes in together goes out together, and nothing waits for more.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::accepted::Coding;
use crate::body::{Body, BodyError};

/// How hard each coding tries: what gains most of the size for little time.
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// The binary logarithm of brotli's window, in bytes.
const BROTLI_WINDOW: u32 = 20;
const BROTLI_BUFFER: usize = 8 << 10;
/// How much is handed on at once, at least, while more is there already.
const BLOCK: usize = 16 << 10;
/// How much is compressed before others have their turn.
const STEP: usize = 64 << 10;

/// Compresses a whole body.
pub(super) fn whole(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding)?;
    encoder.write(bytes)?;
    encoder.finish()
}

/// Compresses a body as it comes.
pub(super) fn stream(coding: Coding, body: Body) -> io::Result<Body> {
    let encoder = Some(Encoder::new(coding)?);
    Ok(Body::new(Encoded { body, rest: Bytes::new(), encoder, pending: false, trailers: None }))
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Coding::Br => Self::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Lets out all that went in.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

struct Encoded {
    body: Body,
    /// What has come and is not compressed yet.
    rest: Bytes,
    /// `None` once the body has ended.
    encoder: Option<Encoder>,
    /// Whether something went in that may not have come out.
    pending: bool,
    trailers: Option<HeaderMap>,
}

impl Encoded {
    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.encoder.take().map(Encoder::finish) {
            Some(Ok(rest)) if !rest.is_empty() => Poll::Ready(Some(Ok(Frame::data(rest.into())))),
            Some(Err(error)) => Poll::Ready(Some(Err(cut(error)))),
            Some(Ok(_)) | None => Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
        }
    }
}

fn cut(error: io::Error) -> BodyError {
    BodyError::Cut(error.into())
}

impl HttpBody for Encoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut left = STEP;
        loop {
            let Some(encoder) = &mut this.encoder else { return this.finish() };
            if !this.rest.is_empty() {
                if left == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let part = this.rest.split_to(this.rest.len().min(left));
                left -= part.len();
                encoder.write(&part).map_err(cut)?;
                this.pending = true;
                if encoder.output().len() >= BLOCK {
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(encoder.output()).into()))));
                }
                continue;
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending if this.pending => {
                    encoder.flush().map_err(cut)?;
                    this.pending = false;
                    let output = std::mem::take(encoder.output());
                    if output.is_empty() {
                        return Poll::Pending;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(output.into()))));
                }
                frame => ready!(frame),
            };
            match frame {
                None => return this.finish(),
                Some(Err(error)) => {
                    this.encoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => this.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;

    const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        match coding {
            Coding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut text)),
            Coding::Br => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut text)),
            Coding::Zstd => drop(zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut text)),
        }
        text
    }

    #[test]
    fn a_whole_body_comes_back() {
        let text = b"hello, hello, hello! ".repeat(5000);
        for coding in ALL {
            let bytes = whole(coding, &text).unwrap();
            assert!(bytes.len() < text.len() / 10, "{coding:?}: {}", bytes.len());
            assert_eq!(decoded(coding, &bytes), text, "{coding:?}");
        }
    }

    #[tokio::test]
    async fn what_came_goes_out_before_more_is_awaited() {
        for coding in ALL {
            let (sender, mut frames) = mpsc::channel::<Result<Frame<Bytes>, BodyError>>(4);
            let frames = futures_util::stream::poll_fn(move |cx| frames.poll_recv(cx));
            let mut body = stream(coding, Body::new(StreamBody::new(frames))).unwrap();
            let mut bytes = Vec::new();
            for (number, event) in ["one\n", "two\n", "three\n"].into_iter().enumerate() {
                sender.send(Ok(Frame::data(Bytes::from(event)))).await.unwrap();
                bytes.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
                assert_eq!(decoded(coding, &bytes).iter().filter(|byte| **byte == b'\n').count(), number + 1);
            }
            let trailers = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"e\""))]);
            sender.send(Ok(Frame::trailers(trailers.clone()))).await.unwrap();
            drop(sender);
            let mut last = None;
            while let Some(frame) = body.frame().await {
                match frame.unwrap().into_data() {
                    Ok(data) => bytes.extend_from_slice(&data),
                    Err(frame) => last = frame.into_trailers().ok(),
                }
            }
            assert_eq!(decoded(coding, &bytes), b"one\ntwo\nthree\n", "{coding:?}");
            assert_eq!(last, Some(trailers));
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn a_large_body_leaves_others_their_turn() {
        let text = vec![b'x'; 10 * STEP];
        for coding in ALL {
            let mut body = stream(coding, Body::from(text.clone())).unwrap();
            let (mut bytes, mut turns) = (Vec::new(), 0);
            while let Some(frame) = std::future::poll_fn(|cx| {
                turns += 1;
                Pin::new(&mut body).poll_frame(cx)
            })
            .await
            {
                bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
            }
            assert_eq!(decoded(coding, &bytes), text, "{coding:?}");
            assert!(turns >= 10, "{coding:?}: {turns}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_stays_cut_off() {
        for coding in ALL {
            let frames = futures_util::stream::iter([
                Ok(Frame::data(Bytes::from_static(b"half"))),
                Err(BodyError::Cut("gone".into())),
            ]);
            let body = stream(coding, Body::new(StreamBody::new(frames))).unwrap();
            assert!(matches!(body.collect(1 << 20).await, Err(BodyError::Cut(_))), "{coding:?}");
        }
    }
}
