//! Who the gateway is, and TLS.

use std::sync::Arc;

use callgate_testkit::peers::Permissions;

use crate::{bed::Bed, stage::Stage};

const FUNCTIONS: &[(&str, &str)] = &[("new", "routing_key: a, exchange: amq.topic, mandatory: false")];

pub(crate) async fn refused_credentials_are_denied_and_not_told_to_clients(bed: Arc<Bed>) {
    let address = &bed.address;
    for upstream in [
        format!("{{url: \"amqp://guest:wrong-one@{address}\"}}"),
        format!("{{url: \"amqp://{address}\", credentials: {{user: nobody, password: wrong-one}}}}"),
        format!("{{url: \"amqp://guest:guest@{address}/nowhere\"}}"),
    ] {
        let stage = Stage::of(&upstream, FUNCTIONS).await;
        let answer = stage.post("/new/x", "").await;
        answer.fails(502, "upstream_denied");
        assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains("guest"), "{answer:?}");
        let told = stage.ready().await.unwrap_err();
        assert!(told.contains("refuses") && !told.contains("wrong-one"), "{told}");
    }
    let right = format!("{{url: \"amqp://{address}\", credentials: {{user: guest, password: guest}}}}");
    Stage::of(&right, FUNCTIONS).await.post("/new/x", "").await.succeeds(202);
    Stage::of(&format!("{{url: \"amqp://{address}/%2F\"}}"), FUNCTIONS).await.post("/new/x", "").await.succeeds(202);
}

pub(crate) async fn tls_is_verified_in_both_directions(bed: Arc<Bed>) {
    let address = &bed.tls_address;
    let with = |tls: &str| format!("{{url: \"amqps://guest:guest@{address}\", tls: {{{tls}}}}}");
    let stage = Stage::of(&with(&format!("ca: \"{}\"", bed.file("ca.pem"))), FUNCTIONS).await;
    stage.post("/new/x", "").await.succeeds(202);
    stage.ready().await.unwrap();
    for wrong in [
        format!("ca: \"{}\"", bed.file("other-ca.pem")),
        format!("ca: \"{}\", server_name: elsewhere.test", bed.file("ca.pem")),
    ] {
        let stage = Stage::of(&with(&wrong), FUNCTIONS).await;
        stage.post("/new/x", "").await.fails(503, "upstream_unavailable");
        let told = stage.ready().await.unwrap_err();
        assert!(told.contains("certificate"), "{told}");
    }
}

pub(crate) async fn a_certificate_can_stand_for_the_user(bed: Arc<Bed>) {
    let upstream = format!(
        "{{url: \"amqps://{}\", credentials: {{external: true}}, \
         tls: {{ca: \"{}\", certificate: \"{}\", private_key: \"{}\"}}}}",
        bed.tls_address,
        bed.file("ca.pem"),
        bed.file("client.pem"),
        bed.file("client.key")
    );
    let unknown = Stage::of(&upstream, FUNCTIONS).await;
    unknown.post("/new/x", "").await.fails(502, "upstream_denied");
    let may = Permissions { configure: "^$", write: "^amq.topic$", read: "^$" };
    bed.node().await.add_user("gateway.test", "unused-password", may).await.unwrap();
    Stage::of(&upstream, FUNCTIONS).await.post("/new/x", "").await.succeeds(202);
}
