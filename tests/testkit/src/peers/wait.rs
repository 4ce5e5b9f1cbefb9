use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Waits until a condition holds, asking every 20 ms; answers whether it did within the limit.
///
/// For what gives no event to await, such as a file that another process writes.
pub async fn until(limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if holds().await {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
}
