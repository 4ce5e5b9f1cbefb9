//! `auth`: who may come in. Several methods are joined by `any` and `all`; what a method knows of the client becomes its
//! [`Identity`].

mod algorithm;
mod api_key;
mod basic;
mod bearer;
mod denied;
mod external;
mod identity;
mod issuer;
mod key_set;
mod known;
mod method;
mod mtls;
mod name_pattern;
mod place;
mod plan;
mod rule;
mod settings;
mod token;
mod url;
mod verified;

#[cfg(test)]
mod tests;

use http::request::Parts;

pub(crate) use identity::Identity;
pub(crate) use issuer::LastKeys;
use method::Method;
pub(crate) use method::Sources;
pub(crate) use plan::AuthPlan;
pub(crate) use rule::{claim, text};
pub(crate) use settings::AuthSettings;
pub(crate) use verified::Passwords;

use denied::Rank;

use super::denial::Denial;
use crate::{invocation::CallContext, upstream::Invalid};

/// Who may come in.
#[derive(Debug)]
pub(crate) struct Auth {
    method: Method,
    allow_anonymous: bool,
}

impl Auth {
    /// Puts the methods of a plan together.
    pub(crate) fn new(plan: &AuthPlan, sources: &Sources<'_>) -> Result<Self, Invalid> {
        Ok(Self { method: sources.method(&plan.method)?, allow_anonymous: plan.allow_anonymous })
    }

    /// Says who comes. The credentials are taken out of the request, unless they are to be kept.
    pub(crate) async fn admit(&self, parts: &mut Parts, call: &CallContext) -> Result<Identity, Denial> {
        let identity = match self.method.check(parts, call).await {
            Ok(identity) => identity,
            Err(denied) if denied.rank == Rank::Missing && self.allow_anonymous => Identity::default(),
            Err(denied) => return Err(denied.refusal),
        };
        self.method.strip(parts);
        for (name, value) in &identity.headers {
            parts.headers.append(name, value.clone());
        }
        Ok(identity)
    }
}
