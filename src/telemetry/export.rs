//! Sending to a collector, by gRPC or HTTP.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use callgate_core::{
    Body, Context,
    plan::{Collector, OtlpProtocol},
};
use callgate_http::{Endpoint, EndpointError, HttpClient, HttpSettings, SetupError};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use prost::Message;
use tokio::time::timeout;

/// How long one export may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of an answer is read.
const ANSWER: u64 = 1 << 20;

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    const fn path(self, protocol: OtlpProtocol) -> &'static str {
        match (protocol, self) {
            (OtlpProtocol::Http, Self::Traces) => "/v1/traces",
            (OtlpProtocol::Http, Self::Metrics) => "/v1/metrics",
            (OtlpProtocol::Grpc, Self::Traces) => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            (OtlpProtocol::Grpc, Self::Metrics) => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }
}

/// A collector that can be sent to.
#[derive(Debug)]
pub(super) struct Exporter {
    client: HttpClient,
    endpoint: Endpoint,
    collector: Collector,
}

/// The collector can't be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Its URL is none.
    #[error("telemetry.otlp.endpoint: {0}")]
    Endpoint(#[from] EndpointError),
    /// TLS towards it can't be set up.
    #[error("telemetry.otlp: {0}")]
    Setup(#[from] SetupError),
}

impl Exporter {
    pub(super) fn new(collector: Collector, context: &Context) -> Result<Self, Unusable> {
        let http2 = Some(collector.protocol == OtlpProtocol::Grpc);
        let client = HttpClient::new(HttpSettings { http2, ..HttpSettings::default() }, context)?;
        Ok(Self { client, endpoint: Endpoint::parse(&collector.endpoint.to_string())?, collector })
    }

    /// Sends; says why it could not.
    pub(super) async fn send(&self, signal: Signal, message: &impl Message) -> Result<(), String> {
        let request = self.request(signal, message).map_err(|error| error.to_string())?;
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    fn request(&self, signal: Signal, message: &impl Message) -> Result<Request<Body>, http::Error> {
        let protocol = self.collector.protocol;
        let path = format!("{}{}", self.endpoint.base_path().trim_end_matches('/'), signal.path(protocol));
        let (kind, body) = match protocol {
            OtlpProtocol::Http => ("application/x-protobuf", Bytes::from(message.encode_to_vec())),
            OtlpProtocol::Grpc => ("application/grpc", framed(message)),
        };
        let mut request = Request::post(path).header(header::CONTENT_TYPE, kind).body(Body::from(body))?;
        let headers = request.headers_mut();
        if protocol == OtlpProtocol::Grpc {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        headers.extend(self.collector.headers.iter().cloned());
        Ok(request)
    }

    async fn exchange(&self, request: Request<Body>) -> Result<(), String> {
        let answer = self.client.send(&self.endpoint, request).await.map_err(|error| callgate_core::chain(&error))?;
        let (head, body) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("it answered {}", head.status));
        }
        if self.collector.protocol == OtlpProtocol::Http {
            return body.collect(ANSWER).await.map(drop).map_err(|error| error.to_string());
        }
        let whole = BodyExt::collect(body).await.map_err(|error| error.to_string())?;
        let status = whole.trailers().unwrap_or(&head.headers).get("grpc-status");
        match status.map(HeaderValue::as_bytes) {
            Some(b"0") => Ok(()),
            Some(status) => Err(format!("it answered with the gRPC status {}", String::from_utf8_lossy(status))),
            None => Err("it answered without a gRPC status".to_owned()),
        }
    }
}

/// A message as gRPC sends it: not compressed, its length before it.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(length + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    framed.put_slice(&message.encode_to_vec());
    framed.freeze()
}
