use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::PeerError;

/// How much of a log an error shows, in bytes.
const LOG_TAIL: u64 = 4096;
/// How long a peer may take until it is ready: a loaded machine with two cores is the measure.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// Between two looks at whether it is.
const PAUSE: Duration = Duration::from_millis(20);

/// A peer's process, with a folder of its own for files and log; killed with all its children when dropped.
///
/// It also ends when the test's process is killed: a shell holds the other end of a pipe, and once the pipe closes kills the
/// group and removes the folder.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// It was waited for: its id may be another's by now.
    reaped: bool,
    watchdog: Child,
    folder: TempDir,
}

impl Process {
    /// Makes the private folder that a process is then started in.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn folder(name: &str) -> Result<TempDir, PeerError> {
        let prefix = format!("callgate-{name}-");
        tempfile::Builder::new().prefix(&prefix).tempdir().map_err(PeerError::io("make a temporary folder"))
    }

    /// Starts the command in the folder as the leader of a process group, with its output in the folder's `log`.
    ///
    /// # Errors
    /// When the program does not exist or cannot be started.
    pub fn spawn(name: &str, mut command: Command, folder: TempDir) -> Result<Self, PeerError> {
        let log = File::create(folder.path().join("log")).map_err(PeerError::io("make a log file"))?;
        let log_of_errors = log.try_clone().map_err(PeerError::io("share a log file"))?;
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_of_errors)
            .process_group(0)
            .spawn()
            .map_err(PeerError::io(format!("start {name}")))?;
        match watchdog(child.id(), folder.path()) {
            Ok(watchdog) => Ok(Self { name: name.to_owned(), child, reaped: false, watchdog, folder }),
            Err(error) => {
                signal(&child, Signal::KILL);
                drop(child.wait());
                Err(error)
            }
        }
    }

    /// Waits until the condition holds, for at most 90 s.
    ///
    /// # Errors
    /// When the process ends first or the time is over, with the end of its log.
    pub async fn wait_until(&mut self, mut ready: impl AsyncFnMut() -> bool) -> Result<(), PeerError> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            self.check(deadline)?;
            if ready().await {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until something accepts connections on the port.
    ///
    /// # Errors
    /// As [`wait_until`](Self::wait_until).
    pub async fn wait_for_port(&mut self, port: u16) -> Result<(), PeerError> {
        // Not by wait_until: a future with an asynchronous closure in it cannot change threads.
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            self.check(deadline)?;
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until the log holds this text: something that listens on the port may be another process's.
    ///
    /// # Errors
    /// As [`wait_until`](Self::wait_until).
    pub async fn wait_for_log(&mut self, text: &str) -> Result<(), PeerError> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            self.check(deadline)?;
            if self.log().contains(text) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the process still runs, and the deadline has not come.
    fn check(&mut self, deadline: Instant) -> Result<(), PeerError> {
        if let Some(status) = self.status()? {
            return Err(PeerError::Ended { name: self.name.clone(), status, log: self.log_tail() });
        }
        if Instant::now() >= deadline {
            return Err(PeerError::NotReady { name: self.name.clone(), limit: READY_LIMIT, log: self.log_tail() });
        }
        Ok(())
    }

    /// How the process ended, or `None` while it runs.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn status(&mut self) -> Result<Option<ExitStatus>, PeerError> {
        let unknown = || PeerError::io(format!("ask for the state of {}", self.name));
        let Some(pid) = process(&self.child).filter(|_| !self.reaped) else {
            return self.child.try_wait().map_err(unknown());
        };
        // It stays a zombie until it is dropped: ids are used again within minutes on a busy machine, and what is signalled
        // then must not be another's process group.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), options).map_err(|error| unknown()(error.into()))?;
        Ok(status.map(|status| {
            let signal = status.terminating_signal();
            ExitStatus::from_raw(signal.unwrap_or_else(|| status.exit_status().unwrap_or_default() << 8))
        }))
    }

    /// The lines of its log that are JSON, as the gateway writes them.
    #[must_use]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The process id, which is also that of its group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The private folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that the process wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.path().join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Asks the process and its children to end, without waiting.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops the process in mid-air: connections stay open and nothing answers. Returns once every thread stands still,
    /// as the signal reaches a busy one later.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + READY_LIMIT;
        while !self.stands_still() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }

    /// Whether no thread of the group runs: each is stopped, or has ended.
    fn stands_still(&self) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        processes.filter_map(Result::ok).all(|process| {
            let stat = state(&process.path());
            // `STATE PARENT GROUP ...`
            let group = stat.as_deref().and_then(|stat| stat.split(' ').nth(2)?.parse().ok());
            if group != Some(self.id()) {
                return true;
            }
            let Ok(threads) = std::fs::read_dir(process.path().join("task")) else { return true };
            threads
                .filter_map(Result::ok)
                .all(|thread| state(&thread.path()).is_none_or(|state| state.starts_with(['T', 't', 'Z', 'X'])))
        })
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if !self.reaped {
            self::signal(&self.child, signal);
        }
    }

    /// Kills the process and its children at once and waits for its end.
    pub fn kill(&mut self) {
        if !self.reaped {
            signal(&self.child, Signal::KILL);
            drop(self.child.wait());
            self.reaped = true;
        }
    }

    fn log_tail(&self) -> String {
        let mut tail = Vec::new();
        if let Ok(mut log) = File::open(self.path().join("log")) {
            let length = log.metadata().map_or(0, |metadata| metadata.len());
            if log.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL))).is_ok() {
                drop(log.read_to_end(&mut tail));
            }
        }
        String::from_utf8_lossy(&tail).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.watchdog.kill());
        drop(self.watchdog.wait());
        self.kill();
    }
}

