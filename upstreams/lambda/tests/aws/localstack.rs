//! Against LocalStack. It checks no signature and no policy, so what depends on them is proved elsewhere.

use callgate_testkit::peers::{LocalStack, PeerError, absent};

use crate::suite;

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_invoked() {
    let peer = match LocalStack::start().await {
        Ok(peer) => peer,
        Err(missing @ PeerError::Missing { .. }) => return absent(missing),
        Err(error) => panic!("{error}"),
    };
    let bed = suite::start(&peer).await;
    bed.ready("aws").await.unwrap();
    suite::run(&bed).await;
}
