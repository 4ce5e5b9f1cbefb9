//! The thread of a reload. Reading ten thousand routes takes a processor for a fifth of a second, and requests come first.

use std::{future::Future, io, thread};

#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use tokio::{runtime::Handle, sync::oneshot};

/// How much a reload leaves to others: beside requests that need all of a processor it gets a tenth of it (`nice(2)`).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Does the work on a thread of its own, where it may block.
///
/// # Errors
/// The system gives no thread. `None` where the work panicked.
pub(super) async fn apart<T: Send + 'static>(
    background: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<Option<T>> {
    let (tell, told) = oneshot::channel();
    let background = background.clone();
    let run = move || {
        give_way();
        // Who asked may not wait any more.
        drop(tell.send(background.block_on(work)));
    };
    thread::Builder::new().name("reload".to_owned()).spawn(run)?;
    Ok(told.await.ok())
}

/// Lets all other threads come first, as far as the system knows how to.
fn give_way() {
    // Elsewhere it would be about the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = getpriority_process(None).and_then(|now| setpriority_process(None, now.max(NICENESS))) {
        tracing::debug!(%error, "A reload can't give way to requests.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_thread_alone() {
        let panics = async { panic!("a defect") };
        assert_eq!(apart::<()>(&Handle::current(), panics).await.unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn requests_come_first() {
        let niceness = || getpriority_process(None).unwrap();
        let before = niceness();
        let apart = apart(&Handle::current(), async move { niceness() }).await.unwrap();
        assert_eq!((apart, niceness()), (Some(before.max(NICENESS)), before));
    }
}
