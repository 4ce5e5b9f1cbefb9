//! From a plan to a snapshot: connect, bind, stack.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::timeout};

use super::{Connected, Snapshot};
use crate::{
    builtin::Respond,
    document::{Flaw, Report, Sources},
    error::{ErrorKind, UpstreamError, chain},
    gateway::{Destination, Route},
    plan::{Action, DestinationPlan, Plan, RoutePlan, UpstreamPlan},
    policy::stack,
    upstream::{Context, Function, flaw},
};

/// How long the set-up of one upstream may take. It waits for no remote, so this is plenty.
const CONNECT: Duration = Duration::from_secs(30);

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
        let upstreams = connect(plan.upstreams, &plan.directory, background, &mut flaws).await;
        let mut snapshot = Self { table: plan.table, routes: Vec::new(), upstreams };
        for route in plan.routes {
            snapshot.routes.extend(bind(route, &snapshot.upstreams, &mut flaws).map(Arc::new));
        }
        if flaws.is_empty() {
            return Ok(snapshot);
        }
        snapshot.close().await;
        Err(LoadError::Invalid(report(flaws, sources)))
    }
}

fn report(flaws: Vec<Flaw>, sources: Arc<Sources>) -> Report {
    Report::new(flaws, sources)
}

async fn connect(
    plans: BTreeMap<String, UpstreamPlan>,
    directory: &Path,
    background: &Handle,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<String, Connected> {
    let connecting = plans.into_iter().map(|(name, plan)| async move {
        let context = Context::new(&name, directory, background.clone());
        let key = plan.path.key(plan.kind.name());
        let at = plan.node.entry(plan.kind.name()).map_or(plan.node.at, |(key, _)| key.at);
        let connected = timeout(CONNECT, plan.kind.connect(plan.config, context.clone()));
        match connected
            .await
            .unwrap_or_else(|_| Err(UpstreamError::new(ErrorKind::Timeout, "it was not set up in time")))
        {
            Ok(upstream) => Ok((name, Connected { upstream, context })),
            Err(error) => {
                context.end().await;
                Err(Flaw::error(at, &key, chain(&error)))
            }
        }
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

fn bind(plan: RoutePlan, upstreams: &BTreeMap<String, Connected>, flaws: &mut Vec<Flaw>) -> Option<Route> {
    let mut sum = 0;
    let mut destinations = Vec::new();
    let mut complete = true;
    for destination in plan.destinations {
        sum += destination.weight;
        match destination_of(destination, upstreams, flaws) {
            Some(destination) => destinations.push((sum, destination)),
            None => complete = false,
        }
    }
    complete.then_some(Route { info: plan.info, destinations })
}

fn destination_of(
    plan: DestinationPlan,
    upstreams: &BTreeMap<String, Connected>,
    flaws: &mut Vec<Flaw>,
) -> Option<Destination> {
    let function: Arc<dyn Function> = match plan.action {
        Action::Respond => Arc::new(Respond),
        Action::Redirect(redirect) => Arc::new(redirect),
        Action::Call(call) => {
            // An upstream that could not be connected was told already.
            let connected = upstreams.get(&call.upstream)?;
            match Arc::clone(&connected.upstream).bind(call.target) {
                Ok(function) => function,
                Err(invalid) => {
                    flaws.push(flaw(&call.node, &call.path, invalid));
                    return None;
                }
            }
        }
    };
    Some(stack(plan.policies, plan.pipelines, function))
}
