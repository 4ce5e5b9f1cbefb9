//! Settings, secrets, and the end of an upstream.

use libtest_mimic::Failed;

use super::{
    super::{Fixture, Harness, harness::plan},
    ensure,
};

pub(super) async fn a_mistyped_option_is_named_with_what_is_meant<F: Fixture>(
    harness: Harness<F>,
) -> Result<(), Failed> {
    let Some((typo, meant)) = F::typo() else { return Ok(()) };
    let yaml = harness.yaml().replacen(&format!("{meant}:"), &format!("{typo}:"), 1);
    ensure(yaml != harness.yaml(), || format!("`{meant}` is not in {yaml}"))?;
    let Err(report) = plan::<F>(&yaml) else {
        return Err("the mistyped option was accepted".into());
    };
    let text = report.message().unwrap_or_default();
    ensure(text.contains(&format!("unknown field `{typo}`")), || text.to_owned())?;
    ensure(text.contains(&format!("did you mean `{meant}`?")), || text.to_owned())
}

pub(super) async fn secrets_are_in_no_output<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let plan = plan::<F>(harness.yaml())?;
    let shown = [format!("{plan:?}"), plan.effective().to_string(), format!("{:?}", harness.gateway.snapshot())];
    for secret in harness.fixture.secrets() {
        for text in &shown {
            ensure(!text.contains(&secret), || format!("a secret is shown in {text}"))?;
        }
    }
    Ok(())
}

pub(super) async fn close_ends_and_later_calls_are_answered<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.post("/mirror/x", "text/plain", "open").await?;
    ensure(answer.body == "open", || format!("{answer:?}"))?;
    harness.gateway.snapshot().close().await;
    // Served or refused: what matters is that it is answered.
    let answer = harness.get("/mirror/x").await?;
    ensure(answer.status.is_success() || answer.code().is_some(), || format!("{answer:?}"))
}
