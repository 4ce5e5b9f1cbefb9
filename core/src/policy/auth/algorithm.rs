//! What tokens may be signed with.

use jsonwebtoken::{
    Algorithm as Name,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An algorithm of signatures with a public key (RFC 7518, RFC 8037). Those with a shared secret (HS256 ...) and `none`
/// are not among them: who knows the public keys could make such tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::upper_case_acronyms, reason = "these are their names")]
pub(crate) enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    pub(super) const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    pub(super) const fn name(self) -> Name {
        match self {
            Self::RS256 => Name::RS256,
            Self::RS384 => Name::RS384,
            Self::RS512 => Name::RS512,
            Self::PS256 => Name::PS256,
            Self::PS384 => Name::PS384,
            Self::PS512 => Name::PS512,
            Self::ES256 => Name::ES256,
            Self::ES384 => Name::ES384,
            Self::EdDSA => Name::EdDSA,
        }
    }

    /// The algorithm of a token's `alg`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether a key is one of this algorithm's. The key's own `alg`, where it has one, is the only one for it.
    pub(super) fn fits(self, key: &Jwk) -> bool {
        let of_type = match (&key.algorithm, self) {
            (AlgorithmParameters::RSA(_), _) => {
                matches!(self, Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512)
            }
            (AlgorithmParameters::EllipticCurve(curve), Self::ES256) => curve.curve == EllipticCurve::P256,
            (AlgorithmParameters::EllipticCurve(curve), Self::ES384) => curve.curve == EllipticCurve::P384,
            (AlgorithmParameters::OctetKeyPair(pair), Self::EdDSA) => pair.curve == EllipticCurve::Ed25519,
            _ => false,
        };
        let own = key.common.key_algorithm.map(|own| own.to_string());
        of_type && own.is_none_or(|own| own == self.as_str())
    }
}
