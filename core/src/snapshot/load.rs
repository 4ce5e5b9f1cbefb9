//! From a plan to a snapshot: connect, bind, stack.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{runtime::Handle, time::timeout};

use super::{
    Connected, InUse, MadeOf, Shown, Snapshot,
    discovery::{self, Named},
    reuse::Former,
    triggers,
};
use crate::{
    builtin::{Publication, Published, Respond},
    document::{Flaw, NamedFiles, Node, Report, Sources},
    error::{ErrorKind, UpstreamError, chain},
    gateway::{Destination, Route},
    invocation::RouteInfo,
    metrics::{Labels, Metrics},
    plan::{Action, DestinationPlan, Plan, RoutePlan, UpstreamPlan},
    policy::{Copies, Entrance, Guards, Mirror, admitted, stack},
    trigger::{Course, Runner},
    upstream::{Context, Files, Function, flaw},
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
        build(plan, &Former::none(), background).await.map(|built| built.snapshot)
    }

    /// Closes what a former snapshot lacks.
    async fn close_beside(&self, former: &Former) {
        let triggers = self.triggers.iter().filter(|active| !former.has_trigger(active));
        join_all(triggers.map(|active| active.runner.close())).await;
        let upstreams = self.upstreams.iter().filter(|(_, connected)| !former.has(connected));
        join_all(upstreams.map(|(name, connected)| connected.close(name))).await;
        self.policies.end().await;
    }
}

/// A snapshot that was made of a plan.
pub(super) struct Built {
    pub(super) snapshot: Snapshot,
    /// What triggers that go on do from now on.
    pub(super) courses: Vec<(Arc<Runner>, Course)>,
}

/// Connects, binds and stacks, and goes on with what the former snapshot has already.
pub(super) async fn build(plan: Plan, former: &Former, background: &Handle) -> Result<Built, LoadError> {
    let mut flaws = Vec::new();
    let (sources, masks) = (plan.sources(), plan.masks.clone());
    let shown = Arc::new(Shown { routes: plan.route_list(), summary: plan.summary(), effective: plan.effective });
    let selected = |(name, plan): (&String, &UpstreamPlan)| Some((name.clone(), plan.discovery.clone()?));
    let selections = plan.upstreams.iter().filter_map(selected).collect();
    let (in_use, ended) = InUse::new();
    let files = Files::within(&plan.directory, Arc::clone(sources.named()));
    let policies = Context::over("policies", files, background.clone());
    let mut snapshot = Snapshot {
        table: Arc::new(plan.table),
        routes: Vec::new(),
        observers: former.observers(),
        in_use,
        ended,
        upstreams: connect(plan.upstreams, former, sources.named(), background, &mut flaws).await,
        triggers: Vec::new(),
        policies: policies.clone(),
        discoveries: BTreeMap::new(),
        sources: Arc::clone(&sources),
        masks,
        shown,
    };
    let entrance = Entrance::new(&plan.remotes, &policies, &plan.memory);
    let mut bound = Bindings::new(entrance, Arc::clone(&snapshot.observers.metrics));
    let published: Vec<_> = plan.routes.iter().filter_map(Published::of).collect();
    for route in plan.routes {
        snapshot.routes.extend(bind(route, &snapshot.upstreams, &mut bound, &mut flaws).map(Arc::new));
    }
    bound.publish(published);
    let around = triggers::Around {
        directory: &plan.directory,
        background,
        named: sources.named(),
        routes: &snapshot.routes,
        upstreams: &snapshot.upstreams,
        former,
        in_use: &snapshot.in_use,
    };
    let triggers::Loaded { triggers, courses } = triggers::load(plan.triggers, &around, &mut bound, &mut flaws).await;
    snapshot.triggers = triggers;
    snapshot.trace_triggers();
    if flaws.is_empty() {
        snapshot.discoveries = discovery::start(selections, &snapshot.upstreams, former, bound.named);
        return Ok(Built { snapshot, courses });
    }
    snapshot.close_beside(former).await;
    flaws.iter_mut().for_each(|flaw| plan.masks.flaw(flaw));
    Err(LoadError::Invalid(report(flaws, sources)))
}

