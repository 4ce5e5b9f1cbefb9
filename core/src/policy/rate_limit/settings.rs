//! `rate_limit`, as it stands in the document.

use std::{borrow::Cow, num::NonZeroU32, sync::Arc, time::Duration};

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::gcra::Bucket;
use crate::{
    document::{HELP, Period, Rate, Secret},
    policy::settings::Inherit,
    upstream::Invalid,
};

/// How long Redis may take when no `timeout` is given.
const DEFAULT_TIMEOUT: Period = Period::from_millis(100);

/// The shortest time from one request to the next that a limit may ask for: a million per second.
const FINEST: Duration = Duration::from_micros(1);

/// How often a client may come.
///
/// The limit is one of requests that reach the level it is written on: all of `defaults`, of a host, of a route or to an
/// upstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RateLimitSettings {
    /// So many requests per second, minute, hour or day: `100/s`, `1000/m`. `none` lifts a limit from around.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// How many may come at once after a pause. Default: the number of `limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
    /// Who is counted. Default: `client`.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// Several limits, in place of one; a request has to be within all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Vec<QuotaSettings>>,
    /// The Redis server, `redis://host:6379/0` or `rediss://...`, in which gateways count together. Default: each
    /// gateway counts alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Secret>,
    /// How long Redis may take. Default: 100ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Period>,
    /// What holds while Redis can't be asked. Default: `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<OnFailure>,
    /// Whether replies tell how much is left, by `x-ratelimit-*` and `ratelimit`. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<bool>,
    /// The level on which the limit is written.
    #[serde(skip)]
    scope: Option<Arc<str>>,
}

/// One of several limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaSettings {
    /// So many requests per second, minute, hour or day.
    limit: Rate,
    /// How many may come at once after a pause. Default: the number of `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
    /// Who is counted. Default: `client`.
    #[serde(default)]
    by: By,
}

/// A rate, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit(Option<Rate>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rate = if text == "none" { None } else { Some(text.parse().map_err(D::Error::custom)?) };
        Ok(Self(rate))
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(rate) => rate.serialize(serializer),
            None => serializer.serialize_str("none"),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"const": "none"}, generator.subschema_for::<Rate>()]})
    }
}

/// Who is counted: requests with the same one share a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The client's address, of an IPv6 address the first 64 bits.
    #[default]
    Client,
    /// Whoever `auth` found out: the name of a key or user, the `sub` of a token. Else the client's address.
    Principal,
    /// The name of the API key. Else the client's address.
    ApiKey,
    /// The value of this header. Else the client's address.
    Header(Name),
    /// The value of this claim. Else the client's address.
    Claim(String),
    /// Nobody in particular: each route has one bucket.
    Route,
    /// Nobody in particular: there is one bucket.
    All,
}

impl By {
    /// Whether there is more than one bucket.
    pub(crate) const fn has_keys(&self) -> bool {
        !matches!(self, Self::All)
    }

    /// Whether it can be told before anyone was asked who comes.
    pub(super) const fn is_told_by_connection(&self) -> bool {
        matches!(self, Self::Client)
    }
}

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name(pub(crate) HeaderName);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |_| {
            D::Error::custom(format!(
                "`{text}` is no name of a header{HELP}names have letters, digits and `-`: `x-tenant`"
            ))
        };
        HeaderName::try_from(&*text).map(Self).map_err(wrong)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HeaderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "The name of a header"})
    }
}

/// What holds while Redis can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// No limit.
    Allow,
    /// Every request is refused.
    Deny,
    /// The same limit, counted by each gateway alone.
    Local,
}

/// The nearest `limit` or `limits` holds, with its `burst`; all else is inherited field by field.
impl Inherit for RateLimitSettings {
    fn inherit(self, outer: &Self) -> Self {
        let inherits = self.limit.is_none() && self.limits.is_none();
        let outer = outer.clone();
        Self {
            limit: if inherits { outer.limit } else { self.limit },
            limits: if inherits { outer.limits } else { self.limits },
            burst: self.burst.or(outer.burst.filter(|_| inherits)),
            scope: if inherits { outer.scope } else { self.scope },
            by: self.by.or(outer.by),
            shared: self.shared.or(outer.shared),
            timeout: self.timeout.or(outer.timeout),
            on_failure: self.on_failure.or(outer.on_failure),
            headers: self.headers.or(outer.headers),
        }
    }
}

/// The limits of a route.
#[derive(Debug, Clone)]
pub(crate) struct RateLimitPlan {
    /// At least one.
    pub(super) quotas: Vec<Quota>,
    pub(super) scope: Arc<str>,
    shared: Option<Secret>,
    timeout: Duration,
    pub(super) on_failure: OnFailure,
    pub(super) headers: bool,
}

impl RateLimitPlan {
    /// The Redis server, and how long it may take.
    pub(crate) fn shared(&self) -> Option<(&Secret, Duration)> {
        self.shared.as_ref().map(|url| (url, self.timeout))
    }
}

/// One limit.
#[derive(Debug, Clone)]
pub(super) struct Quota {
    pub(super) rate: Rate,
    pub(super) bucket: Bucket,
    pub(super) by: By,
}

impl RateLimitSettings {
    /// Says on which level it is written.
    pub(crate) fn place(&mut self, scope: &str) {
        self.scope = Some(scope.into());
    }

