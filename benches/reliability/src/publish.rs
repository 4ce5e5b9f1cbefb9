//! Publishing while the broker is killed: every message that was accepted is there, and every message that is there was
//! sent.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    Problem,
    broker::{Broker, KINDS},
    gateway::{self, Gateway},
    kind::Kind,
    load::{self, Progress, Told},
    options::Options,
    report::{Table, circumstances},
};

/// How long a broker or the gateway may take to go on.
const PATIENCE: Duration = Duration::from_secs(120);
/// Answers of failure that a broker stays dead for.
const FAILURES: u64 = 100;

const HEAD: &str = "| broker | date | sent | accepted | said not to be taken | outcome unknown | of these, taken | lost | \
                    invented | twice | kills | seconds | build | load |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// What became of the messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    /// Accepted, and not in the broker.
    lost: usize,
    /// In the broker, and never sent or said not to be taken.
    invented: usize,
    /// In the broker more than once.
    twice: usize,
    /// In the broker, and nobody knew.
    unknown_taken: usize,
}

/// Measures the brokers that are asked for; whether nothing was lost and nothing invented.
pub(crate) async fn run(options: &Options) -> Result<bool, Problem> {
    let binary = gateway::binary(options.gateway.as_ref())?;
    let (mut right, chosen, mut missing) = (true, Kind::chosen(&KINDS, options)?, Vec::new());
    for kind in &chosen {
        eprintln!("{}: {} messages, {} kills", kind.title, options.messages, options.kills);
        let Some(mut broker) = (kind.start)().await? else {
            missing.push(kind.name);
            continue;
        };
        let gateway = Gateway::start(&binary, &broker.upstream(), &broker.to()).await?;
        right &= measure(kind, &mut *broker, &gateway, options).await?;
    }
    options.bear(chosen.len(), &missing)?;
    Ok(right)
}

async fn measure(
    kind: &Kind<dyn Broker>,
    broker: &mut dyn Broker,
    gateway: &Gateway,
    options: &Options,
) -> Result<bool, Problem> {
    let (started, run) = (Instant::now(), format!("{:016x}", fastrand::u64(..)));
    let progress = Arc::new(Progress::default());
    let clients = load::start(gateway.address, options.connections, &run, &progress);
    for kill in 1..=options.kills {
        let part = options.messages * kill / (options.kills + 1);
        reached(&progress.accepted, part, &progress).await?;
        broker.kill();
        let failed = progress.failed.load(Ordering::Relaxed);
        reached(&progress.failed, failed + FAILURES, &progress).await?;
        broker.restart().await?;
        eprintln!("killed and restarted after {part} messages");
    }
    reached(&progress.accepted, options.messages, &progress).await?;
    progress.over.store(true, Ordering::Relaxed);
    let told = load::finish(clients).await?;
    let seconds = started.elapsed().as_secs();
    let count = compare(&told, &run, &broker.contents().await?);
    let [build, load] = circumstances(&gateway::binary(options.gateway.as_ref())?);
    let cells = [
        kind.title.to_owned(),
        time::OffsetDateTime::now_utc().date().to_string(),
        told.sent().to_string(),
        told.accepted.len().to_string(),
        told.refused.len().to_string(),
        told.unknown.len().to_string(),
        count.unknown_taken.to_string(),
        count.lost.to_string(),
        count.invented.to_string(),
        count.twice.to_string(),
        options.kills.to_string(),
        seconds.to_string(),
        build,
        load,
    ];
    eprintln!("{HEAD}\n| {} |\n{:?}", cells.join(" | "), told.codes);
    if let Some(file) = &options.write {
        Table { name: "publish", head: HEAD }.write(file, &cells)?;
    }
    Ok(count.lost == 0 && count.invented == 0)
}

/// Compares what clients were told with what is in the broker.
fn compare(told: &Told, run: &str, contents: &[Vec<u8>]) -> Count {
    let mut there: HashMap<u64, usize> = HashMap::new();
    let mut count = Count::default();
    for payload in contents {
        let number =
            std::str::from_utf8(payload).ok().and_then(|text| text.strip_prefix(run)?.strip_prefix('-')?.parse().ok());
        match number {
            Some(number) => *there.entry(number).or_default() += 1,
            None => count.invented += 1,
        }
    }
    count.lost = told.accepted.iter().filter(|number| !there.contains_key(number)).count();
    count.unknown_taken = told.unknown.iter().filter(|number| there.contains_key(number)).count();
    count.twice = there.values().filter(|times| **times > 1).count();
    let possible: HashSet<_> = told.accepted.iter().chain(&told.unknown).collect();
    count.invented += there.keys().filter(|number| !possible.contains(number)).count();
    count
}

/// Waits until a count has come so far. When a client gives up it returns too, and the client's error is told at the end.
async fn reached(count: &AtomicU64, goal: u64, progress: &Progress) -> Result<(), Problem> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = count.load(Ordering::Relaxed);
        if now >= goal || progress.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("nothing goes on for {PATIENCE:?}: {progress:?}").into());
        }
        sleep(Duration::from_millis(2)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_compared_with_what_was_told_of_them() {
        let told = Told { accepted: vec![0, 1], refused: vec![2, 3], unknown: vec![4, 5], ..Told::default() };
        let contents = ["r-0", "r-0", "r-3", "r-4", "r-9", "other-1", "nonsense"];
        let contents: Vec<_> = contents.iter().map(|text| text.as_bytes().to_vec()).collect();
        let expected = Count { lost: 1, invented: 4, twice: 1, unknown_taken: 1 };
        assert_eq!(compare(&told, "r", &contents), expected);
    }
}
