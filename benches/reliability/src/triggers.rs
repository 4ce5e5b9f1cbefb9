//! Triggers while the gateway is killed: every message is processed at least once, or in the dead letter.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    Problem,
    functions::Functions,
    gateway::{self, Gateway},
    kind::Kind,
    options::Options,
    report::{Table, circumstances},
    source::{KINDS, Source},
};

/// How long a broker or the gateway may take to go on.
const PATIENCE: Duration = Duration::from_secs(120);

const HEAD: &str = "| source | date | messages | processed | of these, more than once | in the dead letter | lost | invented | \
                    tries | kills | seconds | build | load |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// What became of the messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    processed: usize,
    /// Processed more than once.
    repeated: usize,
    /// In the dead letter.
    dead: usize,
    /// Neither processed nor in the dead letter.
    lost: usize,
    /// In the dead letter, or processed, and never sent.
    invented: usize,
}

/// Measures the sources that are asked for; whether nothing was lost.
pub(crate) async fn run(options: &Options) -> Result<bool, Problem> {
    let binary = gateway::binary(options.gateway.as_ref())?;
    let (mut right, chosen, mut missing) = (true, Kind::chosen(&KINDS, options)?, Vec::new());
    for kind in &chosen {
        eprintln!("{}: {} messages, {} kills", kind.title, options.messages, options.kills);
        let Some(mut source) = (kind.start)().await? else {
            missing.push(kind.name);
            continue;
        };
        right &= measure(kind, &mut *source, &binary, options).await?;
    }
    options.bear(chosen.len(), &missing)?;
    Ok(right)
}

async fn measure(
    kind: &Kind<dyn Source>,
    source: &mut dyn Source,
    binary: &Path,
    options: &Options,
) -> Result<bool, Problem> {
    source.store(options.messages).await?;
    let (started, functions) = (Instant::now(), Functions::start().await?);
    let parts = configuration(source, &functions);
    let mut gateway = Gateway::serve(binary, &parts).await?;
    for kill in 1..=options.kills {
        let part = options.messages * kill / (options.kills + 1);
        processed(&functions, part).await?;
        gateway.kill();
        gateway = Gateway::serve(binary, &parts).await?;
        eprintln!("killed and started again after {part} messages");
    }
    acknowledged(source).await?;
    let seconds = started.elapsed().as_secs();
    let dead = source.dead().await?;
    let count = compare(options.messages, &functions.times(), &dead);
    drop(gateway);
    let [build, load] = circumstances(binary);
    let cells = [
        kind.title.to_owned(),
        time::OffsetDateTime::now_utc().date().to_string(),
        options.messages.to_string(),
        count.processed.to_string(),
        count.repeated.to_string(),
        count.dead.to_string(),
        count.lost.to_string(),
        count.invented.to_string(),
        functions.tries().to_string(),
        options.kills.to_string(),
        seconds.to_string(),
        build,
        load,
    ];
    eprintln!("{HEAD}\n| {} |", cells.join(" | "));
    if let Some(file) = &options.write {
        Table { name: "triggers", head: HEAD }.write(file, &cells)?;
    }
    Ok(count.lost == 0 && count.invented == 0)
}

fn configuration(source: &dyn Source, functions: &Functions) -> String {
    format!(
        "upstreams:\n  functions: {{rest: {{url: \"http://{}\"}}}}\n  broker: {}\n\
         triggers:\n  work:\n    {}\n    to: functions\n    concurrency: 32\n    timeout: 2s\n    \
         retry: {{attempts: 4, backoff: {{initial: 50ms, max: 500ms}}}}\n    dead_letter: {{to: {}}}\n",
        functions.address,
        source.upstream(),
        source.trigger(),
        source.dead_letter()
    )
}

/// Compares what was sent with what was processed and what is in the dead letter.
fn compare(messages: u64, processed: &HashMap<u64, u32>, dead: &[Vec<u8>]) -> Count {
    let numbers = dead.iter().map(|payload| std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok()));
    let (mut letters, mut invented) = (HashSet::new(), 0);
    for number in numbers {
        match number.filter(|number: &u64| *number < messages) {
            Some(number) => drop(letters.insert(number)),
            None => invented += 1,
        }
    }
    Count {
        processed: processed.len(),
        repeated: processed.values().filter(|times| **times > 1).count(),
        dead: letters.len(),
        lost: (0..messages).filter(|number| !processed.contains_key(number) && !letters.contains(number)).count(),
        invented: invented + processed.keys().filter(|number| **number >= messages).count(),
    }
}

/// Waits until so many messages were processed.
async fn processed(functions: &Functions, goal: u64) -> Result<(), Problem> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = functions.processed();
        if now >= goal {
            return Ok(());
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("nothing goes on for {PATIENCE:?}: {now} of {goal} messages were processed").into());
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the source has nothing left.
async fn acknowledged(source: &mut dyn Source) -> Result<(), Problem> {
    let (mut last, mut since) = (u64::MAX, Instant::now());
    loop {
        let left = source.left().await?;
        if left == 0 {
            return Ok(());
        }
        if left != last {
            (last, since) = (left, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("nothing goes on for {PATIENCE:?}: {left} messages are not acknowledged").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_nowhere_is_lost() {
        let processed = HashMap::from([(0, 1), (1, 3), (9, 1)]);
        let dead = ["1", "2", "2", "12", "x"].map(|text| text.as_bytes().to_vec());
        let expected = Count { processed: 3, repeated: 1, dead: 2, lost: 1, invented: 3 };
        assert_eq!(compare(4, &processed, &dead), expected);
    }
}
