//! One snapshot after another: what changes, and how the former one ends.

use std::{collections::BTreeMap, future::Future, mem, sync::Arc};

use futures_util::{FutureExt, future::join_all};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Connected, Snapshot,
    load::{Built, LoadError, build},
    reuse::Former,
    shown::Shown,
};
use crate::{
    document::Sources,
    gateway::{Gateway, Route},
    plan::Plan,
    routing::RouteTable,
    trigger::{Course, Runner},
    upstream::Context,
};

/// A snapshot that is ready to take the place of another.
pub struct Reloaded {
    snapshot: Snapshot,
    changes: Changes,
    /// What triggers that go on do with their messages from now on.
    courses: Vec<(Arc<Runner>, Course)>,
    former: Arc<Snapshot>,
}

/// What a reload does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// What becomes of the upstreams.
    pub upstreams: Turnover,
    /// What becomes of the triggers.
    pub triggers: Turnover,
}

/// What becomes of things that are connected, by name. What is replaced is opened and closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Turnover {
    /// Go on as they are.
    pub reused: Vec<String>,
    /// Connected anew.
    pub opened: Vec<String>,
    /// Closed once nothing uses them any more.
    pub closed: Vec<String>,
}

/// What the former snapshot alone used, until it is [retired](Self::retire).
pub struct Dropped {
    upstreams: BTreeMap<String, Arc<Connected>>,
    triggers: Vec<Arc<Runner>>,
    /// Triggers in the place of others, which end first.
    successors: Vec<Arc<Runner>>,
    /// What ran for the former snapshot's policies.
    policies: Context,
    ended: CancellationToken,
    _large: Large,
}

/// What of the former snapshot grows with its document. It is dropped here, rather than by the worker whose request ends
/// last: others would wait for that.
struct Large {
    _table: Arc<RouteTable<usize>>,
    _routes: Vec<Arc<Route>>,
    _shown: Arc<Shown>,
    _sources: Arc<Sources>,
}

impl Large {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            _table: Arc::clone(&snapshot.table),
            _routes: snapshot.routes.clone(),
            _shown: Arc::clone(&snapshot.shown),
            _sources: Arc::clone(&snapshot.sources),
        }
    }
}

impl Snapshot {
    /// Makes a snapshot of a plan that takes the place of another: upstreams and triggers that are made of the same go on,
    /// the others are connected. Nothing of the former one changes before the new one is
    /// [put in force](Reloaded::put_in_force).
    ///
    /// # Errors
    /// Everything that connecting and binding found wrong; what was connected by then is closed again.
    pub async fn reload(plan: Plan, former: Arc<Self>, background: &Handle) -> Result<Reloaded, LoadError> {
        let known = Former::of(Arc::clone(&former), background).await;
        let Built { snapshot, courses } = build(plan, &known, background).await?;
        let changes = Changes::between(&former, &snapshot);
        Ok(Reloaded { snapshot, changes, courses, former })
    }

    /// The upstreams that another snapshot lacks.
    fn upstreams_beside(&self, other: &Self) -> BTreeMap<String, Arc<Connected>> {
        let kept = |(name, connected): &(&String, &Arc<Connected>)| {
            other.upstreams.get(*name).is_some_and(|its| Arc::ptr_eq(its, connected))
        };
        let beside = self.upstreams.iter().filter(|upstream| !kept(upstream));
        beside.map(|(name, connected)| (name.clone(), Arc::clone(connected))).collect()
    }

    /// The triggers that another snapshot lacks.
    fn triggers_beside(&self, other: &Self) -> Vec<Arc<Runner>> {
        let runners = |snapshot: &Self| snapshot.triggers.iter().map(|active| Arc::clone(&active.runner)).collect();
        let (mut own, others): (Vec<_>, Vec<Arc<Runner>>) = (runners(self), runners(other));
        own.retain(|runner| !others.iter().any(|other| Arc::ptr_eq(runner, other)));
        own
    }
}

