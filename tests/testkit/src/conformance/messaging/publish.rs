//! Messages that are published: taken or not, and what the client is told.

use std::collections::HashMap;

use callgate_core::Body;
use futures_util::future::try_join_all;
use http::Request;
use libtest_mimic::Failed;

use super::{
    super::{Harness, trials::ensure},
    Broker,
};

pub(super) async fn what_is_accepted_is_there<F: Broker>(mut harness: Harness<F>) -> Result<(), Failed> {
    let payloads: [Vec<u8>; 3] = [(0..=255).collect(), Vec::new(), "Zoë".into()];
    for payload in &payloads {
        let request = Request::post("/kept/x")
            .header("content-type", "application/x-any")
            .header("x-tenant", "acme")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .body(payload.clone().into())?;
        let answer = harness.send(request).await?;
        ensure(answer.status == 202 && answer.json()?["id"].is_string(), || format!("{answer:?}"))?;
    }
    // Not waited for: accepted means taken.
    let taken = harness.fixture.taken().await?;
    ensure(taken.len() == payloads.len(), || format!("{} messages are there", taken.len()))?;
    for payload in payloads {
        let found = taken.iter().find(|message| message.payload == payload);
        let message = found.ok_or_else(|| format!("{payload:?} is not among {taken:?}"))?;
        let trace = message.header("traceparent").unwrap_or_default();
        let right = message.header("content-type") == Some("application/x-any")
            && message.header("x-tenant") == Some("acme")
            && trace.contains("0af7651916cd43dd8448eb211c80319c");
        ensure(right, || format!("{message:?}"))?;
    }
    Ok(())
}

pub(super) async fn a_thousand_messages_are_each_there_once<F: Broker>(mut harness: Harness<F>) -> Result<(), Failed> {
    const CALLS: usize = 1000;
    let calls = (0..CALLS).map(|number| {
        let harness = &harness;
        async move {
            let path = if number % 2 == 0 { "/kept/x".to_owned() } else { format!("/named/n{}", number % 10) };
            let answer = harness.post(&path, "text/plain", number.to_string()).await?;
            ensure(answer.status == 202, || format!("{number}: {answer:?}"))?;
            Ok::<_, Failed>(answer.json()?["id"].to_string())
        }
    });
    let mut ids = try_join_all(calls).await?;
    ids.sort_unstable();
    ids.dedup();
    ensure(ids.len() == CALLS, || format!("{} different ids", ids.len()))?;
    let mut times = HashMap::new();
    for message in harness.fixture.taken().await? {
        *times.entry(message.text()).or_insert(0) += 1;
    }
    let once = (0..CALLS).all(|number| times.get(&number.to_string()) == Some(&1));
    ensure(once && times.len() == CALLS, || format!("{} different messages: {times:?}", times.len()))
}

pub(super) async fn what_nobody_takes_is_unroutable<F: Broker>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.post("/nowhere/x", "text/plain", "lost").await?;
    ensure(answer.status == 502 && answer.code() == Some("unroutable"), || format!("{answer:?}"))?;
    let answer = harness.post("/kept/x", "text/plain", "kept").await?;
    ensure(answer.status == 202, || format!("{answer:?}"))
}

pub(super) async fn a_message_that_is_too_large_is_refused_and_not_taken<F: Broker>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    for path in ["/kept/x", "/echo/x"] {
        let answer = harness.post(path, "text/plain", vec![b'x'; F::largest() + 1]).await?;
        ensure(answer.status == 413 && answer.code() == Some("body_too_large"), || format!("{path}: {answer:?}"))?;
    }
    let answer = harness.post("/kept/x", "text/plain", "small").await?;
    ensure(answer.status == 202, || format!("{answer:?}"))?;
    let taken = harness.fixture.taken().await?;
    ensure(taken.len() == 1 && taken[0].payload == b"small", || format!("{} messages are there", taken.len()))
}

pub(super) async fn a_value_with_a_meaning_in_names_is_the_clients_error<F: Broker>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    for value in F::special() {
        let answer = harness.post(&format!("/named/{value}"), "text/plain", "stray").await?;
        let right = answer.status == 400 && answer.code() == Some("bad_template_input");
        ensure(right, || format!("{value}: {answer:?}"))?;
    }
    let taken = harness.fixture.taken().await?;
    ensure(taken.is_empty(), || format!("{taken:?}"))
}

pub(super) async fn headers_of_the_broker_are_not_taken_from_clients<F: Broker>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    let mut forged = vec![("callgate-reason", "forged")];
    forged.extend(F::reserved());
    // Twice: what the broker takes for the same message it would drop.
    for _ in 0..2 {
        let mut request = Request::post("/kept/x");
        for (name, value) in &forged {
            request = request.header(*name, *value);
        }
        let answer = harness.send(request.body(Body::from("body"))?).await?;
        ensure(answer.status == 202, || format!("{answer:?}"))?;
    }
    let taken = harness.fixture.taken().await?;
    ensure(taken.len() == 2, || format!("{taken:?}"))?;
    for (name, value) in forged {
        let clean = taken.iter().all(|message| message.header(name) != Some(value));
        ensure(clean, || format!("`{name}` passed: {taken:?}"))?;
    }
    Ok(())
}

pub(super) async fn the_function_says_what_the_client_is_answered<F: Broker>(
    harness: Harness<F>,
) -> Result<(), Failed> {
    let answer = harness.post("/answered/7", "text/plain", "x").await?;
    ensure(answer.status == 201 && answer.body == r#"{"order":"7"}"#, || format!("{answer:?}"))
}
