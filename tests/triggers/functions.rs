//! The functions behind the triggers: an HTTP service that does what the message says.
//!
//! `ok` succeeds, `fail N` answers 503 to the first N tries, `bad` answers 404, `hold` waits for its release.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

/// A try that reached the function.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) body: String,
    pub(crate) attempt: u32,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Clone)]
struct Steering {
    shared: Arc<Shared>,
    gate: Arc<Semaphore>,
}

/// The service; ended when dropped.
pub(crate) struct Functions {
    pub(crate) address: SocketAddr,
    steering: Steering,
    _serving: JoinSet<()>,
}

impl Functions {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let steering = Steering { shared: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
        let router = Router::new().fallback(answer).with_state(steering.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, steering, _serving: serving }
    }

    /// The tries so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.steering.shared.calls.lock().unwrap().clone()
    }

    /// How often a message was tried.
    pub(crate) fn tries(&self, body: &str) -> usize {
        self.calls().iter().filter(|call| call.body == body).count()
    }

    pub(crate) fn running(&self) -> usize {
        self.steering.shared.running.load(Ordering::SeqCst)
    }

    /// The most that ever ran at once.
    pub(crate) fn most(&self) -> usize {
        self.steering.shared.most.load(Ordering::SeqCst)
    }

    /// Lets all that is held, and will be, go on.
    pub(crate) fn release(&self) {
        self.steering.gate.close();
    }
}

/// Counts down also when the caller goes away.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(
    State(Steering { shared, gate }): State<Steering>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let now = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(now, Ordering::SeqCst);
    let _running = Running(Arc::clone(&shared));
    let body = String::from_utf8_lossy(&body).into_owned();
    let attempt = headers.get("callgate-attempt").and_then(|attempt| attempt.to_str().ok()?.parse().ok()).unwrap_or(0);
    shared.calls.lock().unwrap().push(Call { body: body.clone(), attempt, headers, at: Instant::now() });
    let mut words = body.split(' ');
    let status = match (words.next(), words.next().and_then(|word| word.parse().ok())) {
        (Some("fail"), Some(tries)) if attempt <= tries => StatusCode::SERVICE_UNAVAILABLE,
        (Some("bad"), _) => StatusCode::NOT_FOUND,
        (Some("hold"), _) => {
            drop(gate.acquire().await);
            StatusCode::OK
        }
        _ => StatusCode::OK,
    };
    (status, format!("answer to {body}"))
}