/// What binding finds out beside the routes themselves.
pub(super) struct Bindings<'a> {
    /// What lets requests in to the routes.
    entrance: Entrance<'a>,
    /// Functions by the names of discovery.
    named: Vec<Named>,
    /// The functions of each route, by its name.
    functions: Vec<(Arc<str>, Arc<dyn Function>)>,
    /// What the routes that publish the document show.
    published: Arc<OnceLock<Vec<Published>>>,
    /// What counts the requests.
    metrics: Arc<Metrics>,
}

impl<'a> Bindings<'a> {
    fn new(entrance: Entrance<'a>, metrics: Arc<Metrics>) -> Self {
        Self { entrance, named: Vec::new(), functions: Vec::new(), published: Arc::default(), metrics }
    }

    /// Gives the routes that publish the document what they show: every route with the first of its functions.
    fn publish(&self, routes: Vec<Published>) {
        if Arc::strong_count(&self.published) == 1 {
            return;
        }
        let function = |route: &Published| {
            let of_route = |(name, _): &&(Arc<str>, _)| route.is_of(name);
            self.functions.iter().find(of_route).map(|(_, function)| Arc::clone(function))
        };
        self.published.get_or_init(|| {
            let whole = |route: Published| {
                let function = function(&route);
                route.with_function(function)
            };
            routes.into_iter().map(whole).collect()
        });
    }
}

pub(super) fn report(flaws: Vec<Flaw>, sources: Arc<Sources>) -> Report {
    Report::new(flaws, sources)
}

