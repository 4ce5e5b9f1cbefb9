//! Counters in Redis: one script takes from all buckets of a request at once.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use callgate_core::{
    Context, ErrorKind, Invalid, Secret, UpstreamError,
    remote::{Counters, Draw, Drawn},
};
use redis::{
    Client, IntoConnectionInfo, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::sync::oneshot;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(1);

/// How long sent bytes may stay unacknowledged: a server that vanished is not waited for.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A Redis server.
pub(super) struct Redis {
    connection: ConnectionManager,
    script: Arc<Script>,
    context: Context,
}

impl Redis {
    pub(super) fn new(url: &Secret, context: &Context) -> Result<Self, Invalid> {
        // What the client says of a URL may repeat it, with its password.
        let wrong = |_| {
            let invalid = Invalid::new("this is no URL of a Redis server");
            invalid.hint("write `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS")
        };
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED);
        let info = url.expose().into_connection_info().map_err(wrong)?.set_tcp_settings(tcp);
        let client = Client::open(info).map_err(wrong)?;
        let settings = ConnectionManagerConfig::new().set_connection_timeout(Some(CONNECT)).set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, settings).map_err(wrong)?;
        Ok(Self { connection, script: Arc::new(Script::new(include_str!("take.lua"))), context: context.clone() })
    }
}

/// Allowed, how many are left, microseconds until the bucket is full, microseconds until there is one again.
type Answer = (u8, u32, u64, u64);

impl Counters for Redis {
    fn take(
        &self,
        draws: Vec<Draw>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Drawn>, UpstreamError>> + Send + 'static>> {
        let (answered, answer) = oneshot::channel();
        let (script, mut connection) = (Arc::clone(&self.script), self.connection.clone());
        // The connection lives beside the workers, whichever of them asks first.
        self.context.spawn(async move {
            let mut call = script.prepare_invoke();
            for draw in &draws {
                call.key(&draw.key).arg(draw.interval.as_nanos() as f64 / 1000.0).arg(draw.burst);
            }
            let drawn = call.invoke_async::<Vec<Answer>>(&mut connection).await;
            // Who asked may have gone.
            answered.send(drawn).ok();
        });
        Box::pin(async move {
            match answer.await {
                Ok(Ok(answers)) => Ok(answers.into_iter().map(drawn).collect()),
                Ok(Err(error)) => Err(failed(error)),
                Err(_) => Err(UpstreamError::new(ErrorKind::Unavailable, "the gateway stops")),
            }
        })
    }
}

fn failed(error: RedisError) -> UpstreamError {
    let (kind, message) = match (error.kind(), error.code()) {
        (redis::ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            (ErrorKind::Denied, "Redis refuses the user or the password of the URL")
        }
        (_, Some("NOPERM")) => (ErrorKind::Denied, "Redis does not let the user of the URL do what limits need"),
        _ => (ErrorKind::Unreachable, "Redis does not answer"),
    };
    UpstreamError::new(kind, message).with_source(error)
}

fn drawn((allowed, remaining, reset, wait): Answer) -> Drawn {
    Drawn {
        allowed: allowed == 1,
        remaining,
        reset: Duration::from_micros(reset),
        retry_after: Duration::from_micros(wait),
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
