//! What the gateway makes at the broker.

use std::{sync::Arc, time::Duration};

use callgate_testkit::peers::until;
use lapin::types::AMQPValue;

use crate::{bed::Bed, stage::Stage};

pub(crate) async fn what_is_declared_is_made(bed: Arc<Bed>) {
    let (exchange, queue) = (bed.name("declared"), bed.name("declared"));
    let options = format!(
        ", exchange: {exchange}, declare: {{exchanges: {{{exchange}: {{type: topic}}}}, queues: {{{queue}: \
         {{type: quorum, arguments: {{x-max-length: 10}}, bindings: [{{exchange: {exchange}, routing_key: 'a.#'}}]}}}}}}"
    );
    for _ in 0..2 {
        let stage = Stage::new(&bed, &options, &[("new", "routing_key: a.b"), ("other", "routing_key: b")]).await;
        stage.post("/new/x", "").await.succeeds(202);
        stage.post("/other/x", "").await.fails(502, "unroutable");
        stage.ready().await.unwrap();
    }
    let client = bed.client().await;
    let counted = async || client.count(&queue).await == 2;
    assert!(until(Duration::from_secs(20), counted).await);
}

pub(crate) async fn what_is_declared_otherwise_is_told(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("otherwise"));
    client.queue_with(&queue, &[("x-max-length", AMQPValue::LongInt(5))]).await;
    let stage =
        Stage::new(&bed, &format!(", declare: {{queues: {{{queue}: {{}}}}}}"), &[("new", "routing_key: a")]).await;
    stage.post("/new/x", "").await.fails(502, "upstream_denied");
    let told = stage.ready().await.unwrap_err();
    assert!(told.contains("declarations") && told.contains(&queue), "{told}");
}

pub(crate) async fn nothing_is_made_unless_it_is_declared(bed: Arc<Bed>) {
    let exchange = bed.name("undeclared");
    let stage = Stage::new(&bed, &format!(", exchange: {exchange}"), &[("new", "routing_key: a")]).await;
    stage.post("/new/x", "").await.fails(502, "unroutable");
    assert!(stage.ready().await.unwrap_err().contains(&exchange));
}
