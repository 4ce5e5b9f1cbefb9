//! The listeners of a running server, and how a reload changes them.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use callgate_core::plan::{Address, Listener};
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout};

use super::{
    error::ServerError,
    inherited::Inherited,
    listen::{self, Bound},
    origin::{Origin, Settings},
    worker::{Command, Listening},
};

/// How long workers may take to let go of a listener.
const LEAVING: Duration = Duration::from_secs(10);

/// The listeners of a running server. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Listeners(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<Vec<Open>>,
    workers: Vec<mpsc::Sender<Command>>,
    inherited: Inherited,
}

/// A listener that is open.
#[derive(Debug, Clone)]
struct Open {
    listener: Listener,
    bound: Bound,
    origin: Arc<Origin>,
}

/// Listeners that are ready to take the place of others: those that are new are bound, all files are read.
#[derive(Debug)]
#[must_use = "nothing changes before it is applied"]
pub struct Prepared {
    kept: Vec<(Open, Settings)>,
    added: Vec<(Open, Vec<Listening>)>,
    removed: Vec<Open>,
}

/// What a reload does to the listeners, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListenerChanges {
    /// Listen on as before. What was set anew holds for connections that are accepted from now on.
    pub kept: Vec<String>,
    /// Listen from now on.
    pub added: Vec<String>,
    /// Listen no more. What runs on their connections is finished.
    pub removed: Vec<String>,
}

impl Listeners {
    /// Listeners whose sockets the workers have already.
    pub(super) fn new(
        open: Vec<(Listener, Bound, Arc<Origin>)>,
        workers: Vec<mpsc::Sender<Command>>,
        inherited: Inherited,
    ) -> Self {
        let open = open.into_iter().map(|(listener, bound, origin)| Open { listener, bound, origin }).collect();
        Self(Arc::new(Shared { open: Mutex::new(open), workers, inherited }))
    }

    /// Where the listeners really listen, in their order.
    pub fn addresses(&self) -> Vec<Bound> {
        self.lock().iter().map(|open| open.bound.clone()).collect()
    }

    /// Binds the listeners that are new, and reads the files of all. Nothing that listens changes, and nobody can connect
    /// to what is new, before this is [applied](Self::apply). Blocks for as long as files take.
    ///
    /// # Errors
    /// An address that can't be listened at, files that can't be used.
    pub fn prepare(&self, wanted: &[Listener]) -> Result<Prepared, ServerError> {
        let mut former = self.lock().clone();
        let mut prepared = Prepared { kept: Vec::new(), added: Vec::new(), removed: Vec::new() };
        let mut new = Vec::new();
        for listener in wanted {
            match former.iter().position(|open| open.serves(listener)) {
                Some(index) => {
                    let open = former.remove(index);
                    let settings = Settings::of(listener, Some(&open.origin.settings()))?;
                    let bound = Bound { listener: Arc::clone(&listener.name), ..open.bound };
                    prepared.kept.push((Open { listener: listener.clone(), bound, ..open }, settings));
                }
                None => new.push(listener),
            }
        }
        for listener in new {
            let origin = Origin::new(Settings::of(listener, None)?);
            let mut among = prepared.added.iter().map(|(open, _)| &open.bound);
            if let Some(taken) = among.find(|bound| bound.address.collides_with(&listener.address)) {
                return Err(ServerError::Listen {
                    listener: Arc::clone(&listener.name),
                    address: listener.address.clone(),
                    reason: io::Error::new(
                        io::ErrorKind::AddrInUse,
                        format!("the listener `{}` listens there", taken.listener),
                    ),
                });
            }
            let own: Vec<_> = former.iter().map(|open| open.bound.address.clone()).collect();
            let (sockets, bound) = listen::bind(listener, self.0.workers.len(), &own, &self.0.inherited)?;
            prepared.added.push((Open { listener: listener.clone(), bound, origin }, sockets));
        }
        prepared.removed = former;
        Ok(prepared)
    }

    /// Puts prepared listeners in force. Returns once the workers have let go of those that are removed.
    pub async fn apply(&self, prepared: Prepared) -> ListenerChanges {
        let changes = prepared.changes();
        let Prepared { kept, added, removed } = prepared;
        let mut open = Vec::new();
        for (kept, settings) in kept {
            kept.origin.settle(settings);
            open.push(kept);
        }
        for (added, sockets) in added {
            for (worker, socket) in self.0.workers.iter().zip(sockets) {
                if let Err(error) = socket.listen() {
                    let Bound { listener, address } = &added.bound;
                    tracing::error!(%listener, %address, %error, "A new listener can't listen");
                }
                // A worker that has ended takes the server along.
                worker.send(Command::Listen(socket, Arc::clone(&added.origin))).await.ok();
            }
            open.push(added);
        }
        *self.lock() = open;
        for removed in removed {
            removed.origin.left.cancel();
            removed.origin.accepting.close();
            if timeout(LEAVING, removed.origin.accepting.wait()).await.is_err() {
                tracing::warn!(listener = &*removed.listener.name, "A listener that was removed still accepts.");
            }
            if self.0.inherited.has(&removed.bound.address) {
                let Bound { listener, address } = &removed.bound;
                tracing::warn!(%listener, %address, "The socket of a removed listener was handed in and stays open: who connects waits.");
            }
        }
        changes
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared {
    /// What it does.
    pub fn changes(&self) -> ListenerChanges {
        let name = |open: &Open| open.listener.name.to_string();
        ListenerChanges {
            kept: self.kept.iter().map(|(open, _)| name(open)).collect(),
            added: self.added.iter().map(|(open, _)| name(open)).collect(),
            removed: self.removed.iter().map(name).collect(),
        }
    }

    /// Where the listeners that are new listen.
    pub fn added(&self) -> impl Iterator<Item = &Bound> {
        self.added.iter().map(|(open, _)| &open.bound)
    }
}

impl Open {
    /// Whether its sockets are those of this listener: the same address, or for a free port, the same name.
    fn serves(&self, listener: &Listener) -> bool {
        let free = matches!(listener.address, Address::Tcp(address) if address.port() == 0);
        self.listener.address == listener.address && (!free || self.listener.name == listener.name)
    }
}
