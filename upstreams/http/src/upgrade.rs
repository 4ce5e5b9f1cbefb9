//! Connections that leave HTTP, as WebSocket does.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use callgate_core::{Body, Context, InUse, OnUpgrade};
use http::{Request, header};
use tokio::io::{AsyncWriteExt, copy_bidirectional};

use crate::io::Stream;

/// In the extensions of a request that asks for an upgrade: what is kept until the upgraded connection has ended, such
/// as a count of what is under way. Without an upgrade it is dropped with the request.
#[derive(Clone)]
pub struct WhileUpgraded {
    _kept: Arc<dyn Any + Send + Sync>,
}

impl WhileUpgraded {
    /// Keeps this value.
    pub fn new(kept: Arc<impl Any + Send + Sync>) -> Self {
        Self { _kept: kept }
    }
}

impl fmt::Debug for WhileUpgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhileUpgraded").finish_non_exhaustive()
    }
}

/// An upgrade that a request asks for.
pub(crate) struct Upgrade {
    /// The client's side.
    client: OnUpgrade,
    kept: Option<WhileUpgraded>,
    /// Keeps the configuration whose upstream this is.
    in_use: Option<InUse>,
}

/// Takes the upgrade that a request asks for out of it.
pub(crate) fn take(request: &mut Request<Body>) -> Option<Upgrade> {
    let client = request.extensions_mut().remove::<OnUpgrade>()?;
    let kept = request.extensions_mut().remove::<WhileUpgraded>();
    let in_use = request.extensions_mut().remove::<InUse>();
    request.headers().contains_key(header::UPGRADE).then_some(Upgrade { client, kept, in_use })
}

impl Upgrade {
    /// Lets the request ask once more.
    pub(crate) fn put_back(self, request: &mut Request<Body>) {
        request.extensions_mut().insert(self.client);
        if let Some(kept) = self.kept {
            request.extensions_mut().insert(kept);
        }
        if let Some(in_use) = self.in_use {
            request.extensions_mut().insert(in_use);
        }
    }

    /// Passes bytes both ways until both sides have ended; a side that ends first may still receive. `early` is what the
    /// upstream sent right behind its 101.
    pub(crate) fn join(self, context: &Context, mut upstream: Stream, early: Bytes) {
        let Self { client, kept, in_use } = self;
        context.spawn_here(async move {
            let _kept = (kept, in_use);
            let Some(mut client) = client.upgraded().await else {
                tracing::debug!("The client left before its connection was upgraded.");
                return;
            };
            let joined = async {
                client.write_all(&early).await?;
                copy_bidirectional(&mut client, &mut upstream).await
            };
            if let Err(error) = joined.await {
                tracing::debug!(%error, "An upgraded connection was cut.");
            }
        });
    }
}
