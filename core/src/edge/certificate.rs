//! Who a client is by its certificate (mutual TLS).

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;

/// A client's certificate, whose chain was verified when the connection was made.
///
/// Templates see it as `client.certificate`, with the names of these fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientCertificate {
    /// The subject in the order of the certificate, its values escaped as in RFC 4514: `C=SE, O=Example\, Inc., CN=billing`.
    /// Empty if it has none, or one that is no text.
    pub subject: String,
    /// The subject's last common name, if it has one.
    pub common_name: Option<String>,
    /// The issuer, written as the subject is.
    pub issuer: String,
    /// The serial number in lower-case hex, without separators.
    pub serial: String,
    /// SHA-256 of the whole certificate in lower-case hex, without separators.
    pub fingerprint: String,
    /// The end of its validity in seconds since 1970.
    pub not_after: i64,
    /// The subject's alternative names.
    pub san: AlternativeNames,
}

/// Alternative names of a subject (RFC 5280 4.2.1.6), in the order of the certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AlternativeNames {
    /// Domain names.
    pub dns: Vec<String>,
    /// URIs, such as SPIFFE identities.
    pub uri: Vec<String>,
    /// Mail addresses.
    pub email: Vec<String>,
    /// IP addresses.
    pub ip: Vec<String>,
}

/// A certificate as the requests of its connection share it.
#[derive(Debug)]
pub(crate) struct Shown {
    certificate: ClientCertificate,
    value: OnceLock<Arc<Value>>,
}

impl Shown {
    pub(crate) const fn new(certificate: ClientCertificate) -> Self {
        Self { certificate, value: OnceLock::new() }
    }

    pub(crate) const fn certificate(&self) -> &ClientCertificate {
        &self.certificate
    }

    /// The certificate as templates see it; made once for a connection.
    pub(crate) fn value(&self) -> Arc<Value> {
        let made = || Arc::new(serde_json::to_value(&self.certificate).unwrap_or_default());
        Arc::clone(self.value.get_or_init(made))
    }
}
