//! A broker that dies under load.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use callgate_core::Body;
use http::Request;
use libtest_mimic::Failed;
use tokio::task::JoinSet;

use super::{
    super::{Client, Harness, trials::ensure},
    Broker,
};

/// Codes by which the gateway says that the broker has not taken a message.
const NOT_TAKEN: [&str; 4] = ["upstream_unavailable", "upstream_unreachable", "upstream_throttled", "unroutable"];

/// What clients were told of their messages.
#[derive(Debug, Default)]
struct Told {
    accepted: Vec<String>,
    refused: Vec<String>,
    unknown: Vec<String>,
}

/// What all senders count.
#[derive(Debug, Default)]
struct Progress {
    over: AtomicBool,
    accepted: AtomicUsize,
    failed: AtomicUsize,
}

/// Sends one message after the other and keeps what it is told.
async fn send(client: Client, name: usize, progress: Arc<Progress>) -> Result<Told, Failed> {
    let mut told = Told::default();
    for number in 0.. {
        if progress.over.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("{name}-{number}");
        let answer = client.send(Request::post("/kept/x").body(Body::from(text.clone()))?).await?;
        if answer.status == 202 {
            told.accepted.push(text);
            progress.accepted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        progress.failed.fetch_add(1, Ordering::Relaxed);
        match answer.code() {
            Some("upstream_timeout") => {
                let detail = answer.json()?["detail"].to_string();
                ensure(detail.contains("unknown"), || format!("it is not said that nobody knows: {detail}"))?;
                told.unknown.push(text);
            }
            Some(code) if NOT_TAKEN.contains(&code) => {
                told.refused.push(text);
                // A refusal comes at once; the broker needs the processor to start.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            _ => return Err(format!("{answer:?}").into()),
        }
    }
    Ok(told)
}

/// Waits until a count has grown by this much.
async fn grown(count: &AtomicUsize, by: usize) -> Result<(), Failed> {
    let (goal, end) = (count.load(Ordering::Relaxed) + by, Instant::now() + Duration::from_secs(60));
    while count.load(Ordering::Relaxed) < goal {
        ensure(Instant::now() < end, || format!("no {by} more within a minute"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(super) async fn what_was_accepted_survives_a_kill_under_load<F: Broker>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    let progress = Arc::new(Progress::default());
    let mut senders = JoinSet::new();
    for name in 0..8 {
        senders.spawn(send(harness.client(), name, Arc::clone(&progress)));
    }
    // The second finds a connection that was made again.
    for _ in 0..2 {
        grown(&progress.accepted, 100).await?;
        harness.fixture.kill().await;
        grown(&progress.failed, 8).await?;
        harness.fixture.restart().await?;
    }
    grown(&progress.accepted, 100).await?;
    progress.over.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    while let Some(more) = senders.join_next().await {
        let more = more??;
        told.accepted.extend(more.accepted);
        told.refused.extend(more.refused);
        told.unknown.extend(more.unknown);
    }
    let taken = harness.fixture.taken().await?;
    let taken: HashSet<String> = taken.iter().map(super::Taken::text).collect();
    let lost: Vec<_> = told.accepted.iter().filter(|text| !taken.contains(*text)).collect();
    ensure(lost.is_empty(), || format!("accepted and lost: {lost:?}"))?;
    let disowned: Vec<_> = told.refused.iter().filter(|text| taken.contains(*text)).collect();
    ensure(disowned.is_empty(), || format!("said not to be taken, and there: {disowned:?}"))?;
    let sent = told.accepted.len() + told.unknown.len();
    ensure(taken.len() <= sent, || format!("{} messages of {sent} that were sent", taken.len()))
}
