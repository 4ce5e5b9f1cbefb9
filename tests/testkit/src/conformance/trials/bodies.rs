//! Bodies, in both directions.

use callgate_core::Body;
use libtest_mimic::Failed;

use super::{
    super::{Fixture, Harness},
    ensure,
};

async fn mirrored<F: Fixture>(harness: &Harness<F>, kind: &str, bytes: Vec<u8>) -> Result<(), Failed> {
    let answer = harness.post("/mirror/x", kind, bytes.clone()).await?;
    ensure(answer.status == 200, || format!("{answer:?}"))?;
    ensure(answer.body == bytes, || format!("{} bytes came back of {}", answer.body.len(), bytes.len()))
}

pub(super) async fn an_empty_body_stays_empty<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    mirrored(&harness, "text/plain", Vec::new()).await
}

pub(super) async fn text_passes_unchanged<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    mirrored(&harness, "application/json", r#"{"name": "Zoë \"x\" \u0000", "n": 1.10}"#.into()).await?;
    mirrored(&harness, "text/plain; charset=utf-8", "line\r\nline\u{2028}\t".into()).await
}

pub(super) async fn any_bytes_pass_unchanged<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    mirrored(&harness, "application/octet-stream", (0..=255).collect()).await?;
    // What calls itself text but is not UTF-8.
    mirrored(&harness, "text/plain", vec![0xff, 0xfe, 0x00]).await
}

pub(super) async fn a_megabyte_passes_unchanged<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let bytes = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
    mirrored(&harness, "application/octet-stream", bytes).await
}

pub(super) async fn a_large_reply_arrives_whole<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.get("/large/x?bytes=1000000").await?;
    ensure(answer.status == 200, || format!("{:?}", answer.headers))?;
    ensure(answer.body.len() == 1_000_000 && answer.body.iter().all(|byte| *byte == b'x'), || {
        format!("{} bytes came", answer.body.len())
    })
}

pub(super) async fn a_binary_reply_arrives_whole<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.get("/binary/x").await?;
    let all: Vec<u8> = (0..=255).collect();
    ensure(answer.status == 200 && answer.body == all, || format!("{answer:?}"))
}

pub(super) async fn a_body_over_the_limit_is_refused<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.post("/mirror/x", "text/plain", Body::from(vec![b'x'; (32 << 20) + 1])).await?;
    ensure(answer.code() == Some("body_too_large") && answer.status == 413, || format!("{answer:?}"))
}