async fn connect(
    plans: BTreeMap<String, UpstreamPlan>,
    former: &Former,
    named: &NamedFiles,
    background: &Handle,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<String, Arc<Connected>> {
    let connecting = plans.into_iter().map(|(name, plan)| async move {
        if let Some(connected) = former.upstream(&name, &settings_of(&plan)) {
            connected.made_of.files.carry_over(named);
            return Ok((name, Arc::clone(connected)));
        }
        let connected = connect_one(&name, plan, background).await?;
        Ok((name, Arc::new(connected)))
    });
    let mut upstreams = BTreeMap::new();
    for connected in join_all(connecting).await {
        match connected {
            Ok((name, connected)) => drop(upstreams.insert(name, connected)),
            Err(found) => flaws.push(found),
        }
    }
    upstreams
}

/// What of an upstream's node decides whether it can go on over a reload: its kind's settings. All else is part of the
/// routes.
fn settings_of(plan: &UpstreamPlan) -> Node {
    plan.node.split(&[plan.kind.name()]).0
}

/// Sets up one upstream.
pub(super) async fn connect_one(name: &str, plan: UpstreamPlan, background: &Handle) -> Result<Connected, Flaw> {
    let made_of = MadeOf { settings: settings_of(&plan), files: plan.files.clone() };
    let context = Context::over(name, plan.files, background.clone());
    let kind = plan.kind.name();
    let key = plan.path.key(kind);
    let at = plan.node.entry(kind).map_or(plan.node.at, |(key, _)| key.at);
    let connected = timeout(CONNECT, plan.kind.connect(plan.config, context.clone()));
    match connected.await.unwrap_or_else(|_| Err(UpstreamError::new(ErrorKind::Timeout, "it was not set up in time"))) {
        Ok(upstream) => Ok(Connected { upstream, kind, context, guards: Guards::new(name), made_of }),
        Err(error) => {
            context.end().await;
            Err(Flaw::error(at, &key, chain(&error)))
        }
    }
}

fn bind(
    plan: RoutePlan,
    upstreams: &BTreeMap<String, Arc<Connected>>,
    bound: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Route> {
    destinations_of(plan.destinations, &plan.info, upstreams, bound, flaws)
}

/// Binds all destinations of a route or a trigger; `None` when one of them can't be.
pub(super) fn destinations_of(
    plans: Vec<DestinationPlan>,
    info: &Arc<RouteInfo>,
    upstreams: &BTreeMap<String, Arc<Connected>>,
    bound: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Route> {
    let mut sum = 0;
    let mut destinations = Vec::new();
    let mut complete = true;
    for destination in plans {
        sum += destination.weight;
        match destination_of(destination, &info.name, upstreams, bound, flaws) {
            Some(destination) => destinations.push((sum, destination)),
            None => complete = false,
        }
    }
    complete.then(|| Route { info: Arc::clone(info), destinations })
}

pub(super) fn destination_of(
    plan: DestinationPlan,
    route: &Arc<str>,
    upstreams: &BTreeMap<String, Arc<Connected>>,
    bound: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Destination> {
    let mut guards = None;
    let (mut upstream, kind) = (Arc::from(""), kind_of(&plan.action, upstreams));
    let function: Arc<dyn Function> = match plan.action {
        Action::Respond => Arc::new(Respond),
        Action::Redirect(redirect) => Arc::new(redirect),
        Action::Openapi(openapi) => {
            let (settings, host) = *openapi;
            Arc::new(Publication::new(settings, host, Arc::clone(&bound.published)))
        }
        Action::Call(call) => {
            let call = *call;
            // An upstream that could not be connected was told already.
            let connected = upstreams.get(&call.upstream)?;
            guards = Some(&connected.guards);
            upstream = Arc::from(call.upstream.as_str());
            match Arc::clone(&connected.upstream).bind(call.target) {
                Ok(function) => {
                    bound.named.extend(function.listed_as().map(|listed| Named {
                        function: listed,
                        route: Arc::clone(route),
                        at: call.node.at,
                        path: call.path.clone(),
                        upstream: call.upstream,
                    }));
                    bound.functions.push((Arc::clone(route), Arc::clone(&function)));
                    function
                }
                Err(invalid) => {
                    let declared = call.declared.as_ref().and_then(|declared| declared.path_of(&invalid.field));
                    flaws.push(flaw(&call.node, declared.unwrap_or(&call.path), invalid));
                    return None;
                }
            }
        }
    };
    // Behind the function itself, which is the one that stands for the route.
    let mirror = match (plan.mirror, &plan.policies.mirror) {
        (Some(mirror), Some(copies)) => Some(mirror_of(*mirror, copies.clone(), route, upstreams, bound, flaws)?),
        _ => None,
    };
    let series = bound.metrics.series(Labels { route: Arc::clone(route), upstream, kind });
    let pipelines = Arc::new(plan.pipelines);
    let destination = stack(plan.policies, &pipelines, function, series, guards, mirror);
    match bound.entrance.admission(plan.access.as_deref()) {
        Ok(Some(admission)) => Some(admitted(destination, admission, pipelines)),
        Ok(None) => Some(destination),
        Err(invalid) => {
            flaws.push(*invalid);
            None
        }
    }
}

/// Binds where the copies of a destination's requests go.
fn mirror_of(
    plan: DestinationPlan,
    copies: Copies,
    route: &Arc<str>,
    upstreams: &BTreeMap<String, Arc<Connected>>,
    bound: &mut Bindings<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Mirror> {
    let Action::Call(call) = &plan.action else { return None };
    let context = upstreams.get(&call.upstream)?.context.clone();
    Some(Mirror::new(copies, destination_of(plan, route, upstreams, bound, flaws)?, context))
}

/// What answers, as metrics name it.
fn kind_of(action: &Action, upstreams: &BTreeMap<String, Arc<Connected>>) -> &'static str {
    match action {
        Action::Respond => "respond",
        Action::Redirect(_) => "redirect",
        Action::Openapi(_) => "openapi",
        Action::Call(call) => upstreams.get(&call.upstream).map_or("", |connected| connected.kind),
    }
}
