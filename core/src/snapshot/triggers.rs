//! The triggers of a configuration: connected and bound with the rest, started and stopped on their own.

use std::{collections::BTreeMap, future::Future, path::Path, sync::Arc};

use futures_util::{FutureExt, future::join_all};
use tokio::{runtime::Handle, time::timeout};

use super::{
    Connected, READY, Snapshot,
    load::{Bindings, CONNECT, destination_of, destinations_of},
};
use crate::{
    document::Flaw,
    error::{ErrorKind, UpstreamError, chain},
    gateway::Route,
    invocation::RouteInfo,
    plan::{NamedPlan, TargetPlan, TriggerPlan},
    routing::{Match, RouteTable, Rule},
    trigger::{DeadLetter, Entry, Named, Order, Runner, TriggerState},
    upstream::Context,
};

impl Snapshot {
    /// Begins to take messages. Without it no trigger does anything.
    pub fn start_triggers(&self) {
        self.triggers.iter().for_each(Runner::start);
    }

    /// Takes no more messages from now on; those that are worked on go on.
    pub fn stop_triggers(&self) {
        self.triggers.iter().for_each(|trigger| trigger.stop());
    }

    /// Takes no more messages, lets those that are worked on end until `over`, and returns the rest to their sources.
    /// Says how many were worked on then and had to be returned.
    pub async fn drain_triggers(&self, over: impl Future<Output = ()> + Send) -> usize {
        let over = over.shared();
        join_all(self.triggers.iter().map(|trigger| trigger.drain(over.clone()))).await.into_iter().sum()
    }

    /// Asks of every trigger whether messages can be expected to come.
    pub async fn triggers_ready(&self) -> BTreeMap<String, Result<(), UpstreamError>> {
        let asked = self.triggers.iter().map(|trigger| async move {
            let late = || UpstreamError::new(ErrorKind::Timeout, "its source did not say in time whether it is ready");
            let said = timeout(READY, trigger.ready()).await;
            (trigger.name().to_string(), said.unwrap_or_else(|_| Err(late())))
        });
        join_all(asked).await.into_iter().collect()
    }

    /// What the triggers do and did.
    pub fn triggers(&self) -> Vec<TriggerState> {
        self.triggers.iter().map(|trigger| trigger.state()).collect()
    }
}

/// What triggers are bound to.
pub(super) struct Around<'a> {
    pub(super) directory: &'a Path,
    pub(super) background: &'a Handle,
    pub(super) routes: &'a [Arc<Route>],
    pub(super) upstreams: &'a BTreeMap<String, Connected>,
}

/// Connects and binds the triggers of a plan.
pub(super) async fn load(
    plans: Vec<TriggerPlan>,
    around: &Around<'_>,
    bindings: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Vec<Arc<Runner>> {
    // What could not be bound was told, and is not connected.
    let bound: Vec<_> = plans.into_iter().filter_map(|plan| bind(plan, around, bindings, flaws)).collect();
    let mut triggers = Vec::new();
    for connected in join_all(bound.into_iter().map(|bound| connect(bound, around))).await {
        match connected {
            Ok(trigger) => triggers.push(trigger),
            Err(flaw) => flaws.push(flaw),
        }
    }
    triggers
}

/// A trigger that lacks nothing but its source.
struct Bound {
    plan: TriggerPlan,
    to: String,
    entry: Entry,
    dead_letter: Option<DeadLetter>,
}

fn bind(
    mut plan: TriggerPlan,
    around: &Around<'_>,
    bindings: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Bound> {
    let to = plan.shown();
    let info = Arc::new(RouteInfo { name: Arc::clone(&plan.name), path: "/".into(), tail: None });
    let entry = match plan.target.take() {
        TargetPlan::Functions(plans) => {
            destinations_of(plans, &info, around.upstreams, bindings, flaws).map(Entry::Functions)
        }
        TargetPlan::Route(plan) => by_name(*plan, &info, around.routes),
    };
    let dead_letter = match plan.dead_letter.take() {
        Some(plan) => {
            let destination = destination_of(plan, &info.name, around.upstreams, bindings, flaws)?;
            Some(DeadLetter(Route { info, destinations: vec![(1, destination)] }))
        }
        None => None,
    };
    Some(Bound { plan, to, entry: entry?, dead_letter })
}

async fn connect(bound: Bound, around: &Around<'_>) -> Result<Arc<Runner>, Flaw> {
    let Bound { plan, to, entry, dead_letter } = bound;
    let TriggerPlan { name, kind, config, keeps, concurrency, rate, retry, node, path, .. } = plan;
    let concurrency = concurrency.get();
    let context = Context::new(&name, around.directory, around.background.clone());
    let connected = timeout(CONNECT, kind.connect(config, concurrency, context.clone())).await;
    let late = || UpstreamError::new(ErrorKind::Timeout, "it was not set up in time");
    let kind = kind.name();
    let source = match connected.unwrap_or_else(|_| Err(late())) {
        Ok(source) => source,
        Err(error) => {
            context.end().await;
            let at = node.entry(kind).map_or(node.at, |(key, _)| key.at);
            return Err(Flaw::error(at, &path.key(kind), chain(&error)));
        }
    };
    let order = Order { name, kind, to, source, keeps, entry, concurrency, rate, retry, dead_letter, context };
    Ok(Runner::new(order))
}

/// `None` where the route could not be bound, which was told.
fn by_name(plan: NamedPlan, info: &Arc<RouteInfo>, routes: &[Arc<Route>]) -> Option<Entry> {
    let route = Arc::clone(routes.get(plan.route)?);
    let rule = Rule { host: None, matcher: Match::path(plan.path), order: 0, value: () };
    Some(Entry::Named(Box::new(Named {
        info: Arc::clone(info),
        route,
        steps: plan.steps,
        path: RouteTable::build(vec![rule]),
        method: plan.method,
        target: plan.target,
    })))
}
