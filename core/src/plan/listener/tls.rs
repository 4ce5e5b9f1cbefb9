//! TLS on a listener.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::document::{DocPath, Flaw, Node, Text};

/// TLS as it stands in the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsSettings {
    /// The certificate chain, a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<PathBuf>,
    /// Several certificates in place of one. A client gets the one for the name that it asks for, and the first where none
    /// is for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<CertificateFiles>,
    /// The certificates that clients must be signed by (mutual TLS), a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ca: Option<PathBuf>,
    /// Whether a client must show a certificate. Default with `client_ca`: required.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_auth: Option<ClientAuth>,
    /// The oldest version of TLS that is spoken. Default: 1.2.
    #[serde(skip_serializing_if = "TlsVersion::is_default")]
    min_version: TlsVersion,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate chain, a PEM file.
    pub certificate: PathBuf,
    /// Its private key, a PEM file.
    pub private_key: PathBuf,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// A client without a certificate gets no connection.
    #[default]
    Required,
    /// A client may show none; one that it shows must be right.
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Text")]
pub enum TlsVersion {
    /// RFC 5246, with the ciphers that are still sound.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// TLS on a listener, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificates, never none. The first is for clients that ask for no name, or for one that none is for.
    pub certificates: Vec<CertificateFiles>,
    /// The certificates of the authorities that clients must be signed by, a PEM file.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must show a certificate, where there are authorities.
    pub client_auth: ClientAuth,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

impl ListenerTls {
    /// TLS with one certificate, for clients of any kind.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        let files = CertificateFiles { certificate: certificate.into(), private_key: private_key.into() };
        Self {
            certificates: vec![files],
            client_ca: None,
            client_auth: ClientAuth::default(),
            min_version: TlsVersion::default(),
        }
    }

    /// Every file that is named here.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.certificates.iter().flat_map(|pair| [&pair.certificate, &pair.private_key]);
        pairs.chain(&self.client_ca).map(PathBuf::as_path)
    }
}

impl TlsSettings {
    /// Whether clients may show a certificate.
    pub(super) fn takes_certificates(&self) -> bool {
        self.client_ca.is_some()
    }

    /// What is meant, with the document's folder before relative paths, or what is wrong.
    pub(super) fn checked(&self, directory: &Path, node: &Node, path: &DocPath) -> Result<ListenerTls, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let at = |field: &str| node.entry(field).map_or(node.at, |(key, _)| key.at);
        let mut refuse = |field: &str, message: &str, hint: &str| {
            flaws.push(Flaw::error(at(field), &path.key(field), message).with_hint(hint));
        };
        let both = "give it `certificate` and `private_key`, two PEM files";
        match (&self.certificate, &self.private_key, self.certificates.is_empty()) {
            (Some(_), Some(_), true) | (None, None, false) => {}
            (None, None, true) => refuse("certificate", "TLS needs a certificate", both),
            (Some(_), None, true) => refuse("private_key", "the certificate has no key", both),
            (None, Some(_), true) => refuse("certificate", "the key has no certificate", both),
            (_, _, false) => refuse(
                "certificates",
                "one certificate and a list of certificates exclude each other",
                "write all of them in `certificates`; the first is the default",
            ),
        }
        if self.client_auth.is_some() && self.client_ca.is_none() {
            refuse(
                "client_auth",
                "nothing says which certificates of clients are right",
                "give the authority that signs them as `client_ca`, a PEM file",
            );
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let file = |path: &PathBuf| directory.join(path);
        let single = self.certificate.as_ref().zip(self.private_key.as_ref());
        let listed = self.certificates.iter().map(|pair| (&pair.certificate, &pair.private_key));
        let pairs = single.into_iter().chain(listed);
        Ok(ListenerTls {
            certificates: pairs
                .map(|(certificate, key)| CertificateFiles { certificate: file(certificate), private_key: file(key) })
                .collect(),
            client_ca: self.client_ca.as_ref().map(file),
            client_auth: self.client_auth.unwrap_or_default(),
            min_version: self.min_version,
        })
    }
}

/// The text is no version of TLS.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no version of TLS that is spoken: write 1.2 or 1.3")]
pub struct InvalidTlsVersion(String);

impl TryFrom<Text> for TlsVersion {
    type Error = InvalidTlsVersion;

    fn try_from(text: Text) -> Result<Self, InvalidTlsVersion> {
        match &*text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(InvalidTlsVersion(text.into_string())),
        }
    }
}

impl TlsVersion {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

impl Serialize for TlsVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for TlsVersion {
    fn schema_name() -> Cow<'static, str> {
        "TlsVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": ["1.2", "1.3", 1.2, 1.3], "description": "A version of TLS"})
    }
}
