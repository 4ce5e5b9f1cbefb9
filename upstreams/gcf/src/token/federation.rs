//! Workload identity federation: another platform's token becomes an access token of Google's (RFC 8693).
//!
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>, <https://google.aip.dev/auth/4117>

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{Body, ErrorKind, Secret};
use http::{HeaderValue, Request};

use super::{
    access::{AccessToken, Granted, SCOPE},
    address::Address,
    error::TokenError,
    exchange::Exchange,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The largest token of another platform, in bytes.
const LARGEST: u64 = 64 << 10;

/// A pool of another platform's identities, and the one that the gateway has there.
#[derive(Debug)]
pub(crate) struct Federation {
    /// The pool and its provider, as Google names them.
    pub(crate) audience: String,
    pub(crate) subject_token_type: String,
    pub(crate) token_url: Address,
    pub(crate) subject: Subject,
    pub(crate) format: Format,
    /// Id and secret of a client, where the pool asks for them.
    pub(crate) client: Option<(String, Secret)>,
}

/// Where the other platform puts its token.
#[derive(Debug)]
pub(crate) enum Subject {
    /// A file that the platform renews: a projected token of Kubernetes.
    File(PathBuf),
    /// A service, asked with these headers.
    Url(Address, Vec<(String, Secret)>),
}

/// How the token stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// As this field of a JSON object.
    Json(String),
}

impl Federation {
    pub(crate) async fn access_token(&self, exchange: &Exchange) -> Result<AccessToken, TokenError> {
        let subject = self.subject_token(exchange).await?;
        let fields = [
            ("grant_type", GRANT),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", &self.subject_token_type),
            ("subject_token", subject.expose()),
        ];
        let client = self.client.as_ref().map(|(id, secret)| basic(id, secret)).transpose()?;
        let granted: Granted = exchange.form("the token exchange", &self.token_url, &fields, client).await?;
        Ok(granted.at(exchange.clock.now()))
    }

    /// The other platform's token. It is short-lived: it is read anew for every exchange.
    async fn subject_token(&self, exchange: &Exchange) -> Result<Secret, TokenError> {
        let bytes = match &self.subject {
            Subject::File(file) => read(exchange, file).await?,
            Subject::Url(address, headers) => {
                let start = Request::get(address.target.as_str());
                let request = headers.iter().fold(start, |request, (name, value)| request.header(name, value.expose()));
                let unfit = |_| TokenError::new(ErrorKind::Denied, "`credential_source.headers` are no headers");
                let request = request.body(Body::empty()).map_err(unfit)?;
                exchange.ask("the source of the subject token", &address.endpoint, request).await?.body.to_vec()
            }
        };
        let unusable = || TokenError::unavailable("the subject token is not there in the form that `format` says");
        let text = String::from_utf8(bytes).map_err(|_| unusable())?;
        let token = match &self.format {
            Format::Text => text.trim().to_owned(),
            Format::Json(field) => {
                let document: serde_json::Value = serde_json::from_str(&text).map_err(|_| unusable())?;
                document[field.as_str()].as_str().ok_or_else(unusable)?.to_owned()
            }
        };
        if token.is_empty() { Err(unusable()) } else { Ok(Secret::new(token)) }
    }
}

async fn read(exchange: &Exchange, file: &std::path::Path) -> Result<Vec<u8>, TokenError> {
    let name = file.display().to_string();
    let file = file.to_owned();
    let read = exchange.context.blocking(move || {
        let length = std::fs::metadata(&file)?.len();
        if length > LARGEST { Err(std::io::Error::other("it is too large")) } else { std::fs::read(&file) }
    });
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(TokenError::unavailable(format!("the subject token in {name} can't be read: {error}"))),
        Err(stopped) => Err(TokenError::unavailable(stopped.to_string())),
    }
}

fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, TokenError> {
    let pair = STANDARD.encode(format!("{id}:{}", secret.expose()));
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    let mut value =
        value.map_err(|_| TokenError::new(ErrorKind::Denied, "`client_id` and `client_secret` fit into no header"))?;
    value.set_sensitive(true);
    Ok(value)
}
