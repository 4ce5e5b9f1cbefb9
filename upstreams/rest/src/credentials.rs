//! What operations are called with.

use std::{fmt, str::FromStr};

use callgate_core::{Invalid, Secret, document::Text};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A credential of a security scheme.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Credential {
    /// An API key.
    Key(Secret),
    /// Anything else.
    Parts(Parts),
}

/// A token, a user, or the client's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parts {
    /// The token of `http bearer`, `oauth2` and `openIdConnect`, or the key of an `apiKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The user of `http basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Clients bring their own, which passes as it is.
    #[serde(skip_serializing_if = "is_false")]
    pub client: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A credential in the form in which it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form<'a> {
    Token(&'a str),
    User(&'a str, &'a str),
    Client,
}

impl Credential {
    /// The one form that is given.
    pub(crate) fn form(&self) -> Option<Form<'_>> {
        match self {
            Self::Key(key) => Some(Form::Token(key.expose())),
            Self::Parts(Parts { token: Some(token), user: None, password: None, client: false }) => {
                Some(Form::Token(token.expose()))
            }
            Self::Parts(Parts { token: None, user: Some(user), password, client: false }) => {
                Some(Form::User(user, password.as_ref().map_or("", Secret::expose)))
            }
            Self::Parts(Parts { token: None, user: None, password: None, client: true }) => Some(Form::Client),
            Self::Parts(_) => None,
        }
    }

    pub(crate) fn check(&self) -> Option<Invalid> {
        let hint = "write a key as text, or one of `{token}`, `{user, password}` and `{client: true}`";
        match self.form() {
            None => Some(Invalid::new("this is no credential").hint(hint)),
            Some(Form::Token("")) => Some(Invalid::new("the credential is empty").hint(hint)),
            Some(Form::User(user, _)) if user.contains(':') => Some(Invalid::new("a user's name has no colon")),
            Some(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CredentialVisitor)
    }
}

struct CredentialVisitor;

impl<'de> Visitor<'de> for CredentialVisitor {
    type Value = Credential;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key, or one of `{token}`, `{user, password}` and `{client: true}`")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Credential, E> {
        Secret::from_str(key).map(Credential::Key).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Credential, A::Error> {
        Parts::deserialize(MapAccessDeserializer::new(map)).map(Credential::Parts)
    }
}
