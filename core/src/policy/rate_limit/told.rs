//! What replies tell of the limits: `x-ratelimit-*` as everyone knows it, and the fields of the IETF's draft
//! (draft-ietf-httpapi-ratelimit-headers).

use std::{fmt::Write as _, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::settings::Quota;
use crate::remote::Drawn;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The limits with what came of a request, the tightest one as the classical headers have it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    tightest: Option<(u32, Drawn)>,
    policy: String,
    state: String,
}

impl Told {
    pub(super) fn add(&mut self, quota: &Quota, drawn: Drawn) {
        let (burst, whole) = (quota.bucket.burst(), seconds(quota.bucket.whole()));
        let share = |(burst, drawn): &(u32, Drawn)| {
            (drawn.allowed, f64::from(drawn.remaining) / f64::from(*burst), std::cmp::Reverse(drawn.retry_after))
        };
        let candidate = (burst, drawn);
        if self.tightest.as_ref().is_none_or(|tightest| share(&candidate) < share(tightest)) {
            self.tightest = Some(candidate);
        }
        let comma = if self.policy.is_empty() { "" } else { ", " };
        let reset = seconds(if drawn.allowed { drawn.reset } else { drawn.retry_after });
        // Writing to a string can't fail.
        write!(self.policy, "{comma}\"{}\";q={burst};w={whole}", quota.rate).ok();
        write!(self.state, "{comma}\"{}\";r={};t={reset}", quota.rate, drawn.remaining).ok();
    }

    /// Adds the headers to those of an answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Some((burst, drawn)) = self.tightest else { return };
        headers.insert(LIMIT, burst.into());
        headers.insert(REMAINING, drawn.remaining.into());
        headers.insert(RESET, seconds(drawn.reset).into());
        for (name, text) in [(POLICY, &self.policy), (STATE, &self.state)] {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// When to come again.
pub(super) fn retry_after(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(header::RETRY_AFTER, seconds(wait).max(1).into());
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::policy::rate_limit::RateLimitSettings;

    #[test]
    fn the_tightest_limit_is_told_in_the_old_way_and_all_in_the_new_one() {
        let limits = json!({"limits": [{"limit": "10/s"}, {"limit": "60/m", "burst": 5}]});
        let plan = from_value::<RateLimitSettings>(limits).unwrap().resolve().unwrap().unwrap();
        let mut told = Told::default();
        let drawn = |remaining, reset| Drawn {
            allowed: true,
            remaining,
            reset: Duration::from_millis(reset),
            retry_after: Duration::ZERO,
        };
        told.add(&plan.quotas[0], drawn(9, 100));
        told.add(&plan.quotas[1], drawn(1, 3600));
        let mut headers = HeaderMap::new();
        told.write(&mut headers);
        assert_eq!([&headers[LIMIT], &headers[REMAINING], &headers[RESET]], ["5", "1", "4"]);
        assert_eq!(headers[POLICY], "\"10/s\";q=10;w=1, \"60/m\";q=5;w=5");
        assert_eq!(headers[STATE], "\"10/s\";r=9;t=1, \"60/m\";r=1;t=4");
    }
}
