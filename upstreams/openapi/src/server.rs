//! Where a document says that it is served.

use std::collections::BTreeMap;

use callgate_document::nearest;

use crate::{files::At, location};

/// A server's URL with its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: String,
    variables: BTreeMap<String, Variable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    default: Option<String>,
    allowed: Vec<String>,
}

/// Why a server has no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoServer {
    /// The document was read from a file, and its server's URL has no host.
    #[error("the document says that it is served at `{0}`, which names no host")]
    Relative(String),
    /// A variable without a value.
    #[error("the variable `{name}` of the server `{url}` has no default")]
    Unset {
        /// The variable.
        name: String,
        /// The server's URL.
        url: String,
    },
    /// A value that the document does not allow.
    #[error("`{value}` is none of the values of the variable `{name}`: {allowed}")]
    NotAllowed {
        /// The variable.
        name: String,
        /// The value.
        value: String,
        /// Those that are.
        allowed: String,
    },
}

impl Server {
    pub(crate) fn read(server: &At<'_>) -> Option<Self> {
        let url = server.text("url")?.trim().to_owned();
        let variables = server.get("variables").into_iter().flat_map(|all| all.entries().collect::<Vec<_>>());
        let variable = |(name, at): (&str, At<'_>)| {
            let allowed = at.get("enum").into_iter().flat_map(|all| all.items().collect::<Vec<_>>());
            let allowed = allowed.map(|item| crate::style::text(item.value).into_owned()).collect();
            let default = at.get("default").map(|default| crate::style::text(default.value).into_owned());
            (name.to_owned(), Variable { default, allowed })
        };
        Some(Self { url, variables: variables.map(variable).collect() })
    }

    pub(crate) fn plain(url: impl Into<String>) -> Self {
        Self { url: url.into(), variables: BTreeMap::new() }
    }

    /// The URL, with variables filled in; a relative one starts where the document is.
    ///
    /// # Errors
    /// It names no host, or a variable has no value, or one that the document does not allow.
    pub fn url(&self, values: &BTreeMap<String, String>, document: &str) -> Result<String, NoServer> {
        let mut url = String::new();
        let mut rest = self.url.as_str();
        while let Some((literal, name, after)) = variable(rest) {
            url.push_str(literal);
            url.push_str(&self.value(name, values)?);
            rest = after;
        }
        url.push_str(rest);
        if location::is_url(&url) {
            return Ok(url);
        }
        if let (Some(scheme_less), Some((origin, _))) = (url.strip_prefix("//"), location::split(document)) {
            let scheme = origin.split("://").next().unwrap_or("https");
            return Ok(format!("{scheme}://{scheme_less}"));
        }
        if location::is_url(document) {
            return Ok(location::join(document, &url));
        }
        Err(NoServer::Relative(self.url.clone()))
    }

    fn value(&self, name: &str, values: &BTreeMap<String, String>) -> Result<String, NoServer> {
        let known = self.variables.get(name);
        let given = values.get(name);
        if let (Some(Variable { allowed, .. }), Some(value)) = (known, given)
            && !allowed.is_empty()
            && !allowed.contains(value)
        {
            let allowed = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            return Err(NoServer::NotAllowed { name: name.to_owned(), value: value.clone(), allowed });
        }
        given
            .or_else(|| known?.default.as_ref())
            .cloned()
            .ok_or_else(|| NoServer::Unset { name: name.to_owned(), url: self.url.clone() })
    }

    /// Whether its URL has a variable of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The nearest name of a variable.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.names())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.url.as_str();
        std::iter::from_fn(move || {
            let (_, name, after) = variable(rest)?;
            rest = after;
            Some(name)
        })
    }
}

/// The first variable of a text, with what stands before and after it.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (literal, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((literal, name, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::Files;

    fn server(value: &serde_json::Value) -> Server {
        Server::read(&Files::new("t", &value.to_string()).unwrap().root()).unwrap()
    }

    #[test]
    fn variables_are_filled_in_and_checked() {
        let server = server(&json!({
            "url": "https://{name}.test:{port}/{base}",
            "variables": {"name": {"default": "demo"}, "port": {"enum": ["443", 8443], "default": 8443}, "base": {}},
        }));
        let url = |values: &[(&str, &str)]| {
            let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            server.url(&values, "api.yaml").map_err(|error| error.to_string())
        };
        assert_eq!(url(&[("base", "v2")]).unwrap(), "https://demo.test:8443/v2");
        assert!(url(&[]).unwrap_err().contains("`base`"));
        assert!(url(&[("port", "1")]).unwrap_err().contains("`443`, `8443`"));
        assert!(server.has("port") && server.nearest("prt") == Some("port"));
    }

    #[test]
    fn a_relative_server_is_where_the_document_is() {
        let url = |url: &str, document: &str| Server::plain(url).url(&BTreeMap::new(), document);
        assert_eq!(url("/api/v3", "https://a.test/x/openapi.json").unwrap(), "https://a.test/api/v3");
        assert_eq!(url("../v3", "https://a.test/x/openapi.json").unwrap(), "https://a.test/v3");
        assert_eq!(url("//b.test/v3", "https://a.test/openapi.json").unwrap(), "https://b.test/v3");
        assert_eq!(url("/api/v3", "openapi.json"), Err(NoServer::Relative("/api/v3".to_owned())));
    }
}
