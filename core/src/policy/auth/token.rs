//! `jwt` and `oidc`: signed tokens (RFC 7519).

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, header, request::Parts};
use jsonwebtoken::{DecodingKey, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    algorithm::Algorithm,
    bearer::{self, Scheme, Shown},
    denied::Denied,
    identity::Identity,
    issuer::{Issuer, Source},
    key_set::KeySet,
    place::{Found, Place},
    rule::ClaimRule,
};

/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;

const NO_TOKEN: &str = "This is no signed token.";

/// What tokens have to be, checked.
#[derive(Debug, Clone)]
pub(super) struct TokenPlan {
    pub(super) place: Place,
    pub(super) keep: bool,
    pub(super) issuers: Option<Vec<String>>,
    pub(super) audience: Option<Vec<String>>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) leeway: u64,
    pub(super) claims: BTreeMap<String, ClaimRule>,
    pub(super) keys: KeysPlan,
}

/// Where the keys come from.
#[derive(Debug, Clone)]
pub(super) enum KeysPlan {
    Read(Arc<KeySet>),
    Remote(Source),
}

/// What tokens have to be, with the keys at hand.
#[derive(Debug)]
pub(super) struct Tokens {
    place: Place,
    keep: bool,
    /// What is checked for each algorithm, so that a token's key is never used with another one.
    validations: Vec<(Algorithm, Validation)>,
    claims: BTreeMap<String, ClaimRule>,
    keys: Keys,
    wants: String,
}

#[derive(Debug)]
pub(super) enum Keys {
    Read(Arc<KeySet>),
    Remote(Arc<Issuer>),
}

/// What of a token's header is looked at before its signature.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Tokens {
    pub(super) fn new(plan: TokenPlan, keys: Keys) -> Self {
        let validation = |algorithm: Algorithm| {
            let mut validation = Validation::new(algorithm.name());
            validation.leeway = plan.leeway;
            validation.validate_nbf = true;
            let mut required = vec!["exp"];
            if let Some(issuers) = &plan.issuers {
                validation.set_issuer(issuers);
                required.push("iss");
            }
            match &plan.audience {
                Some(audience) => {
                    validation.set_audience(audience);
                    required.push("aud");
                }
                None => validation.validate_aud = false,
            }
            validation.set_required_spec_claims(&required);
            (algorithm, validation)
        };
        let wants = match &plan.place {
            Place::Header(name) if *name == header::AUTHORIZATION => "a token (Bearer)".to_owned(),
            place => format!("a token {place}"),
        };
        let validations = plan.algorithms.into_iter().map(validation).collect();
        Self { place: plan.place, keep: plan.keep, validations, claims: plan.claims, keys, wants }
    }

    pub(super) async fn check(&self, parts: &Parts) -> Result<Identity, Denied> {
        let token = match &self.place {
            Place::Header(name) if *name == header::AUTHORIZATION => {
                match bearer::credentials(parts, name, Scheme::Bearer) {
                    Shown::Credentials(token) => token.into(),
                    Shown::Nothing => return Err(self.missing()),
                    Shown::Unclear => return Err(invalid("There are several tokens, or one that is no text.")),
                }
            }
            place => match place.find(parts) {
                Found::One(token) if !token.is_empty() => token,
                Found::One(_) | Found::Nothing => return Err(self.missing()),
                Found::Unclear => return Err(invalid("There are several tokens, or one that is no text.")),
            },
        };
        let token = token.strip_prefix("Bearer ").unwrap_or(&token);
        if token.len() > LONGEST {
            return Err(invalid("The token is too long."));
        }
        let head = head(token).ok_or_else(|| invalid(NO_TOKEN))?;
        if head.crit.is_some() {
            return Err(invalid("The token demands what this gateway does not know (`crit`)."));
        }
        let known = Algorithm::named(&head.alg);
        let (algorithm, validation) = self
            .validations
            .iter()
            .find(|(algorithm, _)| Some(*algorithm) == known)
            .ok_or_else(|| invalid("The token is signed in a way that is not taken here."))?;
        let claims = self.verified(token, head.kid.as_deref(), *algorithm, validation).await?;
        let claims = Value::Object(claims);
        match self.claims.iter().find(|(name, rule)| !rule.holds(name, &claims)) {
            None => Ok(Identity::claimed(claims)),
            Some((name, _)) => Err(insufficient(name)),
        }
    }

    async fn verified(
        &self,
        token: &str,
        id: Option<&str>,
        algorithm: Algorithm,
        validation: &Validation,
    ) -> Result<Map<String, Value>, Denied> {
        let keys = match &self.keys {
            Keys::Read(keys) => Arc::clone(keys),
            Keys::Remote(issuer) => issuer.keys().await.map_err(|reason| {
                Denied::unknown("The gateway can't check tokens at the moment.", format!("there are no keys: {reason}"))
            })?,
        };
        if let Some(claims) = decode(token, keys.fitting(id, algorithm), validation) {
            return claims;
        }
        let newer = match &self.keys {
            Keys::Remote(issuer) => issuer.newer(&keys).await,
            Keys::Read(_) => None,
        };
        let decoded = newer.and_then(|keys| decode(token, keys.fitting(id, algorithm), validation));
        decoded.unwrap_or_else(|| Err(invalid("The token is signed with a key that its issuer does not publish.")))
    }

    fn missing(&self) -> Denied {
        Denied::missing(self.wants.clone(), &HeaderValue::from_static("Bearer"))
    }

    pub(super) fn strip(&self, parts: &mut Parts) {
        if self.keep {
            return;
        }
        match &self.place {
            Place::Header(name) if *name == header::AUTHORIZATION => {
                if bearer::is(parts, name, Scheme::Bearer) {
                    parts.headers.remove(name);
                }
            }
            place => place.remove(parts),
        }
    }
}