    /// The limits with their defaults; `None` without one.
    pub(crate) fn resolve(&self) -> Result<Option<RateLimitPlan>, Invalid> {
        let one = |rate: Rate, burst: Option<NonZeroU32>, by: &By| {
            if rate.interval() < FINEST {
                return Err(Invalid::new(format!(
                    "`{rate}` is more than a million per second, which no limit can hold"
                )));
            }
            let bucket = Bucket::new(rate.interval(), burst.unwrap_or(rate.count()).get());
            Ok(Quota { rate, bucket, by: by.clone() })
        };
        let quotas = match (self.limit, &self.limits) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("there is either `limit` or `limits`, not both").at("limits"));
            }
            (None, Some(limits)) => limits.iter().map(|quota| one(quota.limit, quota.burst, &quota.by)).collect(),
            (Some(Limit(Some(rate))), None) => {
                one(rate, self.burst, &self.by.clone().unwrap_or_default()).map(|quota| vec![quota])
            }
            (Some(Limit(None)) | None, None) => Ok(Vec::new()),
        }?;
        if self.shared.as_ref().is_some_and(|url| !url.expose().starts_with("redis")) {
            let invalid = Invalid::new("`shared` is no URL of a Redis server").at("shared");
            return Err(invalid.hint("write `redis://host:6379`, or `rediss://host:6379` for TLS"));
        }
        Ok((!quotas.is_empty()).then(|| RateLimitPlan {
            quotas,
            scope: self.scope.clone().unwrap_or_default(),
            shared: self.shared.clone(),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT).get(),
            on_failure: self.on_failure.unwrap_or(OnFailure::Local),
            headers: self.headers.unwrap_or(true),
        }))
    }

    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> Self {
        let one = self.limit.is_some();
        let mut effective = self.clone();
        if one {
            effective.by.get_or_insert_default();
        }
        if let (Some(Limit(Some(rate))), None) = (effective.limit, effective.burst) {
            effective.burst = Some(rate.count());
        }
        if effective.shared.is_some() {
            effective.timeout.get_or_insert(DEFAULT_TIMEOUT);
            effective.on_failure.get_or_insert(OnFailure::Local);
        }
        effective.headers.get_or_insert(true);
        effective
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn settings(written: serde_json::Value) -> RateLimitSettings {
        from_value(written).unwrap()
    }

    #[test]
    fn one_limit_fills_its_defaults_in() {
        let plan = settings(json!({"limit": "100/m"})).resolve().unwrap().unwrap();
        let quota = &plan.quotas[0];
        assert_eq!((quota.bucket.burst(), quota.bucket.interval()), (100, Duration::from_millis(600)));
        assert_eq!((&quota.by, plan.on_failure, plan.headers), (&By::Client, OnFailure::Local, true));
        let effective = to_value(settings(json!({"limit": "5/s", "shared": "redis://a"})).effective()).unwrap();
        let expected = json!({"limit": "5/s", "burst": 5, "by": "client", "shared": "***", "timeout": "100ms",
            "on_failure": "local", "headers": true});
        assert_eq!(effective, expected);
    }

    #[test]
    fn a_list_counts_each_in_its_way() {
        let by_tenant = json!({"limit": "10/s", "by": {"header": "X-Tenant"}});
        let settings =
            settings(json!({"limits": [by_tenant, {"limit": "1000/h", "burst": 7, "by": {"claim": "sub"}}]}));
        let plan = settings.resolve().unwrap().unwrap();
        assert_eq!(plan.quotas[0].by, By::Header(Name(HeaderName::from_static("x-tenant"))));
        assert_eq!((&plan.quotas[1].by, plan.quotas[1].bucket.burst()), (&By::Claim("sub".to_owned()), 7));
    }

    #[test]
    fn a_level_inherits_field_by_field_and_a_limit_brings_its_burst_and_scope() {
        let mut outer = settings(json!({"limit": "10/s", "burst": 50, "by": "all", "shared": "redis://a"}));
        outer.place("defaults");
        let mut inner = settings(json!({"limit": "5/s"}));
        inner.place("route a");
        let plan = inner.inherit(&outer).resolve().unwrap().unwrap();
        assert_eq!((plan.quotas[0].bucket.burst(), &plan.quotas[0].by, &*plan.scope), (5, &By::All, "route a"));
        assert!(plan.shared.is_some());
        let mut inner = settings(json!({"on_failure": "deny"}));
        inner.place("route a");
        let plan = inner.inherit(&outer).resolve().unwrap().unwrap();
        assert_eq!((plan.quotas[0].bucket.burst(), plan.on_failure, &*plan.scope), (50, OnFailure::Deny, "defaults"));
        assert!(settings(json!({"limit": "none"})).inherit(&outer).resolve().unwrap().is_none());
        assert!(settings(json!({"shared": "redis://a"})).resolve().unwrap().is_none());
    }

    #[test]
    fn what_can_not_be_is_told() {
        for (wrong, part) in [
            (json!({"limit": "5/s", "limits": []}), "not both"),
            (json!({"limit": "2000000/s"}), "million"),
            (json!({"limit": "5/s", "shared": "http://a"}), "Redis"),
        ] {
            let invalid = settings(wrong).resolve().unwrap_err();
            assert!(invalid.message.contains(part), "{invalid}");
        }
        for wrong in [json!({"limit": "many"}), json!({"by": {"header": "a b"}}), json!({"by": "nobody"})] {
            assert!(from_value::<RateLimitSettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
