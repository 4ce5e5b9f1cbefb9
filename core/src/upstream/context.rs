//! What the core gives to an upstream at connect.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Files,
    gauge::{Gauges, PoolGauge, TokenGauge},
};

/// The surroundings of an upstream: its name, and the only way to start tasks. Tasks belong to the core: they end when
/// the upstream is closed, so that a reload that is rolled back leaks nothing.
#[derive(Debug, Clone)]
pub struct Context {
    name: Arc<str>,
    files: Files,
    background: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    gauges: Arc<Gauges>,
}

impl Context {
    /// A context for the upstream of this name; relative files are looked up in `directory`, background tasks run on
    /// `background`.
    pub fn new(name: &str, directory: &Path, background: Handle) -> Self {
        Self::over(name, Files::new(directory), background)
    }

    /// A context whose files are noted here.
    pub(crate) fn over(name: &str, files: Files, background: Handle) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self { name: name.into(), files, background, tasks, stop, gauges: Arc::default() }
    }

    /// The upstream's name in the document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file that the settings name: relative paths start at the document's folder. A change of it replaces the
    /// upstream. To be called before the file is read.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.files.file(path)
    }

    /// A file, or a folder, whose changes the kind notices by itself: they replace nothing.
    pub fn live_file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.files.directory().join(path)
    }

    /// A gauge for a pool of connections, whose numbers operators see as the upstream's.
    #[must_use]
    pub fn pool(&self) -> Arc<PoolGauge> {
        self.gauges.pool()
    }

    /// A gauge for a token, or another credential that ends. `what` tells it from the upstream's others in metrics, and is
    /// no secret; the same text is the same gauge.
    #[must_use]
    pub fn token(&self, what: &str) -> Arc<TokenGauge> {
        self.gauges.token(what)
    }

    pub(crate) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Starts a task beside the workers: brokers' connections, refreshes, supervision of processes.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn_on(self.stop.clone().run_until_cancelled_owned(task), &self.background);
    }

    /// Starts a task on the runtime of the caller, where its sockets live: the driver of a connection that calls use,
    /// the two directions of an upgraded connection.
    pub fn spawn_here<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(task));
    }

    /// The same surroundings with the caller's runtime in the place of the one beside the workers: what is started by
    /// [`spawn`](Self::spawn) runs on this thread too. For a connection that one worker has for itself.
    ///
    /// `None` outside of a runtime.
    #[must_use]
    pub fn here(&self) -> Option<Self> {
        let background = Handle::try_current().ok()?;
        Some(Self { background, ..self.clone() })
    }

    /// Runs a closure that blocks (a file, a resolver) away from the workers.
    ///
    /// # Errors
    /// [`Stopped`] when the closure panicked or the gateway stops.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, Stopped>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.background.spawn_blocking(work).await.map_err(|_| Stopped)
    }

    /// Ends all tasks and waits for them.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The work was ended before it was done.
#[derive(Debug, thiserror::Error)]
#[error("the work was ended before it was done")]
pub struct Stopped;
