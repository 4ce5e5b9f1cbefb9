//! Credentials of the settings for what an operation needs.

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::Invalid;
use callgate_openapi::{In, Operation, Requirement, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::places::pair;
use crate::{
    config::Config,
    credentials::{Credential, Form},
};

/// What is added to every call of an operation.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    headers: Vec<(HeaderName, HeaderValue)>,
    /// `name=value`, escaped.
    query: Vec<Hidden>,
    cookies: Vec<Hidden>,
    /// Headers that clients may not bring along: the gateway's own credentials stand in them.
    withheld: Vec<HeaderName>,
    /// Cookies that clients bring along.
    pub(crate) client_cookies: Vec<String>,
    /// Parameters of the query that clients bring along.
    pub(crate) client_query: Vec<String>,
}

/// A text that is not shown.
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Applied {
    /// The first alternative of which all credentials are there.
    pub(crate) fn new(operation: &Operation, config: &Config) -> Result<Self, Invalid> {
        let alternatives = operation.security();
        let mut applied = Self::default();
        // Whichever alternative is taken, no header passes in which a credential of the gateway could stand.
        for (name, scheme) in alternatives.iter().flat_map(Requirement::schemes) {
            let is_clients = matches!(config.credentials.get(name).and_then(Credential::form), Some(Form::Client));
            if config.credentials.contains_key(name) && !is_clients {
                applied.withheld.extend(header_of(scheme));
            }
        }
        let complete =
            |requirement: &&Requirement| requirement.schemes().all(|(name, scheme)| has(config, name, scheme));
        let needy = |requirement: &&Requirement| requirement.schemes().next().is_some();
        let taken = alternatives.iter().filter(needy).find(complete).or_else(|| alternatives.iter().find(complete));
        let Some(taken) = taken else {
            if alternatives.is_empty() {
                return Ok(applied);
            }
            return Err(missing(operation));
        };
        for (name, scheme) in taken.schemes() {
            applied.add(name, scheme, config)?;
        }
        Ok(applied)
    }

    fn add(&mut self, name: &str, scheme: &Scheme, config: &Config) -> Result<(), Invalid> {
        let Some(form) = config.credentials.get(name).and_then(Credential::form) else { return Ok(()) };
        let field = || format!("credentials.{name}");
        let header = |value: String| {
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| Invalid::new(format!("the credential `{name}` can't stand in a header")).at(field()))?;
            value.set_sensitive(true);
            Ok::<_, Invalid>(value)
        };
        match (scheme, form) {
            (Scheme::ApiKey { place, name: key }, Form::Token(token)) => match place {
                In::Header => {
                    let key =
                        HeaderName::try_from(key).map_err(|_| Invalid::new(format!("`{key}` is no header's name")))?;
                    self.headers.push((key, header(token.to_owned())?));
                }
                In::Query | In::Path => self.query.push(Hidden(pair(key, token))),
                In::Cookie => self.cookies.push(Hidden(pair(key, token))),
            },
            (Scheme::ApiKey { place: In::Cookie, name }, Form::Client) => self.client_cookies.push(name.clone()),
            (Scheme::ApiKey { place: In::Query, name }, Form::Client) => self.client_query.push(name.clone()),
            (Scheme::Basic, Form::User(user, password)) => {
                let login = STANDARD.encode(format!("{user}:{password}"));
                self.headers.push((header::AUTHORIZATION, header(format!("Basic {login}"))?));
            }
            (Scheme::Bearer { .. }, Form::Token(token)) => {
                self.headers.push((header::AUTHORIZATION, header(format!("Bearer {token}"))?));
            }
            _ => {}
        }
        Ok(())
    }

    /// Hides what is secret in queries and cookies; headers are marked.
    pub(crate) fn hide(&mut self) {
        for Hidden(pair) in self.query.iter_mut().chain(&mut self.cookies) {
            let name = pair.find('=').unwrap_or(pair.len());
            pair.replace_range(name.., "=***");
        }
    }

    /// Puts the credentials in the place of the client's.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        for name in &self.withheld {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn query(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|pair| pair.0.as_str())
    }

    pub(crate) fn cookies(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().map(|pair| pair.0.as_str())
    }
}

/// The header that a scheme's credential stands in.
fn header_of(scheme: &Scheme) -> Option<HeaderName> {
    match scheme {
        Scheme::ApiKey { place: In::Header, name } => HeaderName::try_from(name).ok(),
        Scheme::Basic | Scheme::Bearer { .. } => Some(header::AUTHORIZATION),
        Scheme::ApiKey { .. } | Scheme::MutualTls | Scheme::Unknown { .. } => None,
    }
}

/// Whether the settings have what a scheme needs, in a form that it can be sent in.
fn has(config: &Config, name: &str, scheme: &Scheme) -> bool {
    if *scheme == Scheme::MutualTls {
        return true;
    }
    let form = config.credentials.get(name).and_then(Credential::form);
    match form {
        Some(Form::Client) => true,
        Some(Form::Token(_)) => matches!(scheme, Scheme::ApiKey { .. } | Scheme::Bearer { .. }),
        Some(Form::User(..)) => *scheme == Scheme::Basic,
        None => false,
    }
}

/// Says which credentials would do.
fn missing(operation: &Operation) -> Invalid {
    let explained = |requirement: &Requirement| {
        let schemes = requirement.schemes().map(|(name, scheme)| format!("`{name}` ({})", scheme.explained().0));
        schemes.collect::<Vec<_>>().join(" and ")
    };
    let alternatives: Vec<_> = operation.security().iter().map(explained).collect();
    let first = operation.security().first().map(|requirement| {
        let schemes = requirement.schemes().map(|(name, scheme)| format!("{name}: {}", scheme.explained().1));
        schemes.collect::<Vec<_>>().join(", ")
    });
    let message = format!("`{}` needs credentials for {}", operation.name(), alternatives.join(", or for "));
    Invalid::new(message).hint(format!("add `credentials: {{{}}}` to the upstream", first.unwrap_or_default()))
}
