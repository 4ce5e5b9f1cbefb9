//! The connections to a broker: a common one, and one of each worker.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use futures_util::future::join_all;

use super::{Context, PerWorker, parting::Parting};
use crate::error::UpstreamError;

/// Whose calls go through a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of all workers that have none of their own.
    Common,
    /// Those of one worker.
    Worker,
}

/// A connection to a broker with all that belongs to it.
pub trait Link: Send + Sync + Sized + 'static {
    /// What it is opened by.
    type Settings: Send + Sync + 'static;

    /// Begins to connect. Its tasks are started by [`Context::spawn`], and so live where the context's do.
    fn open(
        settings: Arc<Self::Settings>,
        whose: Whose,
        context: Context,
    ) -> impl Future<Output = Result<Self, UpstreamError>> + Send;

    /// Whether messages can be sent through it now.
    fn is_up(&self) -> bool;

    /// Sends what is queued and lets the connection go. May be called again: by the worker that ends, then with all others.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The connections of one upstream.
///
/// The common one lives beside the workers and is there from the load on. A worker that has calls makes one for itself: a
/// message that leaves on the thread that its request came in on wakes no other one. Until it stands, whenever it is lost, and
/// where a broker allows no more connections, the worker's calls go through the common one.
pub struct Links<L: Link> {
    common: L,
    own: Option<PerWorker<Arc<OnceLock<L>>>>,
    settings: Arc<L::Settings>,
    context: Context,
}

impl<L: Link> Links<L> {
    /// Begins to connect. With `per_worker`, workers make connections of their own.
    ///
    /// # Errors
    /// Those of [`Link::open`].
    pub async fn open(settings: L::Settings, per_worker: bool, context: Context) -> Result<Self, UpstreamError> {
        let settings = Arc::new(settings);
        let common = L::open(Arc::clone(&settings), Whose::Common, context.clone()).await?;
        Ok(Self { common, own: per_worker.then(PerWorker::default), settings, context })
    }

    /// The connection beside the workers.
    pub fn common(&self) -> &L {
        &self.common
    }

    /// The connection for a call on this thread.
    pub fn here(&self) -> &L {
        let place = self.own.as_ref().and_then(PerWorker::here);
        let own = place.and_then(|place| place.get_or_init(|| self.begin()).get());
        own.filter(|own| own.is_up()).unwrap_or(&self.common)
    }

    /// Lets all connections go, at once: a broker that is silent makes each of them wait.
    pub async fn close(&self) {
        let own = self.own.iter().flat_map(PerWorker::all).filter_map(|own| own.get());
        join_all(own.chain([&self.common]).map(Link::close)).await;
    }

    /// Has the calling worker make a connection of its own, which goes when the worker ends.
    fn begin(&self) -> Arc<OnceLock<L>> {
        let place = Arc::new(OnceLock::new());
        let Some(context) = self.context.here() else { return place };
        let (made, settings) = (Arc::clone(&place), Arc::clone(&self.settings));
        let Parting { begun, tasks } = Parting::here();
        self.context.spawn_here(tasks.track_future(async move {
            let upstream = context.name().to_owned();
            let opened = tokio::select! {
                opened = L::open(settings, Whose::Worker, context) => opened,
                () = begun.cancelled() => return,
            };
            match opened {
                Ok(link) => {
                    let link = made.get_or_init(|| link);
                    begun.cancelled().await;
                    link.close().await;
                }
                Err(error) => {
                    tracing::warn!(upstream, error = %error, "A worker can't make a connection of its own; the common one serves its calls.");
                }
            }
        }));
        place
    }
}

impl<L: Link> fmt::Debug for Links<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("upstream", &self.context.name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
        time::Duration,
    };

    use crate::{error::ErrorKind, metrics::count_apart, upstream::part_from_brokers};
    use tokio::{
        runtime::{Builder, Runtime},
        time::Instant,
    };

    use super::*;

    /// A connection that knows how many were made before it, and the thread that it lives on.
    struct Numbered {
        number: u32,
        thread: std::thread::ThreadId,
        up: AtomicBool,
    }

    /// A connection whose broker does not answer the goodbye.
    const SILENT: u32 = 2;

    struct Counter {
        made: AtomicU32,
        most: u32,
    }

    impl Link for Numbered {
        type Settings = Counter;

        async fn open(settings: Arc<Counter>, whose: Whose, context: Context) -> Result<Self, UpstreamError> {
            let number = settings.made.fetch_add(1, SeqCst);
            assert_eq!(whose == Whose::Common, number == 0);
            if number >= settings.most {
                return Err(UpstreamError::new(ErrorKind::Unavailable, "no more connections"));
            }
            let (told, thread) = tokio::sync::oneshot::channel();
            context.spawn(async move { told.send(std::thread::current().id()).unwrap() });
            Ok(Self { number, thread: thread.await.unwrap(), up: AtomicBool::new(true) })
        }

        fn is_up(&self) -> bool {
            self.up.load(SeqCst)
        }

        async fn close(&self) {
            self.up.store(false, SeqCst);
            if self.number == SILENT {
                std::future::pending::<()>().await;
            }
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// Calls a worker's links until those of its own are made, or its attempt is over.
    fn worker(links: &Links<Numbered>, made: u32) -> u32 {
        count_apart(0);
        runtime().block_on(async {
            assert_eq!(links.here().number, 0, "the common one serves until there is another");
            while links.settings.made.load(SeqCst) < made {
                tokio::task::yield_now().await;
            }
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            links.here().number
        })
    }

    fn links(background: &Runtime, most: u32) -> Links<Numbered> {
        let context = Context::new("u", std::path::Path::new("."), background.handle().clone());
        let settings = Counter { made: AtomicU32::new(0), most };
        background.block_on(Links::open(settings, true, context)).unwrap()
    }

    #[test]
    fn a_worker_uses_its_own_connection_while_it_stands() {
        let background = runtime();
        let links = links(&background, 9);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(worker(&links, 2), 1);
                assert_eq!(links.here().thread, std::thread::current().id());
                links.here().up.store(false, SeqCst);
                assert_eq!(links.here().number, 0);
            });
        });
        assert_eq!(links.here().number, 0, "no worker");
    }

    /// A worker with a connection of its own, which ends.
    fn ended(links: &Links<Numbered>, worker: usize) -> (&Numbered, Duration) {
        count_apart(worker);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            while links.here().number == 0 {
                tokio::task::yield_now().await;
            }
            let (own, begun) = (links.here(), Instant::now());
            part_from_brokers().await;
            (own, begun.elapsed())
        })
    }

    #[test]
    fn a_worker_that_ends_lets_its_own_connection_go_and_waits_for_no_silent_broker() {
        let background = runtime();
        let links = links(&background, 9);
        for worker in 0..2 {
            let (own, took) = std::thread::scope(|scope| scope.spawn(|| ended(&links, worker)).join().unwrap());
            assert!(!own.is_up());
            assert_eq!(own.number == SILENT, took > Duration::ZERO, "{took:?}");
            assert!(took <= Duration::from_secs(1), "{took:?}");
        }
        assert!(links.common().is_up());
    }

    #[test]
    fn a_worker_that_gets_no_connection_goes_on_with_the_common_one() {
        let background = runtime();
        let links = links(&background, 1);
        std::thread::scope(|scope| scope.spawn(|| assert_eq!(worker(&links, 2), 0)).join().unwrap());
    }
}