impl Changes {
    fn between(former: &Snapshot, next: &Snapshot) -> Self {
        let opened = next.upstreams_beside(former);
        let reused = next.upstreams.keys().filter(|name| !opened.contains_key(*name)).cloned().collect();
        let closed = former.upstreams_beside(next).into_keys().collect();
        let upstreams = Turnover { reused, opened: opened.into_keys().collect(), closed };
        let names = |runners: Vec<Arc<Runner>>| runners.iter().map(|runner| runner.name().to_string()).collect();
        let opened: Vec<String> = names(next.triggers_beside(former));
        let all = next.triggers.iter().map(|active| active.runner.name().to_string());
        let reused = all.filter(|name| !opened.contains(name)).collect();
        let triggers = Turnover { reused, opened, closed: names(former.triggers_beside(next)) };
        Self { upstreams, triggers }
    }
}

impl Reloaded {
    /// What it does.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Puts the snapshot in force: requests are served from it from now on, at once and as a whole. Requests that run stay
    /// on the former one.
    ///
    /// Triggers that are gone or changed take nothing more. New ones begin; one in the place of another begins when that
    /// has ended.
    pub fn put_in_force(self, gateway: &Gateway) -> Dropped {
        let Self { snapshot, courses, former, .. } = self;
        let snapshot = Arc::new(snapshot);
        gateway.replace(Arc::clone(&snapshot));
        for (runner, course) in courses {
            runner.follow(course);
        }
        for discovery in snapshot.discoveries.values() {
            discovery.takes_over();
        }
        let triggers = former.triggers_beside(&snapshot);
        triggers.iter().for_each(|gone| gone.stop());
        let replaces = |fresh: &Arc<Runner>| triggers.iter().any(|gone| gone.name() == fresh.name());
        let (successors, begin): (Vec<_>, Vec<_>) = snapshot.triggers_beside(&former).into_iter().partition(replaces);
        begin.iter().for_each(Runner::start);
        Dropped {
            upstreams: former.upstreams_beside(&snapshot),
            triggers,
            successors,
            policies: former.policies.clone(),
            ended: former.ended.clone(),
            _large: Large::of(&former),
        }
    }

    /// Closes what it alone has connected.
    pub async fn abandon(self) {
        let Self { snapshot, former, .. } = self;
        join_all(snapshot.triggers_beside(&former).iter().map(|runner| runner.close())).await;
        close(snapshot.upstreams_beside(&former)).await;
        snapshot.policies.end().await;
    }
}

impl Dropped {
    /// Lets triggers that are gone finish what they work on until `over`, and begins their successors. Says how many
    /// messages were worked on then and had to be returned.
    pub async fn drain_triggers(&mut self, over: impl Future<Output = ()> + Send) -> usize {
        let (triggers, over) = (mem::take(&mut self.triggers), over.shared());
        let each = triggers.iter().map(|trigger| (trigger, over.clone()));
        let drained = each.map(|(trigger, over)| async move {
            let returned = trigger.drain(over).await;
            if returned > 0 {
                let trigger = &**trigger.name();
                warn!(
                    trigger,
                    returned, "A trigger was replaced; messages that did not end in time went back to its source."
                );
            }
            trigger.close().await;
            returned
        });
        let returned = join_all(drained).await.into_iter().sum();
        mem::take(&mut self.successors).iter().for_each(Runner::start);
        returned
    }

    /// [Drains the triggers](Self::drain_triggers) that are still to be drained. Then waits, for as long as it takes, until
    /// the last request on the former snapshot has ended, streams and upgraded connections too, and closes the upstreams
    /// that are gone.
    pub async fn retire(mut self, over: impl Future<Output = ()> + Send) {
        self.drain_triggers(over).await;
        // Triggers use the former snapshot themselves.
        let Self { upstreams, policies, ended, .. } = self;
        ended.cancelled().await;
        close(upstreams).await;
        policies.end().await;
    }
}

async fn close(upstreams: BTreeMap<String, Arc<Connected>>) {
    join_all(upstreams.iter().map(|(name, connected)| connected.close(name))).await;
}

impl std::fmt::Debug for Reloaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloaded").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dropped").field("upstreams", &self.upstreams.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
