//! `rate_limit`: how often a client may come, counted here or together with other gateways.

mod buckets;
mod gcra;
mod key;
mod settings;
mod together;
mod told;

use std::sync::Arc;

use tokio::time::Instant;

pub(crate) use buckets::Buckets;
use buckets::{Identity, Table};
use key::Key;
pub(crate) use key::Visitor;
pub(crate) use settings::{Name, RateLimitPlan, RateLimitSettings};
use settings::{OnFailure, Quota};
pub(crate) use together::Shared;
pub(crate) use told::Told;

use super::denial::Denial;
use crate::{
    remote::{Draw, Drawn},
    respond::Code,
};

/// The limits of a route, ready to count.
#[derive(Debug)]
pub(crate) struct RateLimit {
    counted: Vec<Counted>,
    shared: Option<Arc<Shared>>,
    on_failure: OnFailure,
    headers: bool,
}

#[derive(Debug)]
struct Counted {
    quota: Quota,
    table: Arc<Table>,
    /// The beginning of the names of its buckets in Redis.
    prefix: String,
}

/// Which of the limits are counted: those that need not know who comes can be before that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    BeforeAuth,
    AfterAuth,
    Whole,
}

impl RateLimit {
    pub(crate) fn new(plan: RateLimitPlan, shared: Option<Arc<Shared>>, buckets: &Buckets) -> Self {
        let counted = |quota: Quota| {
            let limit = Identity { scope: Arc::clone(&plan.scope), by: quota.by.clone(), bucket: quota.bucket };
            // All limits of a scope are in the same slot of a cluster.
            let prefix = format!("callgate:{{{}}}:{}:{}:", plan.scope, quota.rate, quota.bucket.burst());
            Counted { table: buckets.table(&limit), prefix, quota }
        };
        Self {
            counted: plan.quotas.into_iter().map(counted).collect(),
            shared,
            on_failure: plan.on_failure,
            headers: plan.headers,
        }
    }

    /// Counts a request. `told` collects what the answer tells of it.
    pub(crate) async fn take(&self, turn: Turn, visitor: &Visitor<'_>, told: &mut Told) -> Result<(), Denial> {
        let due = |counted: &&Counted| match turn {
            Turn::BeforeAuth => counted.quota.by.is_told_by_connection(),
            Turn::AfterAuth => !counted.quota.by.is_told_by_connection(),
            Turn::Whole => true,
        };
        let due: Vec<_> =
            self.counted.iter().filter(due).map(|counted| (counted, visitor.key(&counted.quota.by))).collect();
        if due.is_empty() {
            return Ok(());
        }
        let together = match &self.shared {
            Some(shared) => shared.take(draws(&due)).await,
            None => None,
        };
        let drawn = match (together, &self.shared, self.on_failure) {
            (Some(drawn), ..) => drawn,
            (None, None, _) | (None, _, OnFailure::Local) => alone(&due),
            (None, _, OnFailure::Allow) => return Ok(()),
            (None, _, OnFailure::Deny) => {
                let detail = "The gateway can't tell at the moment whether this request is within its limits.";
                return Err(
                    Denial::new(Code::UpstreamUnavailable, detail).with_reason("the shared counters can't be asked")
                );
            }
        };
        for ((counted, _), drawn) in due.iter().zip(&drawn) {
            if self.headers {
                told.add(&counted.quota, *drawn);
            }
        }
        let refused = due.iter().zip(&drawn).filter(|(_, drawn)| !drawn.allowed);
        match refused.max_by_key(|(_, drawn)| drawn.retry_after) {
            None => Ok(()),
            Some(((counted, _), drawn)) => Err(refusal(&counted.quota, *drawn, told)),
        }
    }
}

fn refusal(quota: &Quota, drawn: Drawn, told: &Told) -> Denial {
    let detail = format!("This is more than {}, which is what is allowed here.", quota.rate);
    let mut refusal = Denial::new(Code::RateLimited, detail);
    told.write(&mut refusal.headers);
    told::retry_after(&mut refusal.headers, drawn.retry_after);
    refusal
}

/// Counts here. A request that one limit refuses takes nothing of the others.
fn alone(due: &[(&Counted, Key<'_>)]) -> Vec<Drawn> {
    let now = Instant::now();
    let drawn: Vec<_> = due.iter().map(|(counted, key)| counted.table.take(key, now)).collect();
    if drawn.iter().any(|drawn| !drawn.allowed) {
        for ((counted, key), _) in due.iter().zip(&drawn).filter(|(_, drawn)| drawn.allowed) {
            counted.table.put_back(key);
        }
    }
    drawn
}

fn draws(due: &[(&Counted, Key<'_>)]) -> Vec<Draw> {
    let draw = |(counted, key): &(&Counted, Key<'_>)| {
        let bucket = counted.quota.bucket;
        Draw::new(format!("{}{key}", counted.prefix), bucket.interval(), bucket.burst())
    };
    due.iter().map(draw).collect()
}
