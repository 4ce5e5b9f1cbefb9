use http::{
    Request, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::exchange::{Reply, reply};

/// Switches to the protocol that the client asks for and gives every byte back.
pub(super) fn accept(request: Request<Incoming>) -> Reply {
    let Some(protocol) = request.headers().get(UPGRADE).cloned() else {
        return reply(StatusCode::UPGRADE_REQUIRED, "ask for a protocol with the upgrade header");
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "an upgraded connection outlives its exchange; it ends with its client"
    )]
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
            // How it ends is the client's affair.
            drop(tokio::io::copy(&mut reader, &mut writer).await);
            drop(tokio::io::AsyncWriteExt::shutdown(&mut writer).await);
        }
    });
    let mut response = reply(StatusCode::SWITCHING_PROTOCOLS, "");
    response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, protocol);
    response
}
