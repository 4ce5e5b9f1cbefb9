//! One process of a function: started, served, watched and ended by one task.

use std::{
    ffi::OsString,
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    process::{ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use callgate_core::UpstreamError;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::HeaderValue;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    net::TcpListener,
    process::{Child, ChildStderr, ChildStdout, Command},
    select,
    signal::unix::{self, SignalKind},
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    api::{self, Api, Call},
    environment, error,
    log::{Lines, Tail},
    program::Program,
};

/// How long what a process wrote before its end is waited for.
const DRAIN: Duration = Duration::from_secs(1);

/// Everything that is the same for all processes of a function.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) arn: HeaderValue,
    pub(crate) program: Program,
    pub(crate) directory: PathBuf,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) max: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) watch: bool,
    pub(crate) stream: bool,
}

impl Spec {
    /// The program's file.
    pub(crate) fn find_program(&self) -> Result<PathBuf, UpstreamError> {
        let path = environment::search_path(&self.variables);
        self.program.find(&self.directory, &path).map_err(|missing| {
            error::broken(format!("the process of the function `{}` can't be started: {missing}", self.name))
        })
    }
}

/// A running process with its Runtime API.
///
/// Its end is noticed without reaping it: until then its id, which is that of its group too, belongs to nobody else.
pub(crate) struct Process {
    // Dropped before the child, whose drop reaps it.
    group: Group,
    child: Child,
    /// Tells that some child of the gateway has ended.
    exits: unix::Signal,
    pub(crate) io: Io,
}

/// The process group; its end is the end of all its members. It has no id once its leader may be reaped.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        // A group that is already gone is what was wanted.
        if let Some(group) = self.0 {
            kill_process_group(group, signal).ok();
        }
    }

    /// Kills all members, once and for ever.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }

    /// Whether the leader has ended; it is left to be reaped.
    fn has_ended(&self) -> bool {
        let Some(leader) = self.0 else { return true };
        let ended = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG);
        !matches!(ended, Ok(None))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Starts the program with a Runtime API of its own, which is how the process is known.
    pub(crate) async fn start(spec: &Spec) -> Result<Self, UpstreamError> {
        let program = spec.find_program()?;
        let failed = |what: &str, source: io::Error| {
            error::broken(format!("the process of the function `{}` can't be started: {what}", spec.name))
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|source| failed("no port is free", source))?;
        let address = listener.local_addr().map_err(|source| failed("no port is free", source))?;
        let (variable, address) = environment::runtime_api(address);
        // Before the process, so that its end can't be missed.
        let exits = unix::signal(SignalKind::child()).map_err(|source| failed("its end can't be watched", source))?;
        let mut child = Command::new(&program)
            .args(&spec.program.arguments)
            .current_dir(&spec.directory)
            .env_clear()
            .envs(spec.variables.iter().map(|(name, value)| (name, value)))
            .env(variable, address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| failed(&format!("{} in {}", program.display(), spec.directory.display()), source))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let (calls_to, calls) = mpsc::channel(4);
        let io = Io {
            listener,
            api: Arc::new(Api { calls: calls_to, max_body: AtomicU64::new(0), stream: spec.stream }),
            calls,
            connections: FuturesUnordered::new(),
            stdout: Lines::new(child.stdout.take()),
            stderr: Lines::new(child.stderr.take()),
            tail: Tail::default(),
        };
        Ok(Self { group: Group(group), child, exits, io })
    }

    /// What happens next.
    pub(crate) async fn next(&mut self) -> Happened {
        select! {
            biased;
            happened = self.io.next() => happened,
            () = Self::exited(&mut self.exits, &self.group) => Happened::Exited,
        }
    }

    async fn exited(exits: &mut unix::Signal, group: &Group) {
        while exits.recv().await.is_some() {
            if group.has_ended() {
                return;
            }
        }
        std::future::pending().await
    }

    /// The id, while the process runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether the process has ended, asked of the system.
    pub(crate) fn has_ended(&self) -> bool {
        self.group.has_ended()
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.group.signal(Signal::TERM);
    }

    /// Kills the process and its children, and tells how it ended: by that, or before.
    pub(crate) async fn kill(&mut self) -> Option<ExitStatus> {
        self.group.kill();
        self.child.wait().await.ok()
    }

    /// What the process still said before its end; `None` once that is all.
    pub(crate) async fn rest(&mut self, until: Instant) -> Option<Happened> {
        if self.io.is_over() || Instant::now() >= until {
            return None;
        }
        timeout_at(until, self.io.next_or_over()).await.ok().flatten()
    }

    /// Until when [`Process::rest`] is worth waiting for.
    pub(crate) fn drain_limit() -> Instant {
        Instant::now() + DRAIN
    }
}

/// What a process does.
pub(crate) enum Happened {
    Called(Call),
    Wrote(Stream, String),
    Exited,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The channels to a process.
pub(crate) struct Io {
    listener: TcpListener,
    pub(crate) api: Arc<Api>,
    calls: mpsc::Receiver<Call>,
    connections: FuturesUnordered<Connection>,
    stdout: Lines<ChildStdout>,
    stderr: Lines<ChildStderr>,
    pub(crate) tail: Tail,
}

impl Io {
    /// The next call or line. Waiting may be given up at any time.
    async fn next(&mut self) -> Happened {
        loop {
            select! {
                Some(call) = self.calls.recv() => return Happened::Called(call),
                Some(()) = self.connections.next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.connections.push(Box::pin(api::serve(stream, Arc::clone(&self.api)))),
                    // Out of file descriptors: others will be closed.
                    Err(_) => sleep(Duration::from_millis(20)).await,
                },
                line = self.stdout.next() => return Happened::Wrote(Stream::Stdout, line),
                line = self.stderr.next() => return Happened::Wrote(Stream::Stderr, line),
            }
        }
    }

    /// As `next`, for a process that has ended: its connections and pipes come to an end.
    async fn next_or_over(&mut self) -> Option<Happened> {
        while !self.is_over() {
            select! {
                biased;
                Some(call) = self.calls.recv() => return Some(Happened::Called(call)),
                Some(()) = self.connections.next(), if !self.connections.is_empty() => {}
                line = self.stdout.next_or_end(), if !self.stdout.is_over() => {
                    if let Some(line) = line {
                        return Some(Happened::Wrote(Stream::Stdout, line));
                    }
                }
                line = self.stderr.next_or_end(), if !self.stderr.is_over() => {
                    if let Some(line) = line {
                        return Some(Happened::Wrote(Stream::Stderr, line));
                    }
                }
            }
        }
        None
    }

    fn is_over(&self) -> bool {
        self.connections.is_empty() && self.calls.is_empty() && self.stdout.is_over() && self.stderr.is_over()
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, time};

    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen_and_left_to_be_reaped() {
        let mut child = std::process::Command::new("true").process_group(0).spawn().unwrap();
        let mut group = Group(Pid::from_raw(i32::try_from(child.id()).unwrap()));
        let late = time::Instant::now() + Duration::from_secs(60);
        while !group.has_ended() {
            assert!(time::Instant::now() < late, "its end is never seen");
            std::thread::yield_now();
        }
        group.kill();
        assert!(child.wait().unwrap().success(), "it was there to be reaped, and its own end counts");
        assert!(group.0.is_none(), "nothing is sent to an id that may be another's now");
    }
}
