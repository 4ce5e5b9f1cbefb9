//! `auth`, as it stands in the document.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use callgate_transform::OneOrMany;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    algorithm::Algorithm,
    external::ExternalSettings,
    known::Known,
    mtls::MtlsSettings,
    place::{KeyPlace, TokenPlace},
    rule::ClaimRule,
};
use crate::{
    document::{HELP, Period, Text},
    policy::settings::Inherit,
};

/// Who may come in: one method with its options, several by `any` or `all`, or `none`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AuthSettings {
    /// Everyone, whatever stands around.
    None,
    /// Who passes.
    Checked(Box<CheckedSettings>),
}

/// The methods, of which there is one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckedSettings {
    /// Keys that clients are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_key: Option<ApiKeySettings>,
    /// Names and passwords (RFC 7617).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) basic: Option<BasicSettings>,
    /// Signed tokens (RFC 7519) of an issuer whose keys are at a URL or in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt: Option<JwtSettings>,
    /// Signed tokens of an OpenID provider, whose keys its discovery document names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oidc: Option<OidcSettings>,
    /// The client's certificate, which the listener has verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mtls: Option<MtlsSettings>,
    /// An HTTP service that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external: Option<ExternalSettings>,
    /// Several methods, of which one has to pass; the first that does counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) any: Option<Vec<MethodSettings>>,
    /// Several methods, which all have to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) all: Option<Vec<MethodSettings>>,
    /// Whether who shows no credentials at all may come in, as nobody. Wrong ones are refused nevertheless. Default:
    /// false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allow_anonymous: Option<bool>,
}

/// One of several methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MethodSettings {
    /// Keys that clients are given.
    ApiKey(ApiKeySettings),
    /// Names and passwords.
    Basic(BasicSettings),
    /// Signed tokens of an issuer whose keys are at a URL or in a file.
    Jwt(JwtSettings),
    /// Signed tokens of an OpenID provider.
    Oidc(OidcSettings),
    /// The client's certificate.
    Mtls(MtlsSettings),
    /// An HTTP service that decides.
    External(ExternalSettings),
    /// Several methods, of which one has to pass.
    Any(Vec<Self>),
    /// Several methods, which all have to pass.
    All(Vec<Self>),
}

/// Keys that clients are given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiKeySettings {
    /// Where the key is: `{header: x-api-key}`, which is the default, or `{query: key}`.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<KeyPlace>,
    /// The keys, by the names of those who have them: the key itself, by reference, or `sha256:` and its hash in hex.
    /// Default: none, they are required here or around.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<BTreeMap<String, Known>>,
    /// Whether the function gets the key too. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keep: Option<bool>,
}

/// Names and passwords.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BasicSettings {
    /// The passwords by the users' names: the password itself, by reference, or its hash: bcrypt, argon2, or `sha256:`
    /// and hex. Default: none, they are required here or around.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) users: Option<BTreeMap<String, Known>>,
    /// What browsers show when they ask for the password. Default: `callgate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) realm: Option<String>,
    /// Whether the function gets the password too. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keep: Option<bool>,
}

macro_rules! tokens {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(super) $field: $type,)*
            /// Whom the tokens have to be for (`aud`), one or a list of which one has to be there. `*` takes those for
            /// anyone. Default: none, it is required here or around.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) audience: Option<OneOrMany<String>>,
            /// What may be signed with. Default: `[RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) algorithms: Option<OneOrMany<Algorithm>>,
            /// How far the issuer's clock may be off. Default: 30s.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) leeway: Option<Period>,
            /// What the claims have to be: a value, `{any: [...]}` or `{regex: '...'}` by the name of the claim, or by a
            /// JSON pointer (`/realm_access/roles`). Of a list one has to be it, of `scope` one of its words.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) claims: Option<BTreeMap<String, ClaimRule>>,
            /// Where the token is: `{header: authorization}`, which is the default, `{cookie: name}` or `{query: name}`.
            #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
            pub(super) place: Option<TokenPlace>,
            /// Whether the function gets the token too. Default: true.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) keep: Option<bool>,
        }
    };
}

tokens! {
    /// Signed tokens of an issuer whose keys are at a URL or in a file.
    JwtSettings {
        /// Who issues the tokens (`iss`), one or a list. `*` takes them of anyone whose key is among the `jwks`.
        /// Default: none, it is required here or around.
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<OneOrMany<String>>,
        /// The issuer's keys, a JSON Web Key Set (RFC 7517): an `http` or `https` URL, or a file.
        /// Default: none, they are required here or around.
        #[serde(skip_serializing_if = "Option::is_none")]
        jwks: Option<String>,
    }
}

tokens! {
    /// Signed tokens of an OpenID provider, whose keys its discovery document names.
    OidcSettings {
        /// The provider's URL, below which `/.well-known/openid-configuration` is. Default: none, it is required here or
        /// around.
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<Text>,
    }
}

