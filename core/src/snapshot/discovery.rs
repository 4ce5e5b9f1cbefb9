//! The functions that upstreams say they have, beside those that routes name.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use super::{Connected, reuse::Former};
use crate::{
    document::{DocPath, Flaw, Report, Sources, Span, nearest},
    error::{ErrorKind, UpstreamError, chain},
    plan::Selection,
    upstream::{AnyUpstream, Discovered},
};

/// How long an upstream may take to list its functions.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause after the first failure; each further one doubles it, up to `every`.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How many names a line of the log holds.
const MOST_NAMES: usize = 20;

/// A function that a route names, by the name under which its upstream would list it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) upstream: String,
    pub(super) function: String,
    pub(super) route: Arc<str>,
    pub(super) at: Span,
    pub(super) path: DocPath,
}

/// What an upstream that is asked for its functions says.
#[derive(Debug)]
pub struct Found {
    /// The functions, by name.
    pub functions: Arc<[Discovered]>,
    /// Routes that name a function which is not there.
    pub missing: Report,
}

pub(super) type Answer = Result<Arc<[Discovered]>, Arc<UpstreamError>>;

/// The discovery of one upstream, as one configuration sees it.
#[derive(Debug)]
pub(super) struct Discovery {
    asking: Arc<Asking>,
    wanted: Arc<Wanted>,
}

/// What asks an upstream for its functions, until no configuration wants it any more or the upstream is closed.
#[derive(Debug)]
struct Asking {
    latest: watch::Receiver<Option<Answer>>,
    /// What the configuration in force wants.
    wanted: Arc<ArcSwap<Wanted>>,
    _until_dropped: DropGuard,
}

/// The functions that are looked for: those of the selection, and of them those that routes name.
#[derive(Debug)]
struct Wanted {
    upstream: String,
    selection: Selection,
    named: Vec<Named>,
}

/// Starts to ask those upstreams for their functions whose document says so; those that are asked already go on.
pub(super) fn start(
    selections: BTreeMap<String, Selection>,
    upstreams: &BTreeMap<String, Arc<Connected>>,
    former: &Former,
    mut named: Vec<Named>,
) -> BTreeMap<String, Discovery> {
    let mut started = BTreeMap::new();
    for (upstream, selection) in selections {
        let Some(connected) = upstreams.get(&upstream) else { continue };
        let own =
            named.extract_if(.., |named| named.upstream == upstream && selection.takes(&named.function)).collect();
        let wanted = Arc::new(Wanted { upstream: upstream.clone(), selection, named: own });
        let asked = former.discovery(&upstream, connected).filter(|asked| asked.wanted.selection == wanted.selection);
        let asking = asked.map_or_else(|| Asking::start(connected, &wanted), |asked| Arc::clone(&asked.asking));
        started.insert(upstream, Discovery { asking, wanted });
    }
    started
}

impl Asking {
    fn start(connected: &Connected, wanted: &Arc<Wanted>) -> Arc<Self> {
        let (sender, latest) = watch::channel(None);
        let wanted = Arc::new(ArcSwap::from(Arc::clone(wanted)));
        let stop = CancellationToken::new();
        let asking = ask_for_ever(Arc::clone(&connected.upstream), Arc::clone(&wanted), sender);
        connected.context.spawn(stop.clone().run_until_cancelled_owned(asking).map(drop));
        Arc::new(Self { latest, wanted, _until_dropped: stop.drop_guard() })
    }
}

impl Discovery {
    /// What the upstream said last, if it has said anything yet.
    pub(super) fn latest(&self) -> Option<Answer> {
        self.asking.latest.borrow().clone()
    }

    /// Its configuration is in force now. Where the upstream was asked before, what is missing of what routes name anew is
    /// told at once.
    pub(super) fn takes_over(&self) {
        let former = self.asking.wanted.swap(Arc::clone(&self.wanted));
        if Arc::ptr_eq(&former, &self.wanted) {
            return;
        }
        if let Some(Ok(functions)) = &*self.asking.latest.borrow() {
            let known = |function: &str| former.named.iter().any(|named| named.function == function);
            self.wanted.warn(functions, |function| !known(function));
        }
    }

    /// What the upstream says; waits for its first answer.
    pub(super) async fn found(&self, sources: &Arc<Sources>) -> Result<Found, Arc<UpstreamError>> {
        let ended = || UpstreamError::new(ErrorKind::Unavailable, "the upstream is closed");
        let mut latest = self.asking.latest.clone();
        let answer = match latest.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone(),
            Err(_) => None,
        };
        let functions = answer.unwrap_or_else(|| Err(Arc::new(ended())))?;
        let missing = self.wanted.missing(&functions).map(|named| self.wanted.flaw(named, &functions)).collect();
        Ok(Found { missing: Report::new(missing, Arc::clone(sources)), functions })
    }
}

