//! Security schemes, and what operations need of them.

use crate::{files::At, operation::In};

/// How a credential is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// In a query parameter, header or cookie of this name.
    ApiKey {
        /// Where.
        place: In,
        /// The name there.
        name: String,
    },
    /// `authorization: Basic`.
    Basic,
    /// `authorization: Bearer`: a bearer token, OAuth 2 or OpenID Connect.
    Bearer {
        /// As the document names it: `http bearer`, `oauth2`, `openIdConnect`.
        kind: &'static str,
    },
    /// The client's certificate of the TLS connection.
    MutualTls,
    /// Something that this gateway has no credentials for.
    Unknown {
        /// As the document names it.
        kind: String,
    },
}

/// Schemes that are needed together, by name, with what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement(pub(crate) Vec<(String, Scheme)>);

impl Requirement {
    /// The schemes; none where nothing is needed.
    pub fn schemes(&self) -> impl Iterator<Item = (&str, &Scheme)> {
        self.0.iter().map(|(name, scheme)| (name.as_str(), scheme))
    }
}

impl Scheme {
    pub(crate) fn read(scheme: &At<'_>) -> Self {
        let kind = scheme.text("type").unwrap_or_default();
        let unknown = || Self::Unknown { kind: kind.to_owned() };
        match kind {
            "apiKey" => {
                let place = match scheme.text("in") {
                    Some("query") => In::Query,
                    Some("header") => In::Header,
                    Some("cookie") => In::Cookie,
                    _ => return unknown(),
                };
                scheme.text("name").map_or_else(unknown, |name| Self::ApiKey { place, name: name.to_owned() })
            }
            "basic" => Self::Basic,
            "http" => match scheme.text("scheme").unwrap_or_default().to_ascii_lowercase().as_str() {
                "basic" => Self::Basic,
                "bearer" => Self::Bearer { kind: "http bearer" },
                other => Self::Unknown { kind: format!("http {other}") },
            },
            "oauth2" => Self::Bearer { kind: "oauth2" },
            "openIdConnect" => Self::Bearer { kind: "openIdConnect" },
            "mutualTLS" => Self::MutualTls,
            _ => unknown(),
        }
    }

    /// What it is, and what its credential looks like.
    pub fn explained(&self) -> (String, &'static str) {
        match self {
            Self::ApiKey { place, name } => (format!("an apiKey in the {} `{name}`", place.as_str()), "\"KEY\""),
            Self::Basic => ("http basic".to_owned(), "{user: USER, password: PASSWORD}"),
            Self::Bearer { kind } => ((*kind).to_owned(), "{token: TOKEN}"),
            Self::MutualTls => ("mutualTLS".to_owned(), "a client certificate under `tls`"),
            Self::Unknown { kind } => (format!("`{kind}`"), "{client: true}"),
        }
    }
}

/// What an operation needs: its own requirements, or those of the document.
pub(crate) fn requirements<'a>(
    operation: &At<'a>,
    root: &At<'a>,
    scheme: impl Fn(&str) -> Option<Scheme>,
) -> Vec<Requirement> {
    let Some(all) = operation.get("security").or_else(|| root.get("security")) else { return Vec::new() };
    let named = |name: &str| {
        let missing = || Scheme::Unknown { kind: "a scheme that the document does not define".to_owned() };
        (name.to_owned(), scheme(name).unwrap_or_else(missing))
    };
    all.items().map(|one| Requirement(one.entries().map(|(name, _)| named(name)).collect())).collect()
}
