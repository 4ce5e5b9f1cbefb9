//! What upstreams and triggers last said of whether they are ready.
//!
//! Who asks the admin never waits for a remote that hangs: a look asks all of them beside the requests, and what is not
//! said in time is told as it was last known. Probes that come often share a look.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use callgate_core::{Snapshot, UpstreamError};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout_at},
};

/// What the admin knows of readiness. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<Option<Look>>>);

/// How well it has to be known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// A look that began longer ago than this, and has ended, is done anew.
    pub(super) age: Duration,
    /// How long after its begin a look is waited for.
    pub(super) patience: Duration,
}

/// What upstreams or triggers said: nothing, or why they are not ready. Who has not said it yet is not among them.
pub(super) type Said = BTreeMap<String, Result<(), String>>;

/// What is known.
#[derive(Debug, Clone, Default)]
pub(super) struct States {
    pub(super) upstreams: Said,
    pub(super) triggers: Said,
    /// All have said it in this look.
    whole: bool,
}

/// All of a configuration's upstreams and triggers asked once.
#[derive(Debug, Clone)]
struct Look {
    /// It does not keep the configuration in use.
    of: Weak<Snapshot>,
    begun: Instant,
    states: watch::Receiver<States>,
}

impl Looks {
    /// What is known of this configuration. Begins a look where none is recent enough, on the runtime that this is called in.
    pub(super) async fn states(&self, snapshot: &Arc<Snapshot>, need: Need) -> States {
        let mut look = self.look(snapshot, need.age);
        let whole = look.states.wait_for(|states| states.whole);
        // Whether it is whole, late or gone with its runtime: what it has is what is known.
        drop(timeout_at(look.begun + need.patience, whole).await);
        look.states.borrow().clone()
    }

    fn look(&self, snapshot: &Arc<Snapshot>, age: Duration) -> Look {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let former = last.take().filter(|look| Weak::ptr_eq(&look.of, &Arc::downgrade(snapshot)));
        let look = match former {
            Some(look) if look.serves(age) => look,
            former => Look::begin(snapshot, former),
        };
        last.insert(look).clone()
    }
}

impl Look {
    /// Whether it goes on, or ended not too long ago.
    fn serves(&self, age: Duration) -> bool {
        let goes_on = !self.states.borrow().whole && self.states.has_changed().is_ok();
        goes_on || self.begun.elapsed() <= age
    }

    fn begin(snapshot: &Arc<Snapshot>, former: Option<Self>) -> Self {
        let known = former.map(|look| States { whole: false, ..look.states.borrow().clone() });
        let (tell, states) = watch::channel(known.unwrap_or_default());
        Handle::current().spawn(ask(Arc::clone(snapshot), tell));
        Self { of: Arc::downgrade(snapshot), begun: Instant::now(), states }
    }
}

/// Asks all of them, and tells each as it answers. None takes longer than the core lets it.
async fn ask(snapshot: Arc<Snapshot>, tell: watch::Sender<States>) {
    let said = |ready: Result<(), UpstreamError>| ready.map_err(|error| snapshot.reason(&error));
    tokio::join!(
        snapshot.each_ready(|name, ready| {
            let said = said(ready);
            tell.send_modify(|states| drop(states.upstreams.insert(name, said)));
        }),
        snapshot.each_trigger_ready(|name, ready| {
            let said = said(ready);
            tell.send_modify(|states| drop(states.triggers.insert(name, said)));
        }),
    );
    tell.send_modify(|states| states.whole = true);
}

#[cfg(test)]
mod tests {
    use std::{
        future,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use callgate_core::{
        Context, Echo, Invalid, Invocation, Registry, Response, Upstream,
        document::{Document, System},
        plan::Plan,
    };

    use super::*;

    /// How often the kind `aloof` was asked whether it is ready.
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    /// A kind that never says whether it is ready, as one whose remote takes no connections.
    struct Aloof;

    impl Upstream for Aloof {
        const KIND: &'static str = "aloof";
        const SUMMARY: &'static str = "never says whether it is ready";
        type Config = <Echo as Upstream>::Config;
        type Target = <Echo as Upstream>::Target;
        type Function = ();

        async fn connect(_: Self::Config, _: Context) -> Result<Self, UpstreamError> {
            Ok(Self)
        }

        fn bind(&self, _: Self::Target) -> Result<(), Invalid> {
            Ok(())
        }

        async fn call(&self, (): &(), _: Invocation) -> Result<Response, UpstreamError> {
            future::pending().await
        }

        async fn ready(&self) -> Result<(), UpstreamError> {
            ASKED.fetch_add(1, Ordering::Relaxed);
            future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_remote_that_hangs_is_not_waited_for_and_not_asked_by_every_probe() {
        let text =
            "upstreams: {near: {echo: {}}, far: {aloof: {}}}\nroutes: [{match: /a, to: near}, {match: /b, to: far}]";
        let document = Document::parse("test.yaml", text, &System).unwrap_or_else(|report| panic!("{report}"));
        let plan = Plan::read(&document, &Registry::new().with::<Aloof>()).unwrap_or_else(|report| panic!("{report}"));
        let snapshot = Arc::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
        let need = Need { age: Duration::from_secs(5), patience: Duration::from_millis(200) };
        let looks = Looks::default();
        let probe = async || {
            let begun = Instant::now();
            let states = looks.states(&snapshot, need).await;
            (states.upstreams, begun.elapsed(), ASKED.load(Ordering::Relaxed))
        };
        let (known, took, asked) = probe().await;
        assert_eq!((known.get("near"), known.get("far"), asked), (Some(&Ok(())), None, 1));
        assert!(took < Duration::from_millis(300), "{took:?}");

        let (_, took, asked) = probe().await;
        assert_eq!((took, asked), (Duration::ZERO, 1), "the look that goes on is shared");

        tokio::time::sleep(Duration::from_secs(10)).await;
        let (known, took, asked) = probe().await;
        assert_eq!(known["far"], Err("it did not say in time whether it is ready".to_owned()), "as it was last known");
        assert!(took < Duration::from_millis(300) && asked == 2, "{took:?} {asked}");
    }
}
