//! Connections that leave HTTP, as WebSocket does.

use bytes::Bytes;
use callgate_core::{Body, Context};
use http::{Request, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional};

use crate::io::Stream;

/// The client's side of an upgrade that the request asks for.
pub(crate) fn take(request: &mut Request<Body>) -> Option<OnUpgrade> {
    let client = request.extensions_mut().remove::<OnUpgrade>()?;
    request.headers().contains_key(header::UPGRADE).then_some(client)
}

/// Passes bytes both ways until both sides have ended; a side that ends first may still receive. `early` is what the
/// upstream sent right behind its 101.
pub(crate) fn join(context: &Context, client: OnUpgrade, mut upstream: Stream, early: Bytes) {
    context.spawn_here(async move {
        let mut client = match client.await {
            Ok(client) => TokioIo::new(client),
            Err(error) => {
                tracing::debug!(%error, "The client left before its connection was upgraded.");
                return;
            }
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