fn head(token: &str) -> Option<Head> {
    let mut parts = token.split('.');
    let (head, _, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()
}

/// What the first key that made the signature says of the token; `None` when there is no key.
fn decode<'k>(
    token: &str,
    keys: impl Iterator<Item = &'k DecodingKey>,
    validation: &Validation,
) -> Option<Result<Map<String, Value>, Denied>> {
    let mut wrong = None;
    for key in keys {
        match jsonwebtoken::decode::<Map<String, Value>>(token, key, validation) {
            Ok(token) => return Some(Ok(token.claims)),
            Err(error) => {
                let signed = !matches!(error.kind(), ErrorKind::InvalidSignature);
                wrong = Some(Err(invalid(detail(error.kind()))));
                if signed {
                    break;
                }
            }
        }
    }
    wrong
}

/// What is wrong with a token, without a word of it.
fn detail(error: &ErrorKind) -> &'static str {
    match error {
        ErrorKind::InvalidSignature => "The token's signature is not that of its issuer.",
        ErrorKind::ExpiredSignature => "The token has expired.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidIssuer => "The token is of another issuer.",
        ErrorKind::InvalidAudience => "The token is for another audience.",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "The token does not say when it expires (`exp`).",
            "iss" => "The token does not say who issued it (`iss`).",
            "aud" => "The token does not say whom it is for (`aud`).",
            _ => "The token lacks a claim.",
        },
        ErrorKind::InvalidClaimFormat(_) => "A claim of the token has the wrong form.",
        ErrorKind::InvalidAlgorithm => "The token is signed in a way that is not taken here.",
        _ => NO_TOKEN,
    }
}

/// The token is no good (RFC 6750 3.1). The sentence is ASCII without quotes.
fn invalid(detail: &'static str) -> Denied {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{}\"", detail.replace('`', "'"));
    Denied::invalid(detail, &HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer")))
}

/// The token is good, and its claims don't suffice.
fn insufficient(claim: &str) -> Denied {
    let mut denied = Denied::forbidden(format!("The token's claim `{claim}` does not allow this."));
    let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
    denied.refusal.headers.insert(header::WWW_AUTHENTICATE, challenge);
    denied
}
