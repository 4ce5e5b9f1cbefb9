//! From a plan to a snapshot: connect, bind, stack.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::timeout};

use super::{
    Connected, Snapshot,
    discovery::{self, Named},
    triggers,
};
use crate::{
    builtin::Respond,
    document::{Flaw, Report, Sources},
    error::{ErrorKind, UpstreamError, chain},
    gateway::{Destination, Route},
    invocation::RouteInfo,
    plan::{Action, DestinationPlan, Plan, RoutePlan, UpstreamPlan},
    policy::stack,
    upstream::{Context, Function, flaw},
};

/// How long the set-up of one upstream may take. It waits for no remote, so this is plenty.
pub(super) const CONNECT: Duration = Duration::from_secs(30);

/// Why a plan could not be put in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Settings or targets that only connecting could show to be wrong.
    #[error("{0}")]
    Invalid(Report),
}

impl Snapshot {
    /// Connects the upstreams of a plan and binds its targets. `background` runs the upstreams' tasks.
    ///
    /// # Errors
    /// Everything that connecting and binding found wrong; what was connected by then is closed again.
    pub async fn load(plan: Plan, background: &Handle) -> Result<Self, LoadError> {
        let mut flaws = Vec::new();
        let sources = plan.sources();
        let selected = |(name, plan): (&String, &UpstreamPlan)| Some((name.clone(), plan.discovery.clone()?));
        let selections = plan.upstreams.iter().filter_map(selected).collect();
        let upstreams = connect(plan.upstreams, &plan.directory, background, &mut flaws).await;
        let mut snapshot = Self {
            table: plan.table,
            routes: Vec::new(),
            upstreams,
            triggers: Vec::new(),
            discoveries: BTreeMap::new(),
            sources: Arc::clone(&sources),
        };
        let mut named = Vec::new();
        for route in plan.routes {
            snapshot.routes.extend(bind(route, &snapshot.upstreams, &mut named, &mut flaws).map(Arc::new));
        }
        let around = triggers::Around {
            directory: &plan.directory,
            background,
            routes: &snapshot.routes,
            upstreams: &snapshot.upstreams,
        };
        snapshot.triggers = triggers::load(plan.triggers, &around, &mut named, &mut flaws).await;
        if flaws.is_empty() {
            snapshot.discoveries = discovery::start(selections, &snapshot.upstreams, named);
            return Ok(snapshot);
        }
        snapshot.close().await;
        Err(LoadError::Invalid(report(flaws, sources)))
    }
}

pub(super) fn report(flaws: Vec<Flaw>, sources: Arc<Sources>) -> Report {
    Report::new(flaws, sources)
}

async fn connect(
    plans: BTreeMap<String, UpstreamPlan>,
    directory: &Path,
    background: &Handle,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<String, Connected> {
    let connecting = plans.into_iter().map(|(name, plan)| async move {
        let connected = connect_one(&name, plan, directory, background).await?;
        Ok((name, connected))
    });
    let mut upstreams = BTreeMap::new();
    for connected in futures_util::future::join_all(connecting).await {
        match connected {
            Ok((name, connected)) => drop(upstreams.insert(name, connected)),
            Err(found) => flaws.push(found),
        }
    }
    upstreams
}

/// Sets up one upstream.
pub(super) async fn connect_one(
    name: &str,
    plan: UpstreamPlan,
    directory: &Path,
    background: &Handle,
) -> Result<Connected, Flaw> {
    let context = Context::new(name, directory, background.clone());
    let key = plan.path.key(plan.kind.name());
    let at = plan.node.entry(plan.kind.name()).map_or(plan.node.at, |(key, _)| key.at);
    let connected = timeout(CONNECT, plan.kind.connect(plan.config, context.clone()));
    match connected.await.unwrap_or_else(|_| Err(UpstreamError::new(ErrorKind::Timeout, "it was not set up in time"))) {
        Ok(upstream) => Ok(Connected { upstream, context }),
        Err(error) => {
            context.end().await;
            Err(Flaw::error(at, &key, chain(&error)))
        }
    }
}

fn bind(
    plan: RoutePlan,
    upstreams: &BTreeMap<String, Connected>,
    named: &mut Vec<Named>,
    flaws: &mut Vec<Flaw>,
) -> Option<Route> {
    destinations_of(plan.destinations, &plan.info, upstreams, named, flaws)
}

/// Binds all destinations of a route or a trigger; `None` when one of them can't be.
pub(super) fn destinations_of(
    plans: Vec<DestinationPlan>,
    info: &Arc<RouteInfo>,
    upstreams: &BTreeMap<String, Connected>,
    named: &mut Vec<Named>,
    flaws: &mut Vec<Flaw>,
) -> Option<Route> {
    let mut sum = 0;
    let mut destinations = Vec::new();
    let mut complete = true;
    for destination in plans {
        sum += destination.weight;
        match destination_of(destination, &info.name, upstreams, named, flaws) {
            Some(destination) => destinations.push((sum, destination)),
            None => complete = false,
        }
    }
    complete.then(|| Route { info: Arc::clone(info), destinations })
}

pub(super) fn destination_of(
    plan: DestinationPlan,
    route: &Arc<str>,
    upstreams: &BTreeMap<String, Connected>,
    named: &mut Vec<Named>,
    flaws: &mut Vec<Flaw>,
) -> Option<Destination> {
    let function: Arc<dyn Function> = match plan.action {
        Action::Respond => Arc::new(Respond),
        Action::Redirect(redirect) => Arc::new(redirect),
        Action::Call(call) => {
            let call = *call;
            // An upstream that could not be connected was told already.
            let connected = upstreams.get(&call.upstream)?;
            match Arc::clone(&connected.upstream).bind(call.target) {
                Ok(function) => {
                    named.extend(function.listed_as().map(|listed| Named {
                        function: listed,
                        route: Arc::clone(route),
                        at: call.node.at,
                        path: call.path.clone(),
                        upstream: call.upstream,
                    }));
                    function
                }
                Err(invalid) => {
                    flaws.push(flaw(&call.node, &call.path, invalid));
                    return None;
                }
            }
        }
    };
    Some(stack(plan.policies, plan.pipelines, function))
}
