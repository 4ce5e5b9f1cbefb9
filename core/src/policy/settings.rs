//! The policies as they stand in the document, and merged for a route.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time_limit::Timeout;
use crate::document::Size;

/// How long the reply's head may take when no `timeout` is given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a body is taken when no `limits.max_body` is given.
const DEFAULT_MAX_BODY: u64 = 10 << 20;

/// The policies of one level: `defaults`, a host, a route or an upstream. A field that is absent is inherited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicySettings {
    /// How long the whole exchange may take, a streamed reply included; `{head: 30s}` bounds the time to the reply's
    /// head alone. Default: `{head: 30s}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Timeout>,
    /// How much is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<LimitSettings>,
}

/// A settings struct of the document with the fields of every policy beside its own.
///
/// serde's `flatten` would lose the positions of what is wrong, and the names of the fields with them.
macro_rules! with_policies {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            /// How long the whole exchange may take; `{head: 30s}` bounds the time to the reply's head alone. Default:
            /// `{head: 30s}`.
            #[serde(skip_serializing_if = "Option::is_none")]
            timeout: Option<$crate::policy::Timeout>,
            /// How much is taken.
            #[serde(skip_serializing_if = "Option::is_none")]
            limits: Option<$crate::policy::LimitSettings>,
        }

        impl $name {
            /// The policies that stand here.
            pub(crate) fn policies(&self) -> $crate::policy::PolicySettings {
                $crate::policy::PolicySettings { timeout: self.timeout, limits: self.limits.clone() }
            }
        }
    };
}
pub(crate) use with_policies;

/// How much is taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// The largest body: decoded bytes of one that is buffered, bytes on the wire of a streamed request. Default 10MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_body: Option<Size>,
}

impl PolicySettings {
    /// These settings, and where they are silent the `outer` ones, field by field.
    pub(crate) fn or(self, outer: &Self) -> Self {
        let limits = match (self.limits, &outer.limits) {
            (Some(own), Some(outer)) => Some(LimitSettings { max_body: own.max_body.or(outer.max_body) }),
            (own, outer) => own.or_else(|| outer.clone()),
        };
        Self { timeout: self.timeout.or(outer.timeout), limits }
    }

    /// The settings of a route, defaults filled in.
    pub(crate) fn resolve(&self) -> Policies {
        let max_body = self.limits.as_ref().and_then(|limits| limits.max_body);
        Policies {
            timeout: self.timeout.unwrap_or(Timeout::Head(DEFAULT_TIMEOUT)),
            max_body: max_body.map_or(DEFAULT_MAX_BODY, |size| size.bytes()),
        }
    }
}

/// The policies of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policies {
    pub(crate) timeout: Timeout,
    pub(crate) max_body: u64,
}
