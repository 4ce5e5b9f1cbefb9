//! The policies as they stand in the document, and merged for a route.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::Answering,
    cache::{CacheSettings, Keeping},
    circuit_breaker::{BreakerSettings, Circuit},
    concurrency::{ConcurrencySettings, Places},
    mirror::{Copies, MirrorSettings},
    retry::{Retry, RetrySettings},
    timeout::Times,
};
use crate::document::Size;

/// How much of a body is taken when no `limits.max_body` is given.
const DEFAULT_MAX_BODY: u64 = 10 << 20;

/// The policies that may stand in `defaults`, on a host, on a route and on an upstream: one list for all of them. Hands
/// their fields to the macro `$then`, behind what is for it.
///
/// A new policy is a line here, its settings type with [`Inherit`], and a field of [`Policies`].
macro_rules! policies {
    ($then:path { $($before:tt)* }) => {
        $then! {
            { $($before)* }
            /// How long the whole exchange may take, a streamed reply included; `{head: 30s}` bounds the time to the
            /// reply's head alone, `{attempt, idle}` that of one attempt and the pauses of a body. Default: `{head: 30s}`.
            timeout: $crate::policy::Timeout,
            /// When a call that failed is tried again. Default: never.
            retry: $crate::policy::RetrySettings,
            /// When an upstream that keeps failing is not called for a while. Default: never.
            circuit_breaker: $crate::policy::BreakerSettings,
            /// How many calls there may be at the upstream at once: a number, or `{limit, queue, wait}`. Default: any.
            concurrency: $crate::policy::ConcurrencySettings,
            /// Another function that gets a copy of requests. Default: none.
            mirror: $crate::policy::MirrorSettings,
            /// How much is taken.
            limits: $crate::policy::LimitSettings,
            /// Headers that every request and every answer gets or loses, the gateway's own failures included.
            headers: $crate::policy::HeaderSettings,
            /// Which pages of other origins may call. Default: none.
            cors: $crate::policy::CorsSettings,
            /// Replies are kept and given again, by HTTP's own rules: `true`, or how. Default: they are not.
            cache: $crate::policy::CacheSettings,
            /// Answers are compressed for clients that take it: `true`, or how. Default: they are passed on as they are.
            compression: $crate::policy::CompressionSettings,
            /// Who may come in: one of `api_key`, `basic`, `jwt`, `oidc`, `mtls` and `external`, several of them by `any` or
            /// `all`, or `none`. Default: everyone.
            auth: $crate::policy::AuthSettings,
            /// How often a client may come. Default: without limit.
            rate_limit: $crate::policy::RateLimitSettings,
        }
    };
}
pub(crate) use policies;

/// A settings struct of the document with the fields of every policy beside its own.
///
/// serde's `flatten` would lose the positions of what is wrong, and the names of the fields with them.
macro_rules! with_policies {
    ($($struct:tt)*) => {
        $crate::policy::policies! { $crate::policy::settings_with { $($struct)* } }
    };
}
pub(crate) use with_policies;

macro_rules! settings_with {
    (
        { $(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* } }
        $($(#[$policy_meta:meta])* $policy:ident: $settings:ty,)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            $($(#[$policy_meta])* #[serde(skip_serializing_if = "Option::is_none")] $policy: Option<$settings>,)*
        }

        impl $name {
            /// The policies that stand here.
            pub(crate) fn policies(&self) -> $crate::policy::PolicySettings {
                $crate::policy::PolicySettings { $($policy: self.$policy.clone(),)* }
            }
        }
    };
}
pub(crate) use settings_with;

macro_rules! policy_settings {
    ({} $($(#[$meta:meta])* $policy:ident: $settings:ty,)*) => {
        /// The policies of one level: `defaults`, a host, a route or an upstream. A field that is absent is inherited.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct PolicySettings {
            $($(#[$meta])* #[serde(skip_serializing_if = "Option::is_none")] pub(crate) $policy: Option<$settings>,)*
        }

        impl PolicySettings {
            /// The names of all policies.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($policy)),*];

            /// The names of those that are for calls of an upstream, and for nothing that the gateway answers itself.
            pub(crate) const OF_CALLS: [&str; 4] = ["retry", "circuit_breaker", "concurrency", "mirror"];

            /// These settings, and where they are silent the `outer` ones, field by field.
            pub(crate) fn or(self, outer: &Self) -> Self {
                Self { $($policy: self.$policy.inherit(&outer.$policy),)* }
            }
        }
    };
}
policies! { policy_settings {} }

/// What a policy takes from the level around it.
pub(crate) trait Inherit {
    /// These settings, and where they are silent the `outer` ones.
    fn inherit(self, outer: &Self) -> Self;
}

impl<T: Inherit + Clone> Inherit for Option<T> {
    fn inherit(self, outer: &Self) -> Self {
        match (self, outer) {
            (Some(own), Some(outer)) => Some(own.inherit(outer)),
            (own, outer) => own.or_else(|| outer.clone()),
        }
    }
}

/// How much is taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// The largest body: decoded bytes of one that is buffered, bytes on the wire of a streamed request. Default 10MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_body: Option<Size>,
}

impl Inherit for LimitSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self { max_body: self.max_body.or(outer.max_body) }
    }
}

impl PolicySettings {
    /// The settings of a route, defaults filled in.
    pub(crate) fn resolve(&self) -> Policies {
        let max_body = self.limits.as_ref().and_then(|limits| limits.max_body);
        Policies {
            timeout: self.timeout.unwrap_or_default().resolve(),
            max_body: max_body.map_or(DEFAULT_MAX_BODY, |size| size.bytes()),
            retry: self.retry.as_ref().and_then(RetrySettings::resolve),
            circuit_breaker: self.circuit_breaker.as_ref().map(BreakerSettings::resolve),
            concurrency: self.concurrency.as_ref().and_then(ConcurrencySettings::resolve),
            mirror: self.mirror.as_ref().and_then(MirrorSettings::resolve),
            cache: self.cache.as_ref().and_then(CacheSettings::resolve),
            answering: Answering::new(self.headers.as_ref(), self.cors.as_ref(), self.compression.as_ref()),
        }
    }
}

/// The policies of a route.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policies {
    pub(crate) timeout: Times,
    pub(crate) max_body: u64,
    pub(crate) retry: Option<Retry>,
    pub(crate) circuit_breaker: Option<Circuit>,
    pub(crate) concurrency: Option<Places>,
    pub(crate) mirror: Option<Copies>,
    pub(crate) cache: Option<Keeping>,
    /// What every answer gets.
    pub(crate) answering: Option<Arc<Answering>>,
}

impl Policies {
    /// Those that are in force where no upstream is called.
    pub(crate) fn without_calls(self) -> Self {
        Self { retry: None, circuit_breaker: None, concurrency: None, mirror: None, ..self }
    }

    /// The policies as they could stand in the document, for `callgate config`.
    pub(crate) fn effective(&self) -> Value {
        let mut effective = json!({
            "timeout": self.timeout.effective(),
            "limits": {"max_body": Size::from_bytes(self.max_body)},
            "retry": self.retry.as_ref().map(Retry::effective),
            "circuit_breaker": self.circuit_breaker.as_ref().map(Circuit::effective),
            "concurrency": self.concurrency.as_ref().map(Places::effective),
            "mirror": self.mirror.as_ref().map(Copies::effective),
            "cache": self.cache.as_ref().map(Keeping::effective),
        });
        if let (Some(fields), Some(answering)) = (effective.as_object_mut(), &self.answering) {
            fields.extend(answering.effective().clone());
        }
        effective
    }
}