/// A method of the same kind is inherited field by field; another one takes its place.
impl Inherit for AuthSettings {
    fn inherit(self, outer: &Self) -> Self {
        match (self, outer) {
            (Self::Checked(own), Self::Checked(outer)) => Self::Checked(Box::new(own.inherit(outer))),
            (own, _) => own,
        }
    }
}

impl Inherit for CheckedSettings {
    fn inherit(self, outer: &Self) -> Self {
        let allow_anonymous = self.allow_anonymous.or(outer.allow_anonymous);
        if self.methods() == 0 {
            return Self { allow_anonymous, ..outer.clone() };
        }
        Self {
            api_key: merged(self.api_key, outer.api_key.as_ref()),
            basic: merged(self.basic, outer.basic.as_ref()),
            jwt: merged(self.jwt, outer.jwt.as_ref()),
            oidc: merged(self.oidc, outer.oidc.as_ref()),
            mtls: merged(self.mtls, outer.mtls.as_ref()),
            external: merged(self.external, outer.external.as_ref()),
            any: self.any,
            all: self.all,
            allow_anonymous,
        }
    }
}

fn merged<T: Inherit>(own: Option<T>, outer: Option<&T>) -> Option<T> {
    match (own, outer) {
        (Some(own), Some(outer)) => Some(own.inherit(outer)),
        (own, _) => own,
    }
}

impl CheckedSettings {
    /// How many methods there are.
    pub(super) fn methods(&self) -> usize {
        let Self { api_key, basic, jwt, oidc, mtls, external, any, all, allow_anonymous: _ } = self;
        let given = [
            api_key.is_some(),
            basic.is_some(),
            jwt.is_some(),
            oidc.is_some(),
            mtls.is_some(),
            external.is_some(),
            any.is_some(),
            all.is_some(),
        ];
        given.into_iter().filter(|given| *given).count()
    }
}

impl Inherit for ApiKeySettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            place: self.place.or_else(|| outer.place.clone()),
            keys: self.keys.or_else(|| outer.keys.clone()),
            keep: self.keep.or(outer.keep),
        }
    }
}

impl Inherit for BasicSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            users: self.users.or_else(|| outer.users.clone()),
            realm: self.realm.or_else(|| outer.realm.clone()),
            keep: self.keep.or(outer.keep),
        }
    }
}

/// Claims are asked for together: a route adds to what holds around it, and changes those that it names.
fn claims(
    own: Option<BTreeMap<String, ClaimRule>>,
    outer: Option<&BTreeMap<String, ClaimRule>>,
) -> Option<BTreeMap<String, ClaimRule>> {
    match (own, outer) {
        (Some(own), Some(outer)) => Some(outer.clone().into_iter().chain(own).collect()),
        (own, outer) => own.or_else(|| outer.cloned()),
    }
}

macro_rules! inherit_tokens {
    ($name:ident { $($field:ident),* }) => {
        impl Inherit for $name {
            fn inherit(self, outer: &Self) -> Self {
                Self {
                    $($field: self.$field.or_else(|| outer.$field.clone()),)*
                    audience: self.audience.or_else(|| outer.audience.clone()),
                    algorithms: self.algorithms.or_else(|| outer.algorithms.clone()),
                    leeway: self.leeway.or(outer.leeway),
                    claims: claims(self.claims, outer.claims.as_ref()),
                    place: self.place.or_else(|| outer.place.clone()),
                    keep: self.keep.or(outer.keep),
                }
            }
        }
    };
}
inherit_tokens!(JwtSettings { issuer, jwks });
inherit_tokens!(OidcSettings { issuer });

impl<'de> Deserialize<'de> for AuthSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = AuthSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`none` or a mapping with a method: `api_key`, `basic`, `jwt`, `oidc`, `mtls`, `external`, `any` or `all`",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AuthSettings, E> {
                if text == "none" {
                    return Ok(AuthSettings::None);
                }
                Err(E::custom(format!(
                    "`{text}` is no way to come in{HELP}write `none`, or a mapping such as `jwt: {{...}}`"
                )))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AuthSettings, A::Error> {
                let settings = CheckedSettings::deserialize(MapAccessDeserializer::new(map))?;
                if settings.methods() > 1 {
                    let message =
                        format!("there are several methods, and it is not said whether one has to pass or all{HELP}");
                    return Err(A::Error::custom(message + "write `any: [...]` or `all: [...]` around them"));
                }
                Ok(AuthSettings::Checked(Box::new(settings)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for AuthSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Checked(settings) => settings.serialize(serializer),
        }
    }
}

impl JsonSchema for AuthSettings {
    fn schema_name() -> Cow<'static, str> {
        "Auth".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let checked = generator.subschema_for::<CheckedSettings>();
        json_schema!({"anyOf": [{"const": "none", "description": "Everyone, whatever stands around"}, checked]})
    }
}
