//! The triggers of a configuration: connected and bound with the rest, started and stopped on their own.

use std::{collections::BTreeMap, future::Future, path::Path, sync::Arc};

use futures_util::{FutureExt, future::join_all};
use tokio::{runtime::Handle, time::timeout};

use super::{
    Connected, InUse, MadeOf, READY, Said, Snapshot,
    load::{Bindings, CONNECT, destination_of, destinations_of},
    reuse::Former,
};
use crate::{
    document::{Flaw, NamedFiles, Node},
    error::{ErrorKind, UpstreamError, chain},
    gateway::Route,
    invocation::RouteInfo,
    plan::{NamedPlan, TargetPlan, TriggerPlan},
    routing::{Match, RouteTable, Rule},
    trigger::{Course, DeadLetter, Entry, Named, Order, Runner, TriggerState},
    upstream::{Context, Files},
};

impl Snapshot {
    /// Begins to take messages. Without it no trigger does anything.
    pub fn start_triggers(&self) {
        self.triggers.iter().for_each(|trigger| trigger.runner.start());
    }

    /// Takes no more messages from now on; those that are worked on go on.
    pub fn stop_triggers(&self) {
        self.triggers.iter().for_each(|trigger| trigger.runner.stop());
    }

    /// Takes no more messages, lets those that are worked on end until `over`, and returns the rest to their sources.
    /// Says how many were worked on then and had to be returned.
    pub async fn drain_triggers(&self, over: impl Future<Output = ()> + Send) -> usize {
        let over = over.shared();
        join_all(self.triggers.iter().map(|trigger| trigger.runner.drain(over.clone()))).await.into_iter().sum()
    }

    /// Asks of every trigger whether messages can be expected to come, and tells what each says as it says it. Ends when
    /// all have.
    pub async fn each_trigger_ready(&self, tell: impl Fn(String, Result<(), UpstreamError>) + Sync) {
        let tell = &tell;
        let asked = self.triggers.iter().map(|trigger| async move {
            let late = || UpstreamError::new(ErrorKind::Timeout, "its source did not say in time whether it is ready");
            let said = timeout(READY, trigger.runner.ready()).await;
            tell(trigger.runner.name().to_string(), said.unwrap_or_else(|_| Err(late())));
        });
        join_all(asked).await;
    }

    /// Asks of every trigger whether messages can be expected to come, and waits for all.
    pub async fn triggers_ready(&self) -> BTreeMap<String, Result<(), UpstreamError>> {
        let said = Said::default();
        self.each_trigger_ready(|name, ready| said.tell(name, ready)).await;
        said.all()
    }

    /// What the triggers do and did.
    pub fn triggers(&self) -> Vec<TriggerState> {
        self.triggers.iter().map(|trigger| trigger.runner.state()).collect()
    }
}

/// A trigger, and what it was made of.
pub(super) struct Active {
    pub(super) runner: Arc<Runner>,
    pub(super) made_of: Arc<MadeOf>,
}

/// What triggers are bound to.
pub(super) struct Around<'a> {
    pub(super) directory: &'a Path,
    pub(super) background: &'a Handle,
    pub(super) named: &'a Arc<NamedFiles>,
    pub(super) routes: &'a [Arc<Route>],
    pub(super) upstreams: &'a BTreeMap<String, Arc<Connected>>,
    pub(super) former: &'a Former,
    pub(super) in_use: &'a InUse,
}

/// The triggers of a plan.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) triggers: Vec<Active>,
    /// Those that go on, with what they do from now on.
    pub(super) courses: Vec<(Arc<Runner>, Course)>,
}

/// Connects and binds the triggers of a plan.
pub(super) async fn load(
    plans: Vec<TriggerPlan>,
    around: &Around<'_>,
    bindings: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Loaded {
    // What could not be bound was told, and is not connected.
    let bound: Vec<_> = plans.into_iter().filter_map(|plan| bind(plan, around, bindings, flaws)).collect();
    let mut loaded = Loaded::default();
    let mut new = Vec::new();
    for bound in bound {
        match around.former.trigger(&bound.plan.name, &bound.settings) {
            Some(active) => {
                active.made_of.files.carry_over(around.named);
                loaded.courses.push((Arc::clone(&active.runner), bound.course));
                loaded
                    .triggers
                    .push(Active { runner: Arc::clone(&active.runner), made_of: Arc::clone(&active.made_of) });
            }
            None => new.push(connect(bound, around)),
        }
    }
    for connected in join_all(new).await {
        match connected {
            Ok(trigger) => loaded.triggers.push(trigger),
            Err(flaw) => flaws.push(flaw),
        }
    }
    loaded
}

/// A trigger that lacks nothing but its source.
struct Bound {
    plan: TriggerPlan,
    /// What decides whether it can go on over a reload. The rest is part of the course.
    settings: Node,
    course: Course,
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
    let kind = plan.kind.name();
    let (settings, _) = plan.node.split(&[kind, "concurrency", "rate"]);
    let _in_use = around.in_use.clone();
    let course = Course { to, entry: entry?, retry: plan.retry.clone(), dead_letter, _in_use };
    Some(Bound { plan, settings, course })
}

async fn connect(bound: Bound, around: &Around<'_>) -> Result<Active, Flaw> {
    let Bound { plan, settings, course } = bound;
    let TriggerPlan { name, kind, config, keeps, concurrency, rate, node, path, .. } = plan;
    let concurrency = concurrency.get();
    let files = Files::within(around.directory, Arc::clone(around.named));
    let context = Context::over(&name, files.clone(), around.background.clone());
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
    let order = Order { name, kind, source, keeps, concurrency, rate, course, context };
    Ok(Active { runner: Runner::new(order), made_of: Arc::new(MadeOf { settings, files }) })
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