impl Wanted {
    /// What routes name and the list lacks.
    fn missing<'a>(&'a self, functions: &'a [Discovered]) -> impl Iterator<Item = &'a Named> {
        self.named.iter().filter(|named| !holds(functions, &named.function))
    }

    fn flaw(&self, named: &Named, functions: &[Discovered]) -> Flaw {
        let Named { upstream, function, .. } = named;
        let flaw = Flaw::error(
            named.at,
            &named.path,
            format!("there is no function `{function}` at the upstream `{upstream}`"),
        );
        match nearest(function, functions.iter().map(Discovered::name)) {
            Some(near) => flaw.with_hint(format!("did you mean `{near}`?")),
            None if functions.is_empty() => flaw.with_hint("it has no functions at all"),
            None => flaw.with_hint(format!("it has {}", listed(functions.iter().map(Discovered::name)))),
        }
    }

    /// Warns of routes to functions that are not there, where that is news.
    fn warn(&self, functions: &[Discovered], is_news: impl Fn(&str) -> bool) {
        let mut routes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for named in self.missing(functions) {
            if is_news(&named.function) {
                routes.entry(&named.function).or_default().push(&named.route);
            }
        }
        for (function, routes) in routes {
            warn!(
                upstream = self.upstream,
                function,
                routes = listed(routes.into_iter()),
                "Routes name a function that is not there."
            );
        }
    }
}

/// Asks, tells what changed, and asks again.
async fn ask_for_ever(
    upstream: Arc<dyn AnyUpstream>,
    wanted: Arc<ArcSwap<Wanted>>,
    latest: watch::Sender<Option<Answer>>,
) {
    let mut known: Option<Arc<[Discovered]>> = None;
    let mut failures = 0_u32;
    loop {
        let answer = ask(&*upstream, &wanted.load_full().selection).await.map_err(Arc::new);
        let wanted = wanted.load_full();
        match &answer {
            Ok(functions) => {
                tell(&wanted, functions, known.as_deref(), failures > 0);
                known = Some(Arc::clone(functions));
                failures = 0;
            }
            Err(error) => {
                if failures == 0 {
                    let error = chain(&**error);
                    warn!(upstream = wanted.upstream, error, "The functions of an upstream can't be listed.");
                }
                failures = failures.saturating_add(1);
            }
        }
        latest.send_replace(Some(answer));
        sleep(pause(wanted.selection.every, failures)).await;
    }
}

/// The functions of an upstream that are looked for, by name.
pub(super) async fn ask(upstream: &dyn AnyUpstream, selection: &Selection) -> Result<Arc<[Discovered]>, UpstreamError> {
    let listed = timeout(PATIENCE, upstream.discover()).await;
    let mut functions = listed
        .unwrap_or_else(|_| Err(UpstreamError::new(ErrorKind::Timeout, "it did not list its functions in time")))?;
    functions.retain(|function| selection.takes(function.name()));
    functions.sort_by(|one, other| one.name().cmp(other.name()));
    functions.dedup_by(|one, other| one.name() == other.name());
    Ok(functions.into())
}

/// Writes to the log what an answer brings.
fn tell(wanted: &Wanted, functions: &[Discovered], known: Option<&[Discovered]>, failed: bool) {
    let upstream = &*wanted.upstream;
    wanted.warn(functions, |function| known.is_none_or(|known| holds(known, function)));
    let Some(known) = known else {
        info!(upstream, functions = functions.len(), "The functions of an upstream are known.");
        return;
    };
    let (came, went) = (without(functions, known), without(known, functions));
    if !came.is_empty() || !went.is_empty() {
        let (came, went) = (listed(came.into_iter()), listed(went.into_iter()));
        info!(upstream, functions = functions.len(), came, went, "The functions of an upstream changed.");
    } else if failed {
        info!(upstream, functions = functions.len(), "The functions of an upstream can be listed again.");
    }
}

/// After a failure the remote is asked sooner than usual, at a time that gateways do not share.
fn pause(every: Duration, failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return every };
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(every);
    pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

fn holds(functions: &[Discovered], name: &str) -> bool {
    functions.binary_search_by(|function| function.name().cmp(name)).is_ok()
}

/// The names of the first list that the second lacks.
fn without<'a>(these: &'a [Discovered], those: &[Discovered]) -> Vec<&'a str> {
    these.iter().map(Discovered::name).filter(|name| !holds(those, name)).collect()
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let mut text = names.take(MOST_NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;