/// What the system says of a process or thread, from its state on: `ID (NAME) STATE ...`, where the name may hold
/// anything.
fn state(folder: &Path) -> Option<String> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

/// Starts a shell that kills the group and removes its folder when the writing end of its input closes, which the system does
/// for us.
fn watchdog(group: u32, folder: &Path) -> Result<Child, PeerError> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -s KILL -- \"-$0\"; rm -rf -- \"$1\""])
        .arg(group.to_string())
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(PeerError::io("start the shell that ends peers"))
}

fn process(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn signal(child: &Child, signal: Signal) {
    // A group that is already gone is what the caller wants.
    if let Some(group) = process(child) {
        kill_process_group(group, signal).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("shell", command, Process::folder("shell").unwrap()).unwrap()
    }

    fn alive(pid: u32) -> bool {
        // A zombie still has a folder in /proc, so its state is read.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn the_error_of_a_process_that_ends_early_shows_its_log() {
        let error = shell("echo no such luck; exit 3").wait_until(async || false).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such luck"), "{error}");
    }

    #[tokio::test]
    async fn dropping_a_process_ends_its_children_too() {
        let mut process = shell("sleep 600 & echo $!; wait");
        let log = process.path().join("log");
        process.wait_until(async || std::fs::read_to_string(&log).unwrap().ends_with('\n')).await.unwrap();
        let grandchild: u32 = process.log().trim().parse().unwrap();
        assert!(alive(grandchild));
        drop(process);
        assert!(super::super::until(Duration::from_secs(20), async || !alive(grandchild)).await);
    }

    #[tokio::test]
    async fn the_id_of_a_process_that_ended_stays_its_own() {
        for (script, expected) in [("exit 3", "exit status: 3"), ("kill -9 $$", "signal: 9 (SIGKILL)")] {
            let mut process = shell(script);
            let ended = super::super::until(Duration::from_secs(20), async || process.status().unwrap().is_some());
            assert!(ended.await);
            assert_eq!(process.status().unwrap().unwrap().to_string(), expected);
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
            assert!(stat.contains(") Z "), "{stat}");
            process.kill();
            assert_eq!(process.status().unwrap().unwrap().to_string(), expected);
        }
    }

    #[tokio::test]
    async fn a_killed_owner_takes_its_processes_and_their_files_along() {
        let mut process = shell("sleep 600");
        let folder = process.path().to_owned();
        // Closing the pipe is what the system does when the owner dies.
        drop(process.watchdog.stdin.take());
        let limit = Duration::from_secs(20);
        assert!(super::super::until(limit, async || process.status().unwrap().is_some()).await);
        assert!(super::super::until(limit, async || !folder.exists()).await);
    }
}
