//! ID tokens of the service account that the gateway runs as: the metadata server of Compute Engine, Cloud Run and GKE
//! (workload identity).
//!
//! <https://cloud.google.com/compute/docs/instances/verifying-instance-identity>

use callgate_core::{Body, ErrorKind};
use callgate_http::{Endpoint, EndpointError, HttpError};
use http::{Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    error::TokenError,
    exchange::{Exchange, refusal},
};

const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// A metadata server.
#[derive(Debug)]
pub(crate) struct Metadata {
    endpoint: Endpoint,
    found: Found,
}

/// Why a metadata server is asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The environment names it.
    Named,
    /// There is nothing else.
    Assumed,
}

impl Metadata {
    pub(crate) const HOST: &str = "metadata.google.internal";

    /// The server at `host[:port]`.
    pub(crate) fn at(host: &str, found: Found) -> Result<Self, EndpointError> {
        Ok(Self { endpoint: Endpoint::parse(&format!("http://{host}"))?, found })
    }

    pub(crate) async fn id_token(&self, exchange: &Exchange, audience: &str) -> Result<String, TokenError> {
        let audience = utf8_percent_encode(audience, NON_ALPHANUMERIC);
        let path =
            format!("/computeMetadata/v1/instance/service-accounts/default/identity?audience={audience}&format=full");
        let request = Request::get(path).header(FLAVOR.0, FLAVOR.1).body(Body::empty());
        let request = request.map_err(|_| TokenError::new(ErrorKind::Denied, "the audience is too long for a URL"))?;
        let reply = exchange.send(&self.endpoint, request).await.map_err(|error| self.unreachable(&error))?;
        if reply.status == StatusCode::NOT_FOUND {
            let message = "the metadata server knows no service account: give one to the machine, or to the workload";
            return Err(TokenError::new(ErrorKind::Denied, message));
        }
        if reply.status != StatusCode::OK {
            return Err(refusal("the metadata server", &reply));
        }
        if reply.headers.get(FLAVOR.0).is_none_or(|flavor| flavor != FLAVOR.1) {
            let message = "what answers in place of the metadata server is none (no `metadata-flavor: Google`)";
            return Err(TokenError::new(ErrorKind::Denied, message));
        }
        let token = String::from_utf8(reply.body.to_vec());
        token
            .map(|token| token.trim().to_owned())
            .map_err(|_| TokenError::unavailable("the metadata server's token is no text"))
    }

    /// Outside of Google's platforms the name does not exist, which is a want of credentials and no outage.
    fn unreachable(&self, error: &HttpError) -> TokenError {
        if self.found == Found::Assumed && matches!(error, HttpError::Resolve { .. }) {
            let message = "no credentials were found: GOOGLE_APPLICATION_CREDENTIALS is not set, gcloud has no \
                           application default credentials, and there is no metadata server";
            return TokenError::new(ErrorKind::Denied, message);
        }
        let message = format!("the metadata server does not answer: {}", callgate_core::chain(error));
        TokenError::unavailable(message)
    }
}
