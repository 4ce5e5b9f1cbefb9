//! What the remote says of its functions.

use callgate_core::{Discovered, Snapshot};
use libtest_mimic::Failed;
use serde_json::Value;
use tokio::runtime::Handle;

use super::{
    super::{Fixture, Harness, harness::plan},
    ensure,
};

/// The upstream of the fixture with discovery, and a route to each of these functions.
fn document<F: Fixture>(fixture: &F, functions: &[String]) -> Result<String, Failed> {
    let upstream = fixture.upstream();
    let open = upstream.trim_end().strip_suffix('}').ok_or("the upstream is not in flow style")?;
    let mut yaml = format!("upstreams:\n  remote: {open}, discover: true}}\nroutes:\n");
    for (index, function) in functions.iter().enumerate() {
        let to = Value::from(format!("remote/{function}"));
        yaml.push_str(&format!("  - {{match: /{index}, to: {to}}}\n"));
    }
    Ok(yaml)
}

async fn names<F: Fixture>(harness: &Harness<F>) -> Result<Vec<String>, Failed> {
    let listing = plan::<F>(harness.yaml())?.discover("remote", &Handle::current()).await;
    let listing = listing.map_err(|error| error.to_string())?;
    Ok(listing.functions().iter().map(Discovered::name).map(str::to_owned).collect())
}

pub(super) async fn what_discover_lists_can_be_bound<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let names = names(&harness).await?;
    ensure(!names.is_empty(), || "the remote has functions and lists none".to_owned())?;
    let plan = plan::<F>(&document(&harness.fixture, &names)?)?;
    let snapshot = Snapshot::load(plan, &Handle::current()).await.map_err(|error| error.to_string())?;
    for found in snapshot.discovered().await.into_values() {
        let found = found.map_err(|error| error.to_string())?;
        let listed: Vec<_> = found.functions.iter().map(Discovered::name).collect();
        ensure(listed == names, || format!("{listed:?} are listed, then {names:?}"))?;
        ensure(found.missing.is_empty(), || found.missing.to_string())?;
    }
    snapshot.close().await;
    Ok(())
}

/// Refused by the kind when it is bound, or told by discovery.
pub(super) async fn a_function_that_is_not_listed_is_told<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let Some(mut absent) = names(&harness).await?.pop() else { return Err("the remote lists no function".into()) };
    absent.push_str("-absent");
    let plan = plan::<F>(&document(&harness.fixture, &[absent.clone()])?)?;
    let Ok(snapshot) = Snapshot::load(plan, &Handle::current()).await else { return Ok(()) };
    for found in snapshot.discovered().await.into_values() {
        let found = found.map_err(|error| error.to_string())?;
        ensure(found.missing.to_string().contains(&absent), || format!("{absent} is not there, and it is not told"))?;
    }
    snapshot.close().await;
    Ok(())
}

pub(super) async fn a_remote_that_is_down_lists_nothing_but_says_so<F: Fixture>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    harness.fixture.kill().await;
    harness
        .until(async |harness| ensure(names(harness).await.is_err(), || "it still lists functions".to_owned()))
        .await?;
    let plan = plan::<F>(&document(&harness.fixture, &[])?)?;
    let snapshot = Snapshot::load(plan, &Handle::current()).await.map_err(|error| error.to_string())?;
    let told = snapshot.discovered().await.into_values().all(|found| found.is_err());
    ensure(told, || "what can't be listed passes for an empty list".to_owned())
}
