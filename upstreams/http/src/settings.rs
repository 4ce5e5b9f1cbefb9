//! The options that every kind with an HTTP client has.

use std::{path::PathBuf, time::Duration};

use callgate_core::{Files, Invalid, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::proxy::ProxySettings;

/// How connections to an HTTP service are made and kept.
///
/// A kind has this as a field, or has fields of the same names and fills it in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// TLS towards the service. The certificate is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// `true`: HTTP/2 only, without TLS by prior knowledge. `false`: HTTP/1.1 only. Without it the service chooses in
    /// the TLS handshake, and plain connections speak HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// A forward proxy that all connections go through. Services of `https` are reached by a tunnel (CONNECT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// How long a new connection may take: name look-up, TCP, a proxy's tunnel and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s, less than common servers wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps per endpoint. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
}

/// TLS towards a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// A PEM file of the authorities that may have signed the service's certificate, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's own certificate (and its chain), for services that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The PEM file with the key of `certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PathBuf>,
    /// The name that the service's certificate has to be for, instead of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

impl HttpSettings {
    /// Checks what the types can't say, for the kind's own `Settings::check`.
    pub fn check(&self) -> Vec<Invalid> {
        let mut invalid = self.tls.as_ref().map(TlsSettings::check).unwrap_or_default();
        invalid.extend(self.proxy.as_ref().and_then(ProxySettings::check));
        for (field, period) in [("connect_timeout", self.connect_timeout), ("idle_timeout", self.idle_timeout)] {
            if period.is_some_and(|period| period.get().is_zero()) {
                invalid.push(Invalid::new("a period of zero leaves no time at all").at(field));
            }
        }
        invalid
    }

    /// Reads the files that the settings name and says what is wrong with them, for the kind's own
    /// [`Upstream::read_files`](callgate_core::Upstream::read_files).
    pub fn read_files(&self, files: &Files) -> Vec<Invalid> {
        self.tls.as_ref().map(|tls| tls.read_files(files)).unwrap_or_default()
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(Duration::from_secs(5), Period::get)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout.map_or(Duration::from_secs(55), Period::get)
    }

    pub(crate) fn max_idle(&self) -> usize {
        self.max_idle.unwrap_or(256)
    }
}

impl TlsSettings {
    /// Checks what the types can't say, for settings that have these as `tls`.
    pub fn check(&self) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        match (&self.certificate, &self.private_key) {
            (Some(_), None) => invalid.push(
                Invalid::new("a client certificate needs its key")
                    .at("tls.certificate")
                    .hint("add `private_key`, the PEM file of its key"),
            ),
            (None, Some(_)) => invalid.push(
                Invalid::new("a client key needs its certificate")
                    .at("tls.private_key")
                    .hint("add `certificate`, the PEM file of its certificate"),
            ),
            _ => {}
        }
        if let Some(name) = &self.server_name
            && rustls_pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            let message = format!("`{name}` is neither a host name nor an IP address");
            invalid.push(Invalid::new(message).at("tls.server_name"));
        }
        invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_go_together() {
        let settings = |certificate: Option<&str>, private_key: Option<&str>| HttpSettings {
            tls: Some(TlsSettings {
                certificate: certificate.map(Into::into),
                private_key: private_key.map(Into::into),
                ..TlsSettings::default()
            }),
            ..HttpSettings::default()
        };
        assert_eq!(settings(Some("a"), None).check()[0].field, "tls.certificate");
        assert_eq!(settings(None, Some("a")).check()[0].field, "tls.private_key");
        assert!(settings(Some("a"), Some("b")).check().is_empty());
    }

    #[test]
    fn refuses_a_server_name_that_no_certificate_can_have() {
        let tls = TlsSettings { server_name: Some("a b".into()), ..TlsSettings::default() };
        let settings = HttpSettings { tls: Some(tls), ..HttpSettings::default() };
        assert_eq!(settings.check()[0].field, "tls.server_name");
    }
}
